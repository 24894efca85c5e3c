/** What the demo shows, on whatever stage: agents, Pods, who reaches whom and as whom; then all is deleted, and nothing may be left. */
import { openNetns } from '../../kernel/netns.ts';
import { runNft } from '../../kernel/nft.ts';
import { internet4 } from '../../vpc/outside.ts';
import { drain } from '../drain.ts';
import type { VpcApi } from './api.ts';
import { doorInto } from './door.ts';
import { type Lab, machineOf } from './lab.ts';
import { leftoversOf, sumOf } from './leftovers.ts';
import { type Answer, answerIn, ask } from './matrix.ts';
import { addPod, callFor, deletePod, type LabNode, type LabPod, startNode } from './node.ts';
import { step } from './progress.ts';
import { questionsOf, type Scene, serviceTable } from './questions.ts';
import type { Report } from './report.ts';

const PODS_PER_NODE = 4;
/** rtnetlink protocol of Flatpod's routes and rules (NodeConfig's default). */
export const PROTOCOL = 114;

/** How the demo's Pods may be connected. */
export const datapaths = ['routed-veth', 'macvlan', 'nic', 'ipvlan', 'branch'] as const;
export type Datapath = (typeof datapaths)[number];

/** The nodes, each with the lab's subnet that it lies in. */
const subnetOf = new Map([
  ['node-1', 'a'],
  ['node-2', 'a'],
  ['node-3', 'b'],
]);

/** Where it is shown: machines of the lab are `node-1` and `node-2` in subnet `a`, `node-3` and `vm` in `b`, and `web` in the internet. */
export interface Stage {
  /** For files of the agents. */
  readonly dir: string;
  /** What the namespaces of Pods begin with. */
  readonly podsPrefix: string;
  /** The VPC's own, by which is seen what is left. */
  readonly api: VpcApi;
  readonly lab: Lab;
  /** By which API agents reach it. */
  readonly cloud: {
    readonly name: string;
    /** Of loopback here, to which agents need a door. */
    readonly ports: readonly number[];
    /** `spec.cloud` of a node's configuration. */
    readonly spec: object;
    readonly env: Readonly<Record<string, string>>;
    readonly instance: (id: string) => string;
    readonly subnet: (id: string) => string;
  };
}

/** How it is shown. */
export interface How {
  /** Whether everything is left running. */
  readonly keep: boolean;
  readonly datapath: Datapath;
}

/** Shows it. What runs meanwhile ends with `running`, unless it is to be kept. */
export async function perform(running: AsyncDisposableStack, stage: Stage, how: How): Promise<Report> {
  const nodes = await startAll(running, stage, how);
  const pods = await addAll(nodes, stage.podsPrefix);
  const scene = await offerService(stage.lab, nodes, pods, how.datapath === 'routed-veth');
  const answers = await askAll(scene);
  const checks = await Promise.all(pods.map(async (pod) => ({ pod, answer: await callFor(pod.node, 'CHECK', pod, pod.result) })));
  step('CHECK').done(`${checks.filter(({ answer }) => answer.status === 0).length} of ${checks.length} Pods as ADD made them`);
  const checkFailures = checks
    .filter(({ answer }) => answer.status !== 0)
    .map(({ pod, answer }) => `CHECK of ${pod.name}: ${answer.stdout}`);
  const add_ms = pods.map((pod) => pod.added_ms);
  if (how.keep) return { answers, add_ms, del_ms: [], leftovers: undefined, failures: [...wrongOf(answers), ...checkFailures] };

  const { del_ms, leftovers, failures } = await takeAllAway(stage.api, nodes, pods);
  return { answers, add_ms, del_ms, leftovers, failures: [...wrongOf(answers), ...checkFailures, ...failures] };
}

/** Agents, and the ways to a cloud's API that is not theirs to reach; they end with `running` unless they are to be kept. */
async function startAll(running: AsyncDisposableStack, stage: Stage, { keep, datapath }: How): Promise<LabNode[]> {
  const { lab, dir, cloud } = stage;
  const agents = step('agents');
  for (const name of subnetOf.keys()) for (const port of cloud.ports) running.use(await doorInto(machineOf(lab, name).netns, port));
  const nodes = await Promise.all(
    [...subnetOf].map(([name, subnet]) => startNode(machineOf(lab, name), dir, configOf(stage, name, subnet, datapath), cloud.env)),
  );
  if (!keep) for (const node of nodes) running.defer(() => node.agent.stop());
  agents.done(
    `one on each of ${nodes.length} nodes, for Pods by ${datapath}${cloud.ports.length === 0 ? '' : `, by the API of ${cloud.name}`}`,
  );
  return nodes;
}

async function addAll(nodes: readonly LabNode[], prefix: string): Promise<LabPod[]> {
  const adding = step('ADD');
  const pods: LabPod[] = [];
  for (let i = 1; i <= PODS_PER_NODE; i++) {
    for (const node of nodes) {
      pods.push(await addPod(node, `pod-${i}`, `${prefix}${node.machine.name}-${i}`));
      adding.update(`${pods.length} Pods`);
    }
  }
  adding.done(`${pods.length} Pods by the CNI executable`);
  return pods;
}

/** The last Pod of the first node is behind the Service: its address is on the node's second NIC, the harder case. */
async function offerService(lab: Lab, nodes: readonly LabNode[], pods: readonly LabPod[], isRouted: boolean): Promise<Scene> {
  const backend = pods.findLast((pod) => pod.node === nodes[0]);
  if (backend === undefined) throw new Error('the first node has no Pod');
  for (const node of nodes) {
    using netns = openNetns(node.machine.netns);
    runNft(netns, serviceTable(backend.addresses[0] ?? '', node === backend.node), 'the demo Service');
  }
  return { lab, nodes, pods, subnetOf, backend, isRouted };
}

async function askAll(scene: Scene): Promise<Answer[]> {
  const asking = step('packets');
  using _answering = await answerIn([
    ...scene.pods.map((pod) => pod.netns),
    ...[...scene.lab.machines.values()].map((machine) => machine.netns),
  ]);
  const questions = questionsOf(scene);
  let asked = 0;
  const answers = await ask(questions, () => asking.update(`${++asked} of ${questions.length} connections`));
  asking.done(`${answers.filter((answer) => answer.right).length} of ${answers.length} connections as they should be`);
  return answers;
}

async function takeAllAway(api: VpcApi, nodes: readonly LabNode[], pods: readonly LabPod[]) {
  const deleting = step('DEL');
  const failures: string[] = [];
  const del_ms: number[] = [];
  for (const pod of pods) {
    const answer = await deletePod(pod);
    del_ms.push(answer.took_ms);
    if (answer.status !== 0) failures.push(`DEL of ${pod.name}: ${answer.stdout}`);
    deleting.update(`${del_ms.length} Pods`);
  }
  deleting.done(`${del_ms.length} Pods`);
  const draining = step('drain');
  await Promise.all(nodes.map((node) => drain(node.socket, '30')));
  const left = await Promise.all(nodes.map((node) => leftoversOf(node.machine.netns, node.machine.id, api, PROTOCOL)));
  const leftovers = sumOf(left);
  for (const [what, n] of Object.entries(leftovers)) if (n !== 0) failures.push(`${n} ${what} left after all Pods were deleted`);
  draining.done('agents gave everything back and stopped');
  return { del_ms, leftovers, failures };
}

function wrongOf(answers: readonly Answer[]): string[] {
  return answers
    .filter((answer) => !answer.right)
    .map(
      ({ group, from, to, seen, problem, seenAs }) =>
        `${group}: ${from.name} → ${to.name} (${to.address}): ${problem ?? `seen as ${seen ?? ''}, not as ${seenAs.join(' or ')}`}`,
    );
}

/**
 * Short rests: the demo deletes all and wants to see the addresses go back. Nobody translates for whole VPCs here, so whatever the datapath the node leads to
 * the internet.
 */
function configOf({ lab, cloud }: Stage, node: string, subnet: string, datapath: Datapath): string {
  return `apiVersion: flatpod.dev/v1alpha1
kind: NodeConfig
metadata: {name: ${node}}
spec:
  node: ${node}
  instance: ${cloud.instance(machineOf(lab, node).id)}
  cloud: ${JSON.stringify(cloud.spec)}
  cooldown_s: 1
  addressWait_s: 60
  serviceCidrs: [10.96.0.0/16]
  viaNode: ['${internet4}']
---
apiVersion: flatpod.dev/v1alpha1
kind: PodSubnet
metadata: {name: pods-${subnet}}
spec:
  cloudSubnet: ${cloud.subnet(lab.subnets.get(subnet)?.id ?? '')}
  default: true
  datapath: ${datapath}
  warm: {minimum: ${PODS_PER_NODE + 1}, spare: 1}
`;
}
