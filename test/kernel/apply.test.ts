/** Plans put into the kernel: what is there afterwards, what is refused, and what a refusal leaves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { host, inNetns, type KernelObject, type Plan } from '../../src/kernel/state.ts';
import { MAIN_TABLE } from '../../src/kernel/netlink/route.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { macs, objectOf, openNode, planFor, PROTOCOL, shownIn, vethTo } from './node.ts';

test('apply makes what the plan says, in both namespaces, as ip and nft show it', () => {
  using node = openNode();
  const plan = planFor(node.pod.path);
  node.kernel.apply(plan);
  assert.deepEqual(node.kernel.compare(plan), []);
  const [near] = node.host.ipJson('-d link show fp0');
  assert.deepEqual([near?.['mtu'], near?.['address'], near?.['ifalias']], [1400, macs.near, 'flatpod:c:eth0']);
  assert.match(String(near?.['flags']), /\bUP\b/);
  assert.match(node.host.ip('route show proto 114'), /^10\.9\.0\.5 dev fp0 scope link/);
  assert.match(node.host.ip('rule show'), /700:\tfrom all to 10\.9\.0\.5 lookup main.*740:\tfrom 10\.9\.0\.5 lookup 7001/s);
  assert.match(node.pod.ip('addr show eth0'), /inet 10\.9\.0\.5\/32/);
  assert.match(node.pod.ip('route show'), /default via 169\.254\.1\.1 dev eth0 proto 114/);
  assert.match(node.pod.ip('neigh show'), /169\.254\.1\.1 dev eth0 lladdr 02:00:00:00:00:0a PERMANENT/);
  assert.match(node.host.exec('nft list table inet fpt'), /set s/);
  assert.equal(node.host.exec('sysctl -n net.ipv4.ip_forward').trim(), '1');
});

test('what is there already is not an error and does not change: all but veths may be applied again', () => {
  using node = openNode();
  const plan = planFor(node.pod.path);
  node.kernel.apply(plan);
  const [before, podBefore] = [shownIn(node.host), shownIn(node.pod)];
  node.kernel.apply(plan.filter(({ kind }) => kind !== 'veth'));
  assert.deepEqual([shownIn(node.host), shownIn(node.pod)], [before, podBefore]);
});

test('what differs is set right: a link that is down, its MTU, a route that leads elsewhere, a neighbour, a sysctl, a table', () => {
  using node = openNode();
  const plan = planFor(node.pod.path);
  node.kernel.apply(plan);
  node.host.ip('link add other type bridge');
  node.host.ip('link set other up');
  node.host.ip('route replace 10.9.0.5/32 dev other');
  node.host.exec(
    'sysctl -w net.ipv4.ip_forward=0; nft add table inet fpt { comment mine \\; }; nft delete table inet fpt; nft add table inet fpt',
  );
  node.pod.ip('neigh replace 169.254.1.1 lladdr 02:00:00:00:00:ff dev eth0 nud permanent');
  node.pod.ip('link set eth0 down');
  assert.ok(node.kernel.compare(plan).length >= 6);
  node.kernel.apply(plan.filter(({ kind }) => kind !== 'veth'));
  assert.deepEqual(node.kernel.compare(plan), []);
  const withMtu = { kind: 'link', where: inNetns(node.pod.path), name: 'eth0', mtu: 1300 } as const;
  node.kernel.apply([withMtu]);
  assert.match(node.pod.ip('link show eth0'), /mtu 1300/);
});

for (const [where, name, make] of [
  ['on the host', 'fp0', (node: { host: { ip(a: string): string } }) => node.host.ip('link add fp0 type bridge')],
  ['in the Pod', 'eth0', (node: { pod: { ip(a: string): string } }) => node.pod.ip('link add eth0 type bridge')],
] as const)
  test(`a link of the same name ${where} is refused by its name, and stays as it is`, () => {
    using node = openNode();
    make(node);
    const before = [shownIn(node.host), shownIn(node.pod)];
    const netns = where === 'on the host' ? 'host' : node.pod.path;
    assert.throws(() => node.kernel.apply([vethTo(node.pod.path)]), {
      kind: 'linkTaken',
      message: `there is a link ${name} in ${netns} already`,
    });
    assert.deepEqual([shownIn(node.host), shownIn(node.pod)], before);
  });

test('a veth of ours that is there already is refused too: whether it may be replaced, the caller knows', () => {
  using node = openNode();
  node.kernel.apply([vethTo(node.pod.path)]);
  assert.throws(() => node.kernel.apply([vethTo(node.pod.path)]), { kind: 'linkTaken' });
});

const unreachable = (path: string): KernelObject => ({
  kind: 'route',
  where: inNetns(path),
  dst: parseCidr('10.77.0.0/16'),
  link: 'eth0',
  via: parseIp('10.66.0.1'),
  scope: 'global',
  table: MAIN_TABLE,
  protocol: PROTOCOL,
});

test('the first refusal is told with the object, the namespace and the kernel’s own words; later batches are not begun', () => {
  using node = openNode();
  const plan = planFor(node.pod.path);
  const at = plan.findIndex(({ kind }) => kind === 'nft-table');
  const bad: Plan = [...plan.slice(0, at), unreachable(node.pod.path), ...plan.slice(at)];
  assert.throws(() => node.kernel.apply(bad), {
    kind: 'kernelRefused',
    details: /ENETUNREACH: Nexthop has invalid gateway/,
    message: `the kernel refused to add route 10.77.0.0/16 via 10.66.0.1 dev eth0 table main in ${node.pod.path}`,
  });
  assert.equal(node.host.exec('nft list tables'), '', 'the table came after it');
});

test('whatever a refused plan has left behind, removing the same plan takes away', async () => {
  using node = openNode();
  const before = shownIn(node.host);
  const plan = planFor(node.pod.path);
  for (let at = 2; at <= plan.length; at++) {
    const bad: Plan = [...plan.slice(0, at), unreachable(node.pod.path), ...plan.slice(at)];
    assert.throws(() => node.kernel.apply(bad), { kind: 'kernelRefused' }, `refused after ${at} objects`);
    await node.kernel.remove(bad);
    node.host.exec('sysctl -w net.ipv4.ip_forward=0');
    assert.equal(shownIn(node.host), before, `refused after ${at} objects`);
    assert.ok(!node.pod.ip('link show').includes('eth0'));
  }
});

test('a refused nftables text is told with its line, and the table that was there stays', () => {
  using node = openNode();
  const table = objectOf(planFor(node.pod.path), 'nft-table');
  node.kernel.apply([table]);
  const before = node.host.exec('nft list table inet fpt');
  assert.throws(() => node.kernel.apply([{ ...table, text: 'set s { type ipv4_addr; }\nchain c { nonsense; }' }]), {
    kind: 'nftRefused',
    details: /line 2/,
  });
  assert.equal(node.host.exec('nft list table inet fpt'), before);
});

test('an object for a link that is not there is refused by the link’s name', () => {
  using node = openNode();
  assert.throws(() => node.kernel.apply([{ kind: 'link', where: host, name: 'nosuch' }]), {
    kind: 'kernelRefused',
    details: /there is no such link/,
  });
});

for (const [what, path, kind] of [
  ['that is missing', '/run/netns/fpt-nosuch', 'netnsMissing'],
  ['that is a plain file', '/etc/hostname', 'notNetns'],
  ["that is the process's own", '/proc/self/ns/net', 'hostNetns'],
] as const)
  test(`a Pod's namespace ${what} is refused as ${kind} before anything is made`, () => {
    using node = openNode();
    const before = shownIn(node.host);
    assert.throws(() => node.kernel.apply([vethTo(path)]), { kind });
    assert.equal(shownIn(node.host), before);
  });
