/** What goes wrong around Pods, for every datapath: the agent dies at each step, interfaces are pulled, renamed, changed, taken, requests make no sense. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
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

/**
 * The agent is killed at every point of ADD and DEL: the same ADD again succeeds, the same DEL again leaves nothing. The agent that sees to it is the one that
 * dies next: it passes its point once while it does.
 */
export async function diesAtEachStep(spec: string): Promise<void> {
  await using lab = await labWith(spec);
  const node = lab.node(0);
  const pod = node.container();
  await addWhenReady(node, pod);
  assert.equal((await node.call('DEL', pod)).status, 0);
  await node.stop();
  await node.start({ FLATPOD_DIE_AT: faultPoints[0] });
  for (const [i, point] of faultPoints.entries()) {
    const verb = point.startsWith('add') ? 'ADD' : 'DEL';
    if (verb === 'DEL') await addWhenReady(node, pod);
    await node.call(verb, pod);
    await eventually(`the agent died at ${point}`, () => node.agent.process.signalCode === 'SIGKILL');
    const next = faultPoints[i + 1];
    await node.start(next === undefined ? {} : { FLATPOD_DIE_AT: next, FLATPOD_DIE_ON: '2' });
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

/** A Pod in its lab. */
export interface Faulty {
  readonly lab: TestLab;
  readonly node: TestNode;
  readonly pod: Container;
  /** The Pod's address. */
  readonly address: string;
  /** The link that Pods of this datapath stand on, by its name of now. */
  readonly parent: string;
}

/** What differs for a datapath. */
export interface Faults {
  /** What somebody may do to links in the Pod, and how CHECK names that. */
  readonly damages: readonly (readonly [command: string, named: RegExp])[];
  /** Runs `ip` commands where the link is that Pods stand on: the host, or for a whole NIC the Pod. */
  readonly pull: (scene: Faulty) => void;
  /** Promises of this datapath alone. */
  readonly own?: Readonly<Record<string, (scene: Faulty) => Promise<void>>>;
}

/** What somebody may do in every Pod with a service veth. */
export const serviceVethDamages: Faults['damages'] = [
  ['ip link set eth0 down', /link eth0 up.*: it is down/],
  ['ip link set node0 down', /link node0 up.*: it is down/],
  ['ip link set node0 address 02:00:00:00:be:ef', /link node0 up.*: its MAC is 02:00:00:00:be:ef/],
  ['nft flush chain inet flatpod_node0 leave_by_node', /its chain leave_by_node has 0 rules instead of 1/],
];

/** One Pod, and one thing after the other that goes wrong around it: each is said by its code or its name, and nothing is lost. */
export async function goesWrong(t: TestContext, spec: string, { damages, pull, own = {} }: Faults): Promise<void> {
  await using lab = await labWith(spec);
  const node = lab.node(0);
  const pod = node.container();
  await addWhenReady(node, pod);
  assert.equal((await node.call('DEL', pod)).status, 0);
  await t.test('a link of that name in the Pod is refused by name', () => namesAreTaken(node, pod, spec));
  const answer = await node.call('ADD', pod);
  assert.equal(answer.status, 0, answer.stdout);
  const address = (await node.report()).pods[0]?.addresses[0] ?? '';
  const parentNow = async (): Promise<string> => (await node.report()).nics.find(({ subnet }) => subnet === 'pods')?.link ?? '';
  const sceneNow = async (): Promise<Faulty> => ({ lab, node, pod, address, parent: await parentNow() });
  await works(lab, pod, address);
  await t.test(
    'wrong requests, and a second plugin that asks for the same interface, are refused by their code; the Pod goes on',
    async () => {
      await requestsAreWrong(node, pod, answer.stdout);
      await works(lab, pod, address);
    },
  );
  await t.test('what somebody changes in the Pod is named by CHECK and mended by repair', async () => {
    for (const [command, named] of damages) {
      inside(pod.netns, command);
      const checked = await node.call('CHECK', pod, { config: { prevResult: JSON.parse(answer.stdout) as unknown } });
      assert.match(checked.stdout, named, command);
      await node.ask('repair');
      await noDifference(node);
      await works(lab, pod, address);
    }
    const hostEnd = (await node.report()).pods[0]?.link ?? '';
    node.ip(`link set ${hostEnd} address 02:00:00:00:be:ef`);
    const { differences } = await node.ask<{ differences: string[] }>('repair');
    assert.match(differences.join(), new RegExp(`veth ${hostEnd} .*: its MAC is 02:00:00:00:be:ef`));
    await noDifference(node);
    assert.doesNotMatch(await lab.seenFrom(node.netns, address, pod.netns), /timeout|E[A-Z]+/);
  });
  await t.test('the link that Pods stand on goes down, is renamed, gets another MAC: Pods go on, and new ones are served', async () =>
    parentChanges(await sceneNow(), spec),
  );
  await t.test('it is pulled out and plugged in again: the Pod has its link again, with its address and its ways', async () => {
    pull(await sceneNow());
    await eventually('the Pod works again', () => works(lab, pod, address).then(() => true), 60);
    await eventually('and is whole', () => noDifference(node), 30);
  });
  for (const [promise, keep] of Object.entries(own)) await t.test(promise, async () => keep(await sceneNow()));
  await t.test('a DEL whose prevResult makes no sense leaves nothing, nor does a namespace that just vanishes', async () => {
    assert.equal((await node.call('DEL', pod, { config: { prevResult: 'gone' } })).status, 0);
    assert.doesNotMatch(inside(pod.netns, 'ip -br link'), /eth0|node0/);
    await namespaceVanishes(lab, pod);
  });
}

/** The Pod's namespace just vanishes: the DEL that comes later finds what is left of it, and the next Pod is served. */
async function namespaceVanishes(lab: TestLab, pod: Container): Promise<void> {
  const node = lab.node(0);
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
async function namesAreTaken(node: TestNode, pod: Container, spec: string): Promise<void> {
  for (const name of spec.includes('routed-veth') ? ['eth0'] : ['eth0', 'node0']) {
    inside(pod.netns, `ip link add ${name} type bridge`);
    const answer = await node.call('ADD', pod);
    assert.match(answer.stdout, new RegExp(`there is a link ${name} in .* already \\(FP147\\)`));
    assert.equal((await node.report()).pods.length, 0);
    assert.match(inside(pod.netns, 'ip -br link'), new RegExp(`^${name} `, 'm'));
    inside(pod.netns, `ip link del ${name}`);
  }
}

/** `result`: what ADD printed. */
async function requestsAreWrong(node: TestNode, pod: Container, result: string): Promise<void> {
  const prevResult = JSON.parse(result) as { ips: { address: string; gateway?: string; interface: number }[]; interfaces: object[] };
  const codeOf = async (verb: 'ADD' | 'CHECK', config: Readonly<Record<string, unknown>>): Promise<number> => {
    const { status, stdout } = await node.call(verb, pod, { config });
    return status === 0 ? 0 : (JSON.parse(stdout) as { code: number }).code;
  };
  const malformed = [
    { prevResult: 'eth0' },
    { prevResult: { ...prevResult, ips: [{ address: 'nowhere' }] } },
    { prevResult: { ...prevResult, interfaces: [{}] } },
  ];
  for (const verb of ['ADD', 'CHECK'] as const) {
    for (const config of malformed) assert.equal(await codeOf(verb, config), 7, `${verb} ${JSON.stringify(config).slice(0, 60)}`);
    assert.equal(await codeOf(verb, { prevResult: { ...prevResult, cniVersion: '9.9.9' } }), 1, `${verb}: a version nobody knows`);
  }
  assert.equal(await codeOf('ADD', { prevResult }), 122, 'a second plugin of the list that asks for the same interface');
  assert.equal(await codeOf('CHECK', { prevResult: { cniVersion: '1.1.0', ips: [] } }), 125, 'a result that has lost our address');
  const old = { ...prevResult, cniVersion: '0.4.0', ips: prevResult.ips.map((ip) => ({ ...ip, version: '4' })) };
  assert.equal(await codeOf('CHECK', { prevResult: old }), 0, 'the same in the shape of another version');
}

/** Down, renamed, another MAC: what events tell of is mended by itself, the rest by repair (the agent looks once a minute). */
async function parentChanges({ lab, node, pod, address, parent }: Faulty, spec: string): Promise<void> {
  const whole = (): Promise<boolean> => noDifference(node);
  const at = spec.includes('nic') ? { netns: pod.netns, name: 'eth0' } : { netns: node.netns, name: parent };
  const change = (what: string): string => inside(at.netns, what.replaceAll('LINK', at.name));
  const mend = async (): Promise<unknown> => (at.netns === pod.netns ? await node.ask('repair') : undefined);
  change('ip link set LINK down');
  await mend();
  await eventually('up again', whole);
  await works(lab, pod, address);
  // By one program: the agent brings it up again in between.
  inside(at.netns, 'ip -batch -', ['down', 'name lan7'].map((what) => `link set ${at.name} ${what}\n`).join('') + 'link set lan7 up\n');
  await mend();
  await eventually('whole under its new name', whole, 30);
  if (at.netns !== pod.netns) at.name = 'lan7';
  await works(lab, pod, address);
  const own = (JSON.parse(change('ip -j link show LINK')) as { address: string }[])[0]?.address;
  // Changed again each time: the agent may have looked, and mended it, just before it is asked.
  await eventually('the change is named', async () => {
    change('ip link set LINK address 02:00:00:00:be:ef');
    const { differences } = await node.ask<{ differences: string[] }>('check');
    assert.match(differences.join('\n'), /its MAC is 02:00:00:00:be:ef/);
  });
  await node.ask('repair');
  await whole();
  assert.match(change('ip link show LINK'), new RegExp(`link/ether ${own}`));
  await works(lab, pod, address);
  const next = node.container();
  const [second = ''] = await addWhenReady(node, next);
  await works(lab, next, second);
  assert.equal((await node.call('DEL', next)).status, 0);
}
