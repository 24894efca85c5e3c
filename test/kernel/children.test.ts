/** Links in a Pod that are no veths: children of a link of the host, and links of the host itself. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { type Kernel, openKernel } from '../../src/kernel/kernel.ts';
import { type ChildObject, inNetns, type NicObject, type Plan } from '../../src/kernel/state.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseMac } from '../../src/net/mac.ts';
import { deleteNetns } from '../../src/kernel/netns.ts';
import { type TestNetns, testNetns } from './namespace.ts';

const NIC = '02:00:00:00:aa:01';
const POD = parseMac('02:00:00:00:aa:09');

interface Bed {
  readonly host: TestNetns;
  readonly kernel: Kernel;
  readonly pods: readonly TestNetns[];
}

/** A host whose NIC eth9 is one end of a veth; two Pods. */
function bed(t: TestContext): Bed {
  const [host, ...pods] = [testNetns('host'), testNetns('a'), testNetns('b')];
  const kernel = openKernel([], host.netns);
  t.after(() => {
    kernel[Symbol.dispose]();
    for (const ns of [host, ...pods]) ns[Symbol.dispose]();
  });
  host.ip(`link add eth9 address ${NIC} type veth peer name wire`);
  for (const link of ['eth9', 'wire']) host.ip(`link set ${link} up`);
  return { host, kernel, pods };
}

function macvlan(pod: TestNetns, change: Partial<ChildObject> = {}): ChildObject {
  const of = { type: 'macvlan', mode: 'bridge' } as const;
  return {
    kind: 'child',
    where: inNetns(pod.path),
    name: 'eth0',
    parent: 'eth9',
    of,
    mac: POD,
    mtu: 1400,
    owner: 'flatpod:c:eth0',
    ...change,
  };
}

function nic(pod: TestNetns): NicObject {
  return { kind: 'nic', where: inNetns(pod.path), name: 'eth0', mac: parseMac(NIC), home: 'eth9', owner: 'flatpod:c:eth0' };
}

function withAddress(child: ChildObject, address: string): Plan {
  const { where, name } = child;
  return [child, { kind: 'link', where, name }, { kind: 'address', where, link: name, address: parseIp(address), length: 24 }];
}

test('a macvlan is born in the Pod, compares equal, reaches its sibling, and goes', async (t) => {
  const { kernel, pods } = bed(t);
  const [a, b] = pods as [TestNetns, TestNetns];
  const planA = withAddress(macvlan(a), '10.9.0.1');
  const planB = withAddress(macvlan(b, { mac: parseMac('02:00:00:00:aa:0b') }), '10.9.0.2');
  kernel.apply(planA);
  kernel.apply(planB);
  assert.deepEqual(kernel.compareAll([planA, planB]), [[], []]);
  const [link] = a.ipJson('-d link show eth0');
  assert.deepEqual([link?.['address'], link?.['mtu'], link?.['ifalias']], [POD, 1400, 'flatpod:c:eth0']);
  assert.match(a.exec('ping -c 1 -W 10 10.9.0.2'), /1 received/);
  await kernel.remove(planA);
  assert.equal(a.ipJson('link show').length, 1);
  await kernel.remove(planA);
  assert.deepEqual(
    kernel.compare(planA).map(({ kind }) => kind),
    ['missing', 'missing', 'missing'],
  );
});

test('a child whose name the kernel refuses is not left under another', (t) => {
  const { kernel, pods } = bed(t);
  const [a] = pods as [TestNetns];
  assert.throws(() => kernel.apply([macvlan(a, { name: 'eth:0' })]), { kind: 'kernelRefused' });
  assert.deepEqual(
    a.ipJson('link show').map((link) => link['ifname']),
    ['lo'],
  );
});

test('its name taken, its parent missing, used otherwise or of less MTU: each is said, and nothing is left', async (t) => {
  const { host, kernel, pods } = bed(t);
  const [a] = pods as [TestNetns];
  assert.throws(() => kernel.apply([macvlan(a, { parent: 'eth7' })]), { kind: 'parentMissing' });
  assert.throws(() => kernel.apply([macvlan(a, { mtu: 1501 })]), {
    kind: 'parentMtu',
    message: 'macvlan bridge eth0 of eth9 cannot have packets of 1501 bytes: eth9 takes 1500',
  });
  a.ip('link add eth0 type bridge');
  assert.throws(() => kernel.apply([macvlan(a)]), { kind: 'linkTaken', message: `there is a link eth0 in ${a.path} already` });
  await kernel.remove([macvlan(a)]);
  assert.match(a.ip('-d link show eth0'), /bridge/, "somebody else's link stays");
  host.ip('link add br9 type bridge');
  host.ip('link set eth9 master br9');
  assert.throws(() => kernel.apply([macvlan(a, { name: 'net1' })]), { kind: 'parentBusy' });
});

test('a link that somebody made in its place is told as foreign', (t) => {
  const { kernel, pods } = bed(t);
  const [a] = pods as [TestNetns];
  a.ip('link add eth0 type bridge');
  assert.deepEqual(
    kernel.compare([macvlan(a)]).map(({ kind, problem }) => [kind, problem]),
    [['foreign', 'it is a bridge with the alias none: somebody else made it']],
  );
});

test('mode, MAC and MTU of a macvlan that somebody changed, or that it is down: each is named, and mended while the Pod goes on', async (t) => {
  const { kernel, pods } = bed(t);
  const [a] = pods as [TestNetns];
  const plan = withAddress(macvlan(a), '10.9.0.1');
  kernel.apply(plan);
  const damages: readonly [damage: string, problem: string][] = [
    ['type macvlan mode private', 'its mode is private'],
    ['address 02:00:00:00:aa:77', 'its MAC is 02:00:00:00:aa:77'],
    ['mtu 1300', 'its MTU is 1300'],
    ['down', 'it is down'],
  ];
  for (const [damage, problem] of damages) {
    a.ip(`link set eth0 ${damage}`);
    const differences = kernel.compare(plan);
    assert.deepEqual(
      differences.map((one) => [one.kind, one.problem]),
      [['changed', problem]],
    );
    kernel.apply(differences.map(({ object }) => object));
    assert.deepEqual(kernel.compare(plan), [], damage);
  }
  // Of a second ADD it is still the name that is taken.
  assert.throws(() => kernel.apply([macvlan(a, { owner: 'flatpod:d:eth0' })]), { kind: 'linkTaken' });
  await kernel.remove(plan);
  assert.equal(a.ipJson('link show').length, 1);
});

test('of a namespace that is gone everything is removed already', async (t) => {
  const { kernel, pods, host } = bed(t);
  const [a] = pods as [TestNetns];
  const plan = withAddress(macvlan(a), '10.9.0.1');
  kernel.apply(plan);
  deleteNetns(a.name);
  await kernel.remove([...plan, { kind: 'rule', where: inNetns(a.path), family: 4, priority: 9, table: 9, protocol: 114 }, nic(a)]);
  assert.match(host.ip('link show eth9'), /eth9/);
});

test('a NIC moves into the Pod under a name of there, and home again', async (t) => {
  const { host, kernel, pods } = bed(t);
  const [a] = pods as [TestNetns];
  kernel.apply([nic(a)]);
  assert.deepEqual(kernel.compare([nic(a)]), []);
  const [link] = a.ipJson('link show eth0');
  assert.deepEqual([link?.['address'], link?.['ifalias'], link?.['operstate']], [NIC, 'flatpod:c:eth0', 'DOWN']);
  assert.throws(() => host.ip('link show eth9'));
  kernel.apply([nic(a)]);
  await kernel.remove([nic(a)]);
  const [back] = host.ipJson('link show eth9');
  assert.deepEqual([back?.['address'], back?.['ifalias']], [NIC, undefined]);
  assert.throws(() => a.ip('link show eth0'));
  await kernel.remove([nic(a)]);
});

test('a NIC that came back under another name gets its own again, or one made from its MAC when that is taken', async (t) => {
  const { host, kernel, pods } = bed(t);
  const [a] = pods as [TestNetns];
  kernel.apply([nic(a)]);
  // As the kernel does it with a device when a namespace ends.
  a.ip(`link set eth0 netns ${host.name} name dev5`);
  await kernel.remove([nic(a)]);
  assert.equal(host.ipJson('link show eth9')[0]?.['address'], NIC);
  kernel.apply([nic(a)]);
  host.ip('link add eth9 type bridge');
  await kernel.remove([nic(a)]);
  assert.equal(host.ipJson('link show n02000000aa01')[0]?.['address'], NIC);
});

test('a NIC that the Pod renamed or gave another MAC is named, mended, and comes home as it was, also from a namespace that ended', async (t) => {
  const { host, kernel, pods } = bed(t);
  const [a] = pods as [TestNetns];
  const plan: Plan = [nic(a)];
  const words = (): string[] => kernel.compare(plan).map(({ problem }) => problem);
  kernel.apply(plan);
  a.ip('link set eth0 address 02:00:00:00:aa:77');
  assert.deepEqual(words(), ['its MAC is 02:00:00:00:aa:77']);
  kernel.apply(plan);
  a.ip('link set eth0 name lan5');
  assert.deepEqual(words(), ['it is called lan5']);
  kernel.apply(plan);
  assert.deepEqual(words(), []);
  for (const away of ['address 02:00:00:00:aa:77', `address 02:00:00:00:aa:77 netns ${host.name} name dev5`]) {
    kernel.apply(plan);
    a.ip(`link set eth0 ${away}`);
    await kernel.remove(plan);
    assert.deepEqual(
      host.ipJson('link show eth9').map((link) => [link['address'], link['ifalias']]),
      [[NIC, undefined]],
      away,
    );
  }
});

test('no link with that MAC: nicMissing says which', (t) => {
  const { host, kernel, pods } = bed(t);
  const [a] = pods as [TestNetns];
  host.ip('link del eth9');
  assert.throws(() => kernel.apply([nic(a)]), { kind: 'nicMissing', message: `no interface has the MAC ${NIC}` });
});

test('a kernel without that kind of link says which module to load', (t) => {
  const { host, kernel, pods } = bed(t);
  const [a] = pods as [TestNetns];
  const child = macvlan(a, { of: { type: 'vlan', id: 5 } });
  let hasVlan = true;
  try {
    host.ip('link add v5 link eth9 type vlan id 5');
  } catch {
    hasVlan = false;
  }
  if (!hasVlan)
    assert.throws(() => kernel.apply([child]), { kind: 'kindUnsupported', message: 'the kernel of this node has no vlan links' });
  else assert.throws(() => kernel.apply([child]), { kind: 'vlanTaken', message: 'VLAN 5 of eth9 is in use by another link' });
});

test('modes of macvlan: siblings reach each other by the kernel (bridge), by a switch that sends back (vepa), or not at all (private); all reach the network', (t) => {
  const { host, kernel, pods } = bed(t);
  const [a, b] = pods as [TestNetns, TestNetns];
  // The switch: a bridge at the other end of the NIC's wire, and somebody on it.
  using network = testNetns('network');
  host.ip(`link set wire netns ${network.name}`);
  network.ip('link add br0 type bridge mcast_snooping 0');
  network.ip('addr add 10.9.0.9/24 dev br0');
  for (const link of ['wire master br0', 'wire up', 'br0 up']) network.ip(`link set ${link}`);
  const reaches = (address: string, expected = true): boolean => {
    try {
      return /1 received/.test(a.exec(`ping -c 1 -W ${expected ? 10 : 0.3} ${address}`));
    } catch {
      return false;
    }
  };
  const plansOf = (mode: 'bridge' | 'vepa' | 'private'): Plan[] =>
    [a, b].map((pod, i) => {
      const mac = parseMac(`02:00:00:00:aa:1${i}`);
      return withAddress(macvlan(pod, { of: { type: 'macvlan', mode }, mac, mtu: 1500 }), `10.9.0.${i + 1}`);
    });
  for (const plan of plansOf('bridge')) kernel.apply(plan);
  for (const [mode, plain, sentBack] of [
    ['bridge', true, true],
    ['vepa', false, true],
    ['private', false, false],
  ] as const) {
    for (const plan of plansOf(mode)) kernel.apply(kernel.compare(plan).map(({ object }) => object));
    assert.ok(reaches('10.9.0.9'), `${mode}: the network`);
    for (const [hairpin, expected] of [
      ['off', plain],
      ['on', sentBack],
    ] as const) {
      network.exec(`bridge link set dev wire hairpin ${hairpin}`);
      for (const pod of [a, b]) pod.ip('neigh flush dev eth0');
      assert.equal(reaches('10.9.0.2', expected), expected, `${mode}, the switch sends back: ${hairpin}`);
    }
  }
});
