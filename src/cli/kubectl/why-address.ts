/** Reasons that lie in the addresses: whose they are, which PodSubnet, how many. */
import { asksForAddresses, CLAIM, IP } from '../../store/claim-annotations.ts';
import { candidatesFor, whyNone } from '../../store/subnet-order.ts';
import { type EventError, lastSandboxError } from './event-error.ts';
import { remedyFor, type Usage } from './usage.ts';
import { askingOf, candidatesOnNode, type Finding, nameOfPod, networkOf, subnetsOfNode, type WhyFacts } from './why-facts.ts';
import { ago, some } from './words.ts';

/** Errors that say in other words what the objects say in numbers: no subnet, not ready, exhausted, a claim elsewhere. */
const KNOWN_BETTER = new Set([121, 124, 130, 241]);

/** A Pod that asks for its own address, which is not on its node. */
export function claimTrouble(facts: WhyFacts): Finding | undefined {
  const { pod, claims } = facts;
  const named = pod.annotations[CLAIM];
  if (!asksForAddresses(facts.pod.annotations)) return undefined;
  const network = networkOf(facts);
  const answer = network?.status?.claims?.find(({ uid }) => uid === pod.uid);
  if ((answer?.addresses.length ?? 0) > 0) return undefined;
  const claim = claims.find(({ name }) => name === (named ?? pod.name));
  const asked = network?.spec?.claims?.some(({ uid }) => uid === pod.uid) === true;
  const missing = named !== undefined && claim === undefined ? `there is no IPClaim ${named} in namespace ${pod.namespace}` : undefined;
  const nobody = asked ? 'the controller has not answered its node yet' : 'the agent of its node has not asked for it yet';
  const elsewhere = claim?.status.addresses.find(({ node, podUid }) => podUid !== pod.uid && node !== undefined && node !== pod.node);
  const still =
    elsewhere &&
    `${elsewhere.address} is still on node ${elsewhere.node}${elsewhere.pod === undefined ? '' : `, of Pod ${elsewhere.pod}`} (${elsewhere.phase} since ${elsewhere.since})`;
  const problem = answer?.problem ?? missing ?? still ?? nobody;
  const remedy =
    claim === undefined
      ? 'kubectl get ipclaims shows those there are'
      : `kubectl describe ipclaim -n ${pod.namespace} ${claim.name} shows who has its addresses`;
  return {
    kind: 'claim',
    sentence: `${nameOfPod(pod)} waits for its own address (annotation ${named === undefined ? IP : CLAIM}): ${problem}`,
    remedy,
  };
}

/** No PodSubnet serves it, or only on other nodes. */
export function noSubnet(facts: WhyFacts): Finding | undefined {
  const here = subnetsOfNode(facts);
  const asking = askingOf(facts);
  if (candidatesFor(here, asking).length > 0) return undefined;
  const name = nameOfPod(facts.pod);
  const elsewhere = candidatesFor(facts.subnets, asking).map(({ metadata }) => metadata.name);
  if (elsewhere.length > 0) {
    return {
      kind: 'subnet-elsewhere',
      sentence: `${name} has no address, because PodSubnet ${some(elsewhere)} would serve it, but is not for node ${facts.pod.node ?? ''} (spec.nodeSelector, spec.nodeAnnotationSelector)`,
      remedy: 'run the Pod on a node that the selector selects, or add a PodSubnet for the zone of this one',
    };
  }
  return {
    kind: 'no-subnet',
    sentence: `${name} has no address, because no PodSubnet serves it: ${whyNone(here, asking)}`,
    remedy:
      'mark one PodSubnet with spec.default: true, name the namespace in spec.namespaces, or annotate the namespace with flatpod.dev/pod-subnet',
  };
}

/** The agent said why it gave none, and it is not for want of addresses. */
export function refused({ pod, events, now_ms }: WhyFacts): Finding | undefined {
  const error = lastSandboxError(events);
  if (error?.code === undefined || KNOWN_BETTER.has(error.code)) return undefined;
  return {
    kind: 'refused',
    sentence: `${nameOfPod(pod)} has no address: ${error.message} (FP${error.code}), ${sayWhen(error, now_ms)}`,
    remedy: error.details,
  };
}

/** Every subnet it may use is used up on its node. */
export function exhausted(facts: WhyFacts): Finding | undefined {
  // A Pod with an address of its own takes none of the others'.
  if (asksForAddresses(facts.pod.annotations)) return undefined;
  const candidates = candidatesOnNode(facts);
  const name = nameOfPod(facts.pod);
  const node = facts.pod.node ?? '';
  if (candidates.length === 0 || candidates.some(({ usage }) => !isUsedUp(usage))) return undefined;
  const each = candidates.map(({ usage }) => usage).filter((usage) => usage !== undefined);
  const stopped = each.filter(({ stoppedBy }) => stoppedBy !== 'none');
  const [first] = stopped;
  if (first !== undefined && stopped.length === candidates.length) {
    const reasons = stopped.map(
      (one) => `PodSubnet ${one.subnet}: ${sayUsage(one)}, growth stopped by the ${causes[one.stoppedBy]} (${one.text})`,
    );
    return {
      kind: 'exhausted',
      sentence: `${name} has no address, because node ${node} has none left; ${reasons.join('; ')}`,
      remedy: remedyFor(first.stoppedBy, first.subnet),
    };
  }
  const on = candidates.map(({ subnet, usage }) => `${subnet.metadata.name} (${usage === undefined ? 'none held yet' : sayUsage(usage)})`);
  return {
    kind: 'growing',
    sentence: `${name} waits for an address that is on its way to node ${node}: PodSubnet ${on.join(', ')}`,
    remedy: 'wait: the runtime tries again by itself; kubectl flatpod status shows whether the numbers grow',
  };
}

const causes: Record<Usage['stoppedBy'], string> = {
  none: 'cluster',
  instance: 'instance',
  subnet: 'cloud subnet',
  ceiling: 'ceiling',
  cloud: 'cloud',
  switch: 'switch',
};

/** Fewer free than Pods that wait; with none that wait, none free. */
function isUsedUp(usage: Usage | undefined): boolean {
  return usage === undefined || usage.free === 0 || usage.waiting > usage.free;
}

/** `8 held, 8 in use, 0 cooling, 2 Pods waiting`. */
export function sayUsage({ held, inUse, cooling, free, waiting }: Usage): string {
  return `${held} held, ${inUse} in use, ${cooling} cooling, ${free} free, ${waiting} waiting`;
}

/** The last word about its sandbox, when it is nothing else. */
export function lastWord({ pod, events, now_ms }: WhyFacts): Finding | undefined {
  const error = lastSandboxError(events);
  if (error === undefined) return undefined;
  const name = nameOfPod(pod);
  if (error.code !== undefined) {
    return {
      kind: 'refused',
      sentence: `${name} has no address: ${error.message} (FP${error.code}), ${sayWhen(error, now_ms)}`,
      remedy: error.details,
    };
  }
  return {
    kind: 'not-ours',
    sentence: `${name} has no address, because its sandbox could not be made, for a reason that is not Flatpod's: ${error.message}`,
    remedy: `kubectl describe pod -n ${pod.namespace} ${pod.name} shows the whole event; the runtime's log says more`,
  };
}

function sayWhen({ last_ms, count }: EventError, now_ms: number): string {
  return `${ago(last_ms, now_ms)} ago${count > 1 ? `, ${count} times` : ''}`;
}
