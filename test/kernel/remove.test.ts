/** Plans taken out of the kernel: all that is ours, nothing that is not, and never an error because it is gone already. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deleteNetns } from '../../src/kernel/netns.ts';
import { host } from '../../src/kernel/state.ts';
import { parseIp } from '../../src/net/address.ts';
import { openNode, planFor, shownIn, type TestNode, vethTo } from './node.ts';

/** What is shown when nothing of the plan is there; sysctls stay as they are set. */
function emptied(node: TestNode): void {
  assert.deepEqual(
    node.host.ipJson('link show').map(({ ifname }) => ifname),
    ['lo'],
  );
  assert.deepEqual(
    node.host.ipJson('rule show').map(({ priority }) => priority),
    [0, 32_766, 32_767],
  );
  assert.equal(node.host.ip('route show proto 114'), '');
  assert.equal(node.host.exec('nft list tables'), '');
}

test('remove takes away all that apply made, and leaves sysctls', async () => {
  using node = openNode();
  const plan = planFor(node.pod.path);
  node.kernel.apply(plan);
  await node.kernel.remove(plan);
  emptied(node);
  assert.deepEqual(
    node.pod.ipJson('link show').map(({ ifname }) => ifname),
    ['lo'],
  );
  assert.equal(node.host.exec('sysctl -n net.ipv4.ip_forward').trim(), '1');
});

test('a plan that was never applied, and one that is gone, is removed without a word', async () => {
  using node = openNode();
  const plan = planFor(node.pod.path);
  await node.kernel.remove(plan);
  node.kernel.apply(plan);
  await node.kernel.remove(plan);
  await node.kernel.remove(plan);
  await Promise.all([node.kernel.remove(plan), node.kernel.remove(plan)]);
  emptied(node);
});

for (const [what, take] of [
  ['the link', (node: TestNode) => node.host.ip('link del fp0')],
  ['the rules', (node: TestNode) => [node.host.ip('rule del to 10.9.0.5'), node.host.ip('rule del from 10.9.0.5')]],
  ['the route', (node: TestNode) => node.host.ip('route del 10.9.0.5')],
  ['the table', (node: TestNode) => node.host.exec('nft delete table inet fpt')],
  ['what is in the Pod', (node: TestNode) => [node.pod.ip('addr flush dev eth0'), node.pod.ip('link set eth0 down')]],
  ['the Pod’s namespace', (node: TestNode) => deleteNetns(node.pod.name)],
] as const)
  test(`with ${what} gone already the rest is removed`, async () => {
    using node = openNode();
    const plan = planFor(node.pod.path);
    node.kernel.apply(plan);
    take(node);
    await node.kernel.remove(plan);
    emptied(node);
  });

test('rules, routes and tables are gone when remove has been called, the links when it has resolved', async () => {
  using node = openNode();
  const plan = planFor(node.pod.path);
  node.kernel.apply(plan);
  const removal = node.kernel.remove(plan);
  assert.deepEqual(
    node.host.ipJson('rule show').map(({ priority }) => priority),
    [0, 32_766, 32_767],
  );
  assert.equal(node.host.exec('nft list tables'), '');
  await removal;
  emptied(node);
});

test('a veth with neither our alias nor our MAC stays, whatever its name', async () => {
  using node = openNode();
  node.host.ip('link add fp0 type veth peer name theirs');
  node.host.ip('link set fp0 alias theirs');
  const before = shownIn(node.host);
  await node.kernel.remove([vethTo(node.pod.path)]);
  assert.equal(shownIn(node.host), before);
});

test('a veth with our alias goes whatever its MAC; one with our MAC goes though it has no alias yet', async () => {
  using node = openNode();
  const veth = vethTo(node.pod.path);
  node.kernel.apply([veth]);
  node.host.ip('link set fp0 address 02:00:00:00:00:ee');
  await node.kernel.remove([veth]);
  emptied(node);
  node.host.ip(`link add fp0 address ${veth.mac} type veth peer name p0`);
  await node.kernel.remove([veth]);
  emptied(node);
});

test('of what others share with us only ours goes: a route of another protocol, a rule to another table, another address', async () => {
  using node = openNode();
  const plan = planFor(node.pod.path).filter(({ kind }) => kind === 'rule');
  node.host.ip('link add other type bridge');
  node.host.ip('link set other up');
  node.host.ip('addr add 10.9.0.1/32 dev other');
  node.host.ip('addr add 10.9.0.2/32 dev other');
  node.kernel.apply(plan);
  node.host.ip('rule add to 10.9.0.5 pref 700 table 9');
  node.host.ip('route add 10.9.0.5 dev other proto 91');
  await node.kernel.remove([
    ...plan,
    ...planFor(node.pod.path)
      .filter(({ kind, where }) => kind === 'route' && where.netns === 'host')
      .map((route) => ({ ...route, link: 'other' })),
    { kind: 'address', where: host, link: 'other', address: parseIp('10.9.0.2'), length: 32 },
  ]);
  assert.match(node.host.ip('rule show'), /700:\tfrom all to 10\.9\.0\.5 lookup 9/);
  assert.doesNotMatch(node.host.ip('rule show'), /proto 114/);
  assert.match(node.host.ip('route show 10.9.0.5'), /dev other proto 91/);
  assert.deepEqual(
    [...node.host.ip('addr show other').matchAll(/inet (\S+)/g)].map(([, address]) => address),
    ['10.9.0.1/32'],
  );
});
