/** What goes wrong around Pods with a service veth, for every such datapath: the agent dies at each step, interfaces are pulled, renamed, changed, taken. */
import assert from 'node:assert/strict';
import { faultPoints } from '../../src/agent/fault-point.ts';
import { deleteNetns, NAMED } from '../../src/kernel/netns.ts';
import { type Container, eventually, type TestLab, testLab, type TestNode } from './lab.ts';
import { addWhenReady, inside } from './underlay.ts';

/** A node with Pods of that datapath, and a VM in their subnet. */
export async function labWith(spec: string): Promise<TestLab> {
  const pods = `useFirstNic: false, warm: {spare: 2}, ${spec}`;
  return await testLab({
    plan: {
      subnets: { a: { cidr4: '10.20.0.0/24' }, b: { cidr4: '10.20.1.0/24' } },
      machines: { n1: { subnet: 'a' }, vm: { subnet: 'b' } },
    },
    agents: { n1: { subnet: 'b', pods, node: 'cooldown_s: 0' } },
  });
}

async function noDifference(node: TestNode): Promise<boolean> {
  const { differences } = await node.ask<{ differences: string[] }>('check');
  assert.deepEqual(differences, []);
  return true;
}

const vmOf = (lab: TestLab): { netns: string; address: string } => {
  const vm = lab.lab.machines.get('vm');
  assert.ok(vm);
  return { netns: vm.netns, address: vm.addresses[0] ?? '' };
};

/** The VM reaches the Pod, and the Pod the VM. */
async function works(lab: TestLab, pod: Container, address: string): Promise<void> {
  const vm = vmOf(lab);
  assert.equal(await lab.seenFrom(vm.netns, address, pod.netns), vm.address);
  assert.equal(await lab.seenFrom(pod.netns, vm.address, vm.netns), address);
}

/** The agent is killed at every point of ADD and DEL: the same ADD again succeeds, the same DEL again leaves nothing. */
export async function diesAtEachStep(spec: string): Promise<void> {
  await using lab = await labWith(spec);
  const node = lab.node(0);
  const pod = node.container();
  await addWhenReady(node, pod);
  assert.equal((await node.call('DEL', pod)).status, 0);
  for (const point of faultPoints) {
    await node.stop();
    await node.start({ FLATPOD_DIE_AT: point });
    const verb = point.startsWith('add') ? 'ADD' : 'DEL';
    if (verb === 'DEL') await addWhenReady(node, pod);
    await node.call(verb, pod);
    await eventually(`the agent died at ${point}`, () => node.agent.process.signalCode === 'SIGKILL');
    await node.start();
    if (verb === 'ADD') {
      // Nobody knows whether an answer was out, so the same may be asked for again (docs/adr/0008).
      const again = await node.call('ADD', pod);
      assert.equal(again.status, 0, `${point}: ${again.stdout}`);
      const [only] = (await node.report()).pods;
      await works(lab, pod, only?.addresses[0] ?? '');
      await noDifference(node);
    }
    assert.equal((await node.call('DEL', pod)).status, 0, point);
    assert.equal((await node.report()).pods.length, 0, point);
    assert.doesNotMatch(inside(pod.netns, 'ip -br link'), /eth0|node0/, point);
    assert.doesNotMatch(node.ip('-br link'), /fpn/, point);
  }
}

/** The Pod's namespace just vanishes: the DEL that comes later finds what is left of it, and the next Pod is served. */
export async function namespaceVanishes(spec: string): Promise<void> {
  await using lab = await labWith(spec);
  const node = lab.node(0);
  const pod = node.container();
  await addWhenReady(node, pod);
  deleteNetns(pod.netns.slice(NAMED.length + 1));
  assert.equal((await node.call('DEL', { container: pod.container })).status, 0);
  assert.equal((await node.report()).pods.length, 0);
  const next = node.container();
  const [address = ''] = await addWhenReady(node, next);
  await works(lab, next, address);
  await eventually('the node is whole', () => noDifference(node), 30);
}

/** Somebody else's link has the name of one of ours in the Pod: refused by name, and theirs stays. */
export async function namesAreTaken(spec: string): Promise<void> {
  await using lab = await labWith(spec);
  const node = lab.node(0);
  const pod = node.container();
  await addWhenReady(node, pod);
  assert.equal((await node.call('DEL', pod)).status, 0);
  for (const name of ['eth0', 'node0']) {
    inside(pod.netns, `ip link add ${name} type bridge`);
    const answer = await node.call('ADD', pod);
    assert.match(answer.stdout, new RegExp(`there is a link ${name} in .* already \\(FP147\\)`));
    assert.equal((await node.report()).pods.length, 0);
    assert.match(inside(pod.netns, 'ip -br link'), new RegExp(`^${name} `, 'm'));
    inside(pod.netns, `ip link del ${name}`);
  }
  const [address = ''] = await addWhenReady(node, pod);
  await works(lab, pod, address);
}

/** The interface is pulled out and plugged in again: the Pod has its link again, with its address and its ways. `pull` runs in the namespace that holds it. */
export async function interfaceIsPulled(spec: string, pull: (node: TestNode, pod: Container) => void): Promise<void> {
  await using lab = await labWith(spec);
  const node = lab.node(0);
  const pod = node.container();
  const [address = ''] = await addWhenReady(node, pod);
  pull(node, pod);
  await eventually('the Pod works again', () => works(lab, pod, address).then(() => true), 60);
  await eventually('and is whole', () => noDifference(node), 30);
  assert.equal((await node.call('DEL', pod)).status, 0);
  assert.doesNotMatch(inside(pod.netns, 'ip -br link'), /eth0|node0/);
}
