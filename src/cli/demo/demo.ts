/**
 * `flatpod demo`: the product's main job, shown. A VPC with two subnets, three nodes, a plain VM, an internet host; a dozen Pods added by the real
 * executable; who reaches whom, as whom; then all is deleted, and nothing may be left.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { failure } from '../../errors/failure.ts';
import { deleteNetns, NAMED, openNetns } from '../../kernel/netns.ts';
import { runNft } from '../../kernel/nft.ts';
import { cleanVpc } from '../../vpc/clean.ts';
import { internet4 } from '../../vpc/outside.ts';
import { drain } from '../drain.ts';
import { type VpcApi, vpcApi } from './api.ts';
import { buildLab, type Lab, machineOf } from './lab.ts';
import { leftoversOf, sumOf } from './leftovers.ts';
import { type Answer, answerIn, ask } from './matrix.ts';
import { addPod, callFor, deletePod, type LabNode, type LabPod, startNode } from './node.ts';
import { killLeftovers, launcher, start } from './processes.ts';
import { step } from './progress.ts';
import { questionsOf, type Scene, serviceTable } from './questions.ts';
import { printReport, type Report } from './report.ts';

/** Name of the VPC; its namespaces are called `fpdemo-…`. */
const VPC = 'fpdemo';
/** Of Pods' namespaces. Not the VPC's own prefix: it takes away names of its own that stand for nothing, as one does that is just being made. */
const PODS = 'fpdemopod-';
const DIR = '/run/flatpod-demo';
const URL = `unix:${DIR}/vpc.sock`;
const PODS_PER_NODE = 4;
/** rtnetlink protocol of Flatpod's routes and rules (NodeConfig's default). */
const PROTOCOL = 114;

const subnetOf = new Map([
  ['node-1', 'a'],
  ['node-2', 'a'],
  ['node-3', 'b'],
]);

/** How the demo is to run; see `flatpod demo --help`. */
export interface DemoOptions {
  readonly keep: boolean;
  readonly clean: boolean;
  readonly json: boolean;
  readonly datapath: Datapath;
}

/** How the demo's Pods may be connected. */
const datapaths = ['routed-veth', 'macvlan', 'nic', 'ipvlan', 'branch'] as const;
type Datapath = (typeof datapaths)[number];

/** The smallest instances that have room for four Pods: the first interface serves Pods by routed-veth and ipvlan alone, and a trunk takes another one's place. */
const instanceTypes: Record<Datapath, string> = {
  'routed-veth': 'v1.small',
  macvlan: 'v1.large',
  nic: 'v1.xlarge',
  ipvlan: 'v1.small',
  branch: 'v1.large',
};

/** @throws Failure badOption. */
export function tryDatapath(text: string): Datapath {
  const found = datapaths.find((one) => one === text);
  if (found === undefined)
    throw failure('badOption', { option: '--datapath', value: text, remedy: `write one of ${datapaths.join(', ')}` });
  return found;
}

/** Runs the demo; 1 when a cell of the matrix, a CHECK or the clean-up is wrong. */
export async function runDemo({ keep, clean, json, datapath }: DemoOptions): Promise<number> {
  removeAll();
  if (clean) return 0;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      removeAll();
      process.exit(1);
    });
  }
  let kept = false;
  try {
    const report = await play(keep, datapath);
    printReport(report, json);
    kept = keep;
    if (keep) process.stderr.write(whatToTry());
    return report.failures.length === 0 ? 0 : 1;
  } finally {
    if (!kept) removeAll();
  }
}

async function play(keep: boolean, datapath: Datapath): Promise<Report> {
  mkdirSync(DIR, { recursive: true, mode: 0o700 });
  await using running = new AsyncDisposableStack();
  const vpc = step('emulated VPC');
  const vpcProcess = await start(DIR, {
    name: 'vpc',
    args: ['vpc', '--name', VPC, '--listen', URL, '--state', join(DIR, 'vpc')],
    ready: `${DIR}/vpc.sock`,
  });
  if (!keep) running.defer(() => vpcProcess.stop());
  using api = vpcApi(URL);
  const type = instanceTypes[datapath];
  const lab = await buildLab(api, {
    subnets: { a: { cidr4: '10.20.0.0/24' }, b: { cidr4: '10.20.1.0/24' } },
    machines: {
      'node-1': { subnet: 'a', type },
      'node-2': { subnet: 'a', type },
      'node-3': { subnet: 'b', type },
      vm: { subnet: 'b' },
    },
    internet: ['web'],
  });
  vpc.done('2 subnets, 3 nodes, a plain VM, an internet host');

  const agents = step('agents');
  const nodes = await Promise.all(
    [...subnetOf].map(([name, subnet]) => startNode(machineOf(lab, name), DIR, configOf(lab, name, subnet, datapath))),
  );
  if (!keep) for (const node of nodes) running.defer(() => node.agent.stop());
  agents.done(`one on each of ${nodes.length} nodes, for Pods by ${datapath}`);

  const pods = await addAll(nodes);
  const scene = await offerService(lab, nodes, pods, datapath === 'routed-veth');
  const answers = await askAll(scene);
  const checks = await Promise.all(pods.map(async (pod) => ({ pod, answer: await callFor(pod.node, 'CHECK', pod, pod.result) })));
  step('CHECK').done(`${checks.filter(({ answer }) => answer.status === 0).length} of ${checks.length} Pods as ADD made them`);
  const checkFailures = checks
    .filter(({ answer }) => answer.status !== 0)
    .map(({ pod, answer }) => `CHECK of ${pod.name}: ${answer.stdout}`);
  const add_ms = pods.map((pod) => pod.added_ms);
  if (keep) return { answers, add_ms, del_ms: [], leftovers: undefined, failures: [...wrongOf(answers), ...checkFailures] };

  const { del_ms, leftovers, failures } = await takeAllAway(api, nodes, pods);
  return { answers, add_ms, del_ms, leftovers, failures: [...wrongOf(answers), ...checkFailures, ...failures] };
}

async function addAll(nodes: readonly LabNode[]): Promise<LabPod[]> {
  const adding = step('ADD');
  const pods: LabPod[] = [];
  for (let i = 1; i <= PODS_PER_NODE; i++) {
    for (const node of nodes) {
      pods.push(await addPod(node, `pod-${i}`, `${PODS}${node.machine.name}-${i}`));
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
function configOf(lab: Lab, node: string, subnet: string, datapath: Datapath): string {
  return `apiVersion: flatpod.dev/v1alpha1
kind: NodeConfig
metadata: {name: ${node}}
spec:
  node: ${node}
  instance: ${machineOf(lab, node).id}
  cloud: {type: vpc, endpoint: '${URL}'}
  cooldown_s: 1
  serviceCidrs: [10.96.0.0/16]
  viaNode: ['${internet4}']
---
apiVersion: flatpod.dev/v1alpha1
kind: PodSubnet
metadata: {name: pods-${subnet}}
spec:
  cloudSubnet: ${lab.subnets.get(subnet)?.id ?? ''}
  default: true
  datapath: ${datapath}
  warm: {minimum: ${PODS_PER_NODE + 1}, spare: 1}
`;
}

/** Removes everything that has the demo's name, whoever left it: processes, namespaces, files. */
function removeAll(): void {
  killLeftovers(DIR);
  for (const name of existsSync(NAMED) ? readdirSync(NAMED) : []) if (name.startsWith(PODS)) deleteNetns(name);
  cleanVpc(VPC);
  rmSync(DIR, { recursive: true, force: true });
}

function whatToTry(): string {
  return `
The demo is still running. Try, for instance:
  ip netns list | grep ${VPC}
  ip -n ${VPC}-node-1 rule ; ip -n ${VPC}-node-1 route show table all proto ${PROTOCOL}
  ip netns exec ${VPC}-node-1 nft list table inet flatpod
  ip netns exec ${PODS}node-1-1 ping -c1 10.20.1.1
  ${launcher} status --socket ${DIR}/node-1/cni.sock
  ${launcher} check --socket ${DIR}/node-1/cni.sock
  curl --unix-socket ${DIR}/vpc.sock http://vpc/v1/drops
make demo-clean removes it.
`;
}
