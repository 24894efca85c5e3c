/** On a network that learns from the wire the node answers for Pods that it routes to: for those alone, at once, and tells when an address has moved. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { answeringOn } from '../../src/datapath/answers.ts';
import { planOf } from '../../src/datapath/datapath.ts';
import type { RoutedInterface } from '../../src/datapath/interface.ts';
import { type Kernel, openKernel } from '../../src/kernel/kernel.ts';
import { host, type KernelObject, type Plan } from '../../src/kernel/state.ts';
import { parseIp } from '../../src/net/address.ts';
import { type Mac, parseMac } from '../../src/net/mac.ts';
import { type TestNetns, testNetns } from '../kernel/namespace.ts';

const pods = ['10.20.0.9', '2001:db8::9'] as const;

interface Node {
  readonly ns: TestNetns;
  readonly kernel: Kernel;
  readonly mac: Mac;
  readonly pod: TestNetns;
  readonly plan: Plan;
}

/** A switch with a peer and two nodes on it, each with a namespace for the same Pod. All else of a node leaves by another of its links. */
function bed(t: TestContext): { peer: TestNetns; nodes: readonly [Node, Node] } {
  const lan = testNetns('lan');
  const peer = testNetns('peer');
  t.after(() => [lan, peer].forEach((ns) => ns[Symbol.dispose]()));
  lan.exec('ip link add lan type bridge; ip link set lan up');
  const join = (ns: TestNetns, mac: string, port: string): void => {
    lan.exec(`ip link add ${port} type veth peer name eth1 address ${mac} netns ${ns.path}; ip link set ${port} master lan up`);
    ns.exec('ip link set lo up; sysctl -qw net.ipv6.conf.eth1.accept_dad=0; ip link set eth1 up');
  };
  join(peer, '02:00:00:00:00:01', 'p0');
  peer.exec('ip addr add 10.20.0.1/24 dev eth1; ip addr add 2001:db8::1/64 dev eth1 nodad');
  const node = (n: 2 | 3): Node => {
    const [ns, pod] = [testNetns(`node${n}`), testNetns(`pod${n}`)];
    const [mac, kernel] = [parseMac(`02:00:00:00:00:0${n}`), openKernel([], ns.netns)];
    t.after(() => [kernel, ns, pod].forEach((one) => one[Symbol.dispose]()));
    join(ns, mac, `p${n}`);
    ns.exec('sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0');
    ns.exec('ip link add out type bridge; ip link set out up; ip route add default dev out; ip -6 route add default dev out');
    ns.exec('ip route add 10.20.0.0/24 dev eth1 table 7001; ip rule add from 10.20.0.9 lookup 7001 priority 740');
    ns.exec('ip -6 route add 2001:db8::/64 dev eth1 table 7001; ip -6 rule add from 2001:db8::9 lookup 7001 priority 740');
    const toPods = ([4, 6] as const).map(
      (family): KernelObject => ({ kind: 'rule', where: host, family, priority: 700, table: 7000, protocol: 114 }),
    );
    kernel.apply([...toPods, ...answeringOn('eth1', [4, 6])]);
    const record: RoutedInterface = {
      datapath: 'routed-veth',
      netns: pod.path,
      ifname: 'eth0',
      mac: parseMac(`02:00:00:00:01:0${n}`),
      hostEnd: 'fp1',
      hostMac: parseMac(`02:00:00:00:02:0${n}`),
      mtu: 1500,
      owner: 'flatpod:c:eth0',
      addresses: pods.map(parseIp),
      podTable: 7000,
      protocol: 114,
      answeredOn: { link: 'eth1', mac },
    };
    return { ns, kernel, mac, pod, plan: planOf(record) };
  };
  return { peer, nodes: [node(2), node(3)] };
}

test('a neighbour finds the Pod in both families by asking once, and finds nobody else there', (t) => {
  const {
    peer,
    nodes: [node],
  } = bed(t);
  node.kernel.apply(node.plan);
  assert.deepEqual(node.kernel.compare(node.plan), []);
  for (const address of pods) peer.exec(`ping -c 1 -W 5 ${address}`);
  assert.match(peer.ip('neigh show 10.20.0.9'), new RegExp(node.mac));
  // What the kernel would answer for with proxy_arp: all that it would send out by another link.
  assert.throws(() => peer.exec('ping -c 1 -W 2 10.20.0.77'));
  assert.throws(() => peer.exec('ping -c 1 -W 2 2001:db8::77'));
  assert.doesNotMatch(peer.ip('neigh show 10.20.0.77'), /lladdr/);
});

test('it is compared, repaired and removed, also by a link that has another name since', async (t) => {
  const {
    peer,
    nodes: [node],
  } = bed(t);
  const { ns, kernel, plan } = node;
  kernel.apply(plan);
  ns.exec('ip link set eth1 name net7');
  assert.deepEqual(kernel.compare(plan), []);
  ns.exec('ip neigh del proxy 10.20.0.9 dev net7');
  const [difference, ...more] = kernel.compare(plan);
  assert.deepEqual([difference?.object.kind, difference?.kind, more], ['proxy', 'missing', []]);
  kernel.apply(plan.filter(({ kind }) => kind === 'proxy'));
  peer.exec('ping -c 1 -W 5 10.20.0.9');
  assert.deepEqual(
    kernel
      .owned(114)
      .proxies.map(({ address }) => address)
      .toSorted(),
    [...pods],
  );
  await kernel.remove(plan);
  assert.deepEqual(kernel.owned(114).proxies, []);
  await kernel.remove(plan);
});

test('an address that has moved to another node is reached there as soon as that has told so', async (t) => {
  const {
    peer,
    nodes: [one, two],
  } = bed(t);
  one.kernel.apply(one.plan);
  for (const address of pods) peer.exec(`ping -c 1 -W 5 ${address}`);
  await one.kernel.remove(one.plan);
  two.kernel.apply(two.plan);
  two.kernel.announce('eth1', pods.map(parseIp));
  for (const address of pods) {
    peer.exec(`ping -c 1 -W 5 ${address}`);
    assert.match(peer.ip(`neigh show ${address}`), new RegExp(two.mac));
  }
});
