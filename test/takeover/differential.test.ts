/**
 * Beside the AWS plugin itself, where its programs are given (FLATPOD_PEER_AWS_CNI): what the kernel holds of a Pod, side by side with what Flatpod makes and
 * with what these tests make in that plugin's place; and a node of its own doing that is taken over.
 */
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { eventually } from '../life/lab.ts';
import { awsNode } from './as-aws-node.ts';
import { absent, type AwsPlugin, awsPlugin } from './aws-plugin.ts';
import { stateOf } from './pod-state.ts';
import { type AgentNode, type Container, type Machine, scene, type Scene } from './scene.ts';

/** It takes two interfaces of three, so one is left for Flatpod. */
const daemon = { MAX_ENI: '2', WARM_ENI_TARGET: '1' };
const FIRST_HOLDS = 3;

/** Where they differ, it is meant. */
const meant = {
  theirs: [
    'Pod route: 169.254.1.1 dev eth0 scope link',
    'Pod route: default via 169.254.1.1 dev eth0',
    'host link: veth mtu 1500 UP',
    'host route: POD dev HOST-END scope link',
    'host rule: 1536: from POD lookup 2',
    'host rule: 512: from all to POD lookup main',
  ],
  ours: [
    // The same two ways, known to be ours by their protocol number.
    'Pod route: 169.254.1.1 dev eth0 proto 114 scope link',
    'Pod route: default via 169.254.1.1 dev eth0 proto 114',
    // Only links with our alias are ever removed.
    'host link: veth mtu 1500 UP with our alias',
    // In a table of Pods that one rule of the node leads to, and rules by sender name blocks: none is for a Pod (docs/adr/0011).
    'host route: POD dev HOST-END table 7000 proto 114 scope link',
  ],
};
/** A block of one address, which no neighbour is held of, has a rule that looks like a Pod's. */
const isOfBlock = (line: string): boolean => line.startsWith('host rule: 740: from POD ');

async function withPlugin(at: Scene, machine: Machine, node: AgentNode): Promise<AwsPlugin> {
  mkdirSync(node.dir, { recursive: true });
  return await awsPlugin(at, machine, node.dir, daemon);
}

/** Pods of the plugin, the last of which is on the second interface. */
async function podsOf(at: Scene, plugin: AwsPlugin, count: number): Promise<(Container & { readonly address: string })[]> {
  const pods = [];
  for (let i = 0; i < count; i++) {
    const container = at.container();
    // Its pool is empty now and then, while it attaches an interface: a kubelet too would ask again.
    const address = await eventually(`ADD of web-${i}`, () => plugin.add(container, `web-${i}`), 60);
    pods.push({ ...container, address });
  }
  return pods;
}

test('what the AWS plugin makes of a Pod is what these tests make in its place, and differs from Flatpod where that is meant', {
  skip: absent,
}, async (t) => {
  await using at = await scene();
  const [theirs, likeTheirs, ours] = [await at.launch('theirs'), await at.launch('like'), await at.launch('ours')];
  await using plugin = await withPlugin(at, theirs, await at.node(theirs));
  const real = (await podsOf(at, plugin, FIRST_HOLDS + 1)).at(-1);
  assert.ok(real);
  const former = await awsNode(at, likeTheirs);
  const imitated = former.pod('web', former.addresses[1][0] ?? '');
  const node = await at.node(ours, 'cooldown_s: 0');
  await node.start();
  const own = await onFurtherNic(at, node);
  const states = [
    stateOf({ pod: real, node: theirs, address: real.address }),
    stateOf({ pod: imitated, node: likeTheirs, address: imitated.address }),
    stateOf(own),
  ];
  const [theirState = [], imitatedState = [], ourState = []] = states;
  sideBySide(t, theirState, ourState);
  assert.deepEqual(imitatedState, theirState);
  assert.deepEqual(
    theirState.filter((line) => !ourState.includes(line)),
    meant.theirs,
  );
  assert.deepEqual(
    ourState.filter((line) => !theirState.includes(line) && !isOfBlock(line)),
    meant.ours.toSorted(),
  );
});

/** A Pod of ours whose address is another interface's than the first. */
async function onFurtherNic(at: Scene, node: AgentNode): Promise<{ pod: Container; node: Machine; address: string }> {
  for (let i = 0; i < FIRST_HOLDS; i++) await node.add(at.container());
  const pod = at.container();
  return { pod, node: node.machine, address: await node.add(pod) };
}

function sideBySide(t: TestContext, theirs: readonly string[], ours: readonly string[]): void {
  for (const line of [...new Set([...theirs, ...ours])].toSorted()) {
    const who = theirs.includes(line) ? (ours.includes(line) ? 'both   ' : 'AWS    ') : 'Flatpod';
    t.diagnostic(`${who}  ${line}`);
  }
}

test('a node that the AWS plugin itself has worked on is taken over: its Pods live on beside new ones, and leave nothing', {
  skip: absent,
}, async () => {
  await using at = await scene();
  const [machine, vm] = [await at.launch('node'), await at.launch('vm')];
  const node = await at.node(machine);
  await using plugin = await withPlugin(at, machine, node);
  const pods = await podsOf(at, plugin, FIRST_HOLDS + 2);
  await plugin.stop();
  const { status, stdout, stderr } = node.flatpod('takeover', 'aws-node', '--checkpoint', plugin.checkpoint);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /5 Pods of aws-node keep their network/);
  await node.start();
  const fresh = at.container();
  const own = { ...fresh, address: await node.add(fresh) };
  for (const pod of pods)
    for (const other of [own, { ...vm }]) {
      assert.equal(await at.seen(pod, other.address, other), pod.address);
      assert.equal(await at.seen(other, pod.address, pod), other.address);
    }
  for (const pod of pods) assert.equal((await node.call('DEL', pod)).status, 0);
  assert.doesNotMatch(machine.sh('ip rule; ip -o link; ip route show table all'), /^512:|^1536:| eni[0-9a-f]/m);
  assert.equal(await at.seen(vm, own.address, own), vm.address);
});
