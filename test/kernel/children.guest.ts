/** Children of a link that this machine's kernel may not have, with packets: ipvlan in its modes, VLANs against a switch that filters them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Kernel, openKernel } from '../../src/kernel/kernel.ts';
import type { ChildKind } from '../../src/kernel/netlink/child.ts';
import { MAIN_TABLE } from '../../src/kernel/netlink/route.ts';
import { type ChildObject, inNetns, type Plan } from '../../src/kernel/state.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';
import { type TestNetns, testNetns } from './namespace.ts';

const NIC = '02:00:00:00:aa:01';
const macs = ['02:00:00:00:aa:0a', '02:00:00:00:aa:0b'].map(parseMac);
const PROTOCOL = 114;

interface Bed extends Disposable {
  readonly host: TestNetns;
  readonly kernel: Kernel;
  /** Where the NIC's wire ends: a bridge br0 with that end, `wire`, as a port. */
  readonly network: TestNetns;
  readonly a: TestNetns;
  readonly b: TestNetns;
}

/** A host whose NIC eth9 leads to a bridge in a namespace of its own; two Pods. */
function bed(): Bed {
  using open = new DisposableStack();
  const [host, network, a, b] = [testNetns('host'), testNetns('network'), testNetns('a'), testNetns('b')].map((ns) => open.use(ns)) as [
    TestNetns, // as many as are made above
    TestNetns,
    TestNetns,
    TestNetns,
  ];
  const kernel = open.use(openKernel([], host.netns));
  host.ip(`link add eth9 address ${NIC} type veth peer name wire netns ${network.name}`);
  network.ip('link add br0 type bridge');
  network.ip('link set wire up master br0');
  network.ip('link set br0 up');
  host.ip('link set eth9 up');
  const all = open.move();
  return { host, network, kernel, a, b, [Symbol.dispose]: () => all.dispose() };
}

function childPlan(pod: TestNetns, of: ChildKind, addresses: readonly string[], mac?: ChildObject['mac']): Plan {
  const where = inNetns(pod.path);
  const own = mac === undefined ? {} : { mac };
  return [
    {
      kind: 'child',
      where,
      name: 'eth0',
      parent: 'eth9',
      parentMac: parseMac(NIC),
      of,
      mtu: 1400,
      owner: `flatpod:${pod.name}:eth0`,
      ...own,
    },
    { kind: 'link', where, name: 'eth0' },
    ...addresses.map((text) => {
      const [address = '', length] = text.split('/');
      return { kind: 'address', where, link: 'eth0', address: parseIp(address), length: Number(length) } as const;
    }),
  ];
}

function reaches(from: TestNetns, address: string): boolean {
  try {
    from.exec(`ping -c 2 -i 0.2 -W 2 ${address}`);
    return true;
  } catch {
    return false;
  }
}

test('two ipvlans (l2) of a NIC reach each other and the network, in both families, and are reached; they compare equal, and go', async () => {
  using bedded = bed();
  const { host, kernel, network, a, b } = bedded;
  const of = { type: 'ipvlan', mode: 'l2' } as const;
  const plans = [childPlan(a, of, ['10.9.0.1/24', 'fd09::1/64']), childPlan(b, of, ['10.9.0.2/24', 'fd09::2/64'])];
  for (const plan of plans) kernel.apply(plan);
  assert.deepEqual(kernel.compareAll(plans), [[], []]);
  const [link] = a.ipJson('-d link show eth0');
  assert.deepEqual([link?.['address'], link?.['mtu']], [NIC, 1400]);
  assert.match(JSON.stringify(link?.['linkinfo']), /"info_kind":"ipvlan".*"mode":"l2"/);

  network.ip('addr add 10.9.0.9/24 dev br0');
  network.ip('addr add fd09::9/64 dev br0 nodad');
  for (const net of ['10.9.0.', 'fd09::']) {
    assert.ok(reaches(a, `${net}2`), `the other one, ${net}2`);
    assert.ok(reaches(a, `${net}9`), `the network, ${net}9`);
    assert.ok(reaches(network, `${net}1`), `from the network, ${net}1`);
  }
  assert.match(network.ip('neigh show 10.9.0.1'), new RegExp(NIC));

  // The mode is the parent's: changed by one of them, it is mended for both.
  a.ip('link set eth0 type ipvlan mode l3');
  const changed = kernel.compareAll(plans).flatMap((differences) => (differences instanceof Error ? [] : differences));
  assert.deepEqual(
    changed.map(({ kind, problem }) => [kind, problem]),
    plans.map(() => ['changed', 'its mode is l3']),
  );
  kernel.apply(changed.map(({ object }) => object));
  assert.deepEqual(kernel.compareAll(plans), [[], []]);
  assert.ok(reaches(a, '10.9.0.9'));

  for (const plan of plans) await kernel.remove(plan);
  assert.deepEqual([a.ipJson('link show').length, b.ipJson('link show').length], [1, 1]);
  assert.match(host.ip('link show eth9'), /UP/);
});

for (const mode of ['l3', 'l3s'] as const) {
  test(`ipvlans of mode ${mode} are reached by whom the network routes to the NIC, and reach each other`, () => {
    using bedded = bed();
    const { host, kernel, network, a, b } = bedded;
    host.ip('addr add 10.8.0.2/24 dev eth9');
    network.ip('addr add 10.8.0.1/24 dev br0');
    network.ip('route add 10.9.0.0/24 via 10.8.0.2');
    const of = { type: 'ipvlan', mode } as const;
    const plans = [a, b].map((pod, i): Plan => {
      const where = inNetns(pod.path);
      const out = {
        kind: 'route',
        where,
        dst: parseCidr('0.0.0.0/0'),
        link: 'eth0',
        scope: 'link',
        table: MAIN_TABLE,
        protocol: PROTOCOL,
      } as const;
      return [...childPlan(pod, of, [`10.9.0.${i + 1}/32`]), out];
    });
    for (const plan of plans) kernel.apply(plan);
    assert.deepEqual(kernel.compareAll(plans), [[], []]);
    assert.ok(reaches(a, '10.9.0.2'), 'each other');
    assert.ok(reaches(network, '10.9.0.1'), 'from the network');
    assert.ok(reaches(b, '10.8.0.1'), 'to the network');
  });
}

test('each VLAN of a trunk reaches who is in it, with the MAC and address of its Pod, and nobody else', async () => {
  using bedded = bed();
  using five = testNetns('five');
  using six = testNetns('six');
  const { host, kernel, network, a, b } = bedded;
  network.ip('link set br0 type bridge vlan_filtering 1 vlan_default_pvid 0');
  for (const [ns, id] of [
    [five, 5],
    [six, 6],
  ] as const) {
    network.ip(`link add p${id} type veth peer name eth0 netns ${ns.name}`);
    network.ip(`link set p${id} up master br0`);
    network.exec(`bridge vlan add dev p${id} vid ${id} pvid untagged; bridge vlan add dev wire vid ${id}`);
    ns.ip('link set eth0 up');
    ns.ip('addr add 10.9.0.9/24 dev eth0');
  }
  // The same subnet in both: only the VLAN keeps them apart.
  const plans = [
    childPlan(a, { type: 'vlan', id: 5 }, ['10.9.0.5/24'], macs[0]),
    childPlan(b, { type: 'vlan', id: 6 }, ['10.9.0.6/24'], macs[1]),
  ];
  for (const plan of plans) kernel.apply(plan);
  assert.deepEqual(kernel.compareAll(plans), [[], []]);
  for (const pod of [a, b]) assert.ok(reaches(pod, '10.9.0.9'));
  assert.match(five.ip('neigh show 10.9.0.5'), new RegExp(macs[0] ?? ''));
  assert.match(six.ip('neigh show 10.9.0.6'), new RegExp(macs[1] ?? ''));
  assert.ok(!reaches(five, '10.9.0.6'));

  const [of7] = childPlan(a, { type: 'vlan', id: 7 }, [], macs[0]);
  assert.ok(of7);
  const wrong = kernel.compare([of7]).map(({ kind, problem }) => [kind, problem]);
  assert.deepEqual(wrong, [['foreign', 'its VLAN is 5']], 'which no link can change');

  const [taken] = childPlan(b, { type: 'vlan', id: 5 }, []);
  assert.ok(taken?.kind === 'child');
  assert.throws(() => kernel.apply([{ ...taken, name: 'net1' }]), {
    kind: 'vlanTaken',
    message: 'VLAN 5 of eth9 is in use by another link',
  });
  for (const plan of plans) await kernel.remove(plan);
  assert.equal(host.ipJson('link show type vlan').length, 0);
  assert.deepEqual([a.ipJson('link show').length, b.ipJson('link show').length], [1, 1]);
});
