/** Why a Pod has no address: one reason, the first that holds, and what it is concluded from. Pure. */
import { lastSandboxError } from './event-error.ts';
import { claimTrouble, exhausted, lastWord, noSubnet, refused, sayUsage } from './why-address.ts';
import { candidatesOnNode, type Finding, nameOfPod, networkOf, type WhyFacts } from './why-facts.ts';
import { nodeNotReady, nodeTrouble, sayAgent, sayLeader } from './why-node.ts';
import { settled, unscheduled } from './why-pod.ts';
import { remedyFor, usageOf } from './usage.ts';
import { ago } from './words.ts';

/** The answer. */
export interface Why extends Finding {
  readonly pod: string;
  /** It has an address of its own, or is to have none. */
  readonly well: boolean;
  readonly addresses: readonly string[];
  /** One fact each. */
  readonly evidence: readonly string[];
}

/** In the order in which one would look: what is further from an address comes first, since it hides the rest. */
const reasons: readonly ((facts: WhyFacts) => Finding | undefined)[] = [
  settled,
  unscheduled,
  nodeTrouble,
  claimTrouble,
  noSubnet,
  refused,
  exhausted,
  lastWord,
  nodeNotReady,
];

/** Answers. */
export function whyOf(facts: WhyFacts): Why {
  const { pod } = facts;
  let found: Finding | undefined;
  for (const reason of reasons) found ??= reason(facts);
  found ??= {
    kind: 'on-its-way',
    sentence: `${nameOfPod(pod)} has no address yet, and nothing stands in its way: node ${pod.node ?? '?'} has free ones, and its runtime has not asked, or is just asking`,
    remedy: `look again in a moment; kubectl describe pod -n ${pod.namespace} ${pod.name} says what kubelet is at`,
  };
  const well = found.kind === 'has-address' || found.kind === 'host-network' || found.kind === 'ended';
  return { pod: nameOfPod(pod), well, addresses: pod.ips, ...found, evidence: evidenceOf(facts) };
}

function evidenceOf(facts: WhyFacts): string[] {
  const { pod, node, now_ms } = facts;
  const phase = `Pod: uid ${pod.uid}, ${pod.phase}, node ${pod.node ?? 'none'}, addresses ${pod.ips.join(', ') || 'none'}`;
  if (pod.node === undefined) return [phase, ...roomOnNodes(facts)];
  const ready = node?.conditions.find(({ type }) => type === 'Ready');
  const network = networkOf(facts);
  const error = lastSandboxError(facts.events);
  return [
    phase,
    node === undefined
      ? `Node ${pod.node}: not there`
      : `Node ${node.name}: ${ready?.status === 'True' ? 'ready' : `not ready (${ready?.message || 'no word'})`}, providerID ${node.providerId ?? 'not set'}`,
    network === undefined
      ? `NodeNetwork ${pod.node}: not there`
      : `NodeNetwork ${network.name}: agent has ${network.spec === undefined ? 'not spoken' : 'spoken'}, controller has ${network.status === undefined ? 'not answered' : 'answered'}, instance ${network.instance ?? '-'}`,
    `agent: ${sayAgent(facts.agent)}`,
    `controller: ${sayLeader(facts.lease, now_ms)}`,
    ...candidatesOnNode(facts).map(
      ({ subnet, usage }, i) =>
        `PodSubnet ${subnet.metadata.name} (choice ${i + 1}): ${usage === undefined ? 'the node holds none' : sayUsage(usage)}${usage === undefined || usage.text === '' ? '' : `; ${usage.text}`}`,
    ),
    ...(error === undefined
      ? []
      : [
          `event ${ago(error.last_ms, now_ms)} ago, ${error.count} times: ${error.message}${error.code === undefined ? '' : ` (FP${error.code})`}${error.details === '' ? '' : `; ${error.details}`}`,
        ]),
  ];
}

/** For a Pod that is on no node: which of them cannot take it for want of addresses. */
function roomOnNodes({ networks, subnets }: WhyFacts): string[] {
  const full = networks.flatMap((network) => usageOf(network, subnets)).filter(({ stoppedBy, free }) => stoppedBy !== 'none' && free === 0);
  if (full.length === 0) return ['no node lacks addresses'];
  return full
    .slice(0, 20)
    .map(
      (usage) =>
        `node ${usage.node}, PodSubnet ${usage.subnet}: ${sayUsage(usage)}; ${usage.text}; ${remedyFor(usage.stoppedBy, usage.subnet)}`,
    );
}
