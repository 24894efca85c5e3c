/** Plans held against the kernel: each kind of object that is missing, different or in somebody else's way is found, and named as such. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sayDifference } from '../../src/kernel/compare.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { type KernelObject, nameOf } from '../../src/kernel/state.ts';
import { deleteNetns } from '../../src/kernel/netns.ts';
import { objectOf, openNode, planFor, shownIn, type TestNode } from './node.ts';

type Kind = 'missing' | 'changed' | 'foreign';

/** What is done, to which object it should be noticed, as what, in which words. */
const damages: readonly [what: string, damage: (node: TestNode) => unknown, kind: KernelObject['kind'], as: Kind, words: RegExp][] = [
  ['a veth is deleted', ({ host }) => host.ip('link del fp0'), 'veth', 'missing', /^veth fp0 with peer eth0 in host: missing$/],
  ['another alias', ({ host }) => host.ip('link set fp0 alias mine'), 'veth', 'foreign', /its alias is mine: somebody else made it/],
  ['another MAC', ({ host }) => host.ip('link set fp0 address 02:00:00:00:00:ee'), 'veth', 'changed', /its MAC is 02:00:00:00:00:ee/],
  ['the host end is down', ({ host }) => host.ip('link set fp0 down'), 'veth', 'changed', /veth fp0 .*: it is down/],
  ['another MTU', ({ host }) => host.ip('link set fp0 mtu 1300'), 'veth', 'changed', /its MTU is 1300/],
  ['the Pod’s end is down', ({ pod }) => pod.ip('link set eth0 down'), 'link', 'changed', /link eth0 up in .*: it is down/],
  ['the Pod’s end is renamed', ({ pod }) => (pod.ip('link set eth0 down'), pod.ip('link set eth0 name x')), 'link', 'missing', /missing/],
  ['an address is deleted', ({ pod }) => pod.ip('addr del 10.9.0.5/32 dev eth0'), 'address', 'missing', /address 10\.9\.0\.5\/32 dev eth0/],
  [
    'an address has another length',
    ({ pod }) => (pod.ip('addr add 10.9.0.5/24 dev eth0'), pod.ip('addr del 10.9.0.5/32 dev eth0')),
    'address',
    'missing',
    /address 10\.9\.0\.5\/32/,
  ],
  [
    'a route is deleted',
    ({ host }) => host.ip('route del 10.9.0.5'),
    'route',
    'missing',
    /^route 10\.9\.0\.5\/32 dev fp0 table main in host/,
  ],
  [
    'a route is of another protocol',
    ({ host }) => host.ip('route replace 10.9.0.5 dev fp0 proto 99'),
    'route',
    'changed',
    /there is one via link dev fp0 protocol 99 instead/,
  ],
  ['a route leads elsewhere', ({ host }) => host.ip('route replace 10.9.0.5 dev lo proto 114'), 'route', 'changed', /dev lo protocol 114/],
  ['a rule is deleted', ({ host }) => host.ip('rule del to 10.9.0.5'), 'rule', 'missing', /^rule 700: to 10\.9\.0\.5\/32 lookup main/],
  [
    'a rule leads to another table',
    ({ host }) => (host.ip('rule add to 10.9.0.5 pref 700 table 9 proto 114'), host.ip('rule del to 10.9.0.5 table main')),
    'rule',
    'changed',
    /there is one to table 9 protocol 114 instead/,
  ],
  [
    'a rule of another stands before ours',
    ({ host }) => {
      host.ip('rule del to 10.9.0.5');
      host.ip('rule add to 10.9.0.5 pref 700 table 9');
      host.ip('rule add to 10.9.0.5 pref 700 table main proto 114');
    },
    'rule',
    'foreign',
    /one to table 9 .*stands before it/,
  ],
  ['a neighbour is deleted', ({ pod }) => pod.ip('neigh del 169.254.1.1 dev eth0'), 'neighbour', 'missing', /neighbour 169\.254\.1\.1/],
  [
    'a neighbour has another MAC',
    ({ pod }) => pod.ip('neigh replace 169.254.1.1 lladdr 02:00:00:00:00:ff dev eth0 nud permanent'),
    'neighbour',
    'changed',
    /it is 02:00:00:00:00:ff/,
  ],
  ['a sysctl is set', ({ host }) => host.exec('sysctl -w net.ipv4.ip_forward=0'), 'sysctl', 'changed', /it is 0/],
  [
    'a table is deleted',
    ({ host }) => host.exec('nft delete table inet fpt'),
    'nft-table',
    'changed',
    /nft table inet fpt in host: missing/,
  ],
  [
    'a table is of another version',
    ({ host }) => host.exec('nft delete table inet fpt; nft add table inet fpt { comment other \\; }'),
    'nft-table',
    'changed',
    /of another version/,
  ],
];

for (const [what, damage, kind, as, words] of damages)
  test(`${what}: compare says ${as}, in which object, and changes nothing`, () => {
    using node = openNode();
    const plan = planFor(node.pod.path);
    node.kernel.apply(plan);
    damage(node);
    const before = [shownIn(node.host), shownIn(node.pod)];
    const differences = node.kernel.compare(plan);
    const found = differences.find(({ object }) => object.kind === kind);
    assert.ok(found, `nothing about the ${kind}: ${differences.map(sayDifference).join('; ')}`);
    assert.equal(found.kind, as, sayDifference(found));
    assert.match(sayDifference(found), words);
    assert.deepEqual([shownIn(node.host), shownIn(node.pod)], before);
  });

test('only what was damaged differs, and applying just that puts it right', () => {
  using node = openNode();
  const plan = planFor(node.pod.path);
  node.kernel.apply(plan);
  node.host.ip('rule del from 10.9.0.5');
  node.pod.ip('neigh del 169.254.1.1 dev eth0');
  const differences = node.kernel.compare(plan);
  assert.deepEqual(
    differences.map(({ object }) => `${object.kind} ${nameOf(object.where)}`),
    ['rule host', `neighbour ${node.pod.path}`],
  );
  node.kernel.apply(differences.map(({ object }) => object));
  assert.deepEqual(node.kernel.compare(plan), []);
});

test('what others have beside ours is no difference', () => {
  using node = openNode();
  const plan = planFor(node.pod.path);
  node.kernel.apply(plan);
  node.host.ip('link add other type bridge');
  node.host.ip('rule add to 10.9.0.6 pref 700 table main');
  node.host.exec('nft add table inet other');
  node.pod.ip('addr add 10.9.0.7/32 dev eth0');
  node.pod.ip('route add 10.5.0.0/16 via 169.254.1.1 dev eth0 onlink');
  assert.deepEqual(node.kernel.compare(plan), []);
});

test('many plans are answered in their order: differences for each, and a Failure where a namespace is gone', () => {
  using node = openNode();
  using other = openNode();
  const plan = planFor(node.pod.path);
  node.kernel.apply(plan);
  node.host.ip('rule del to 10.9.0.5');
  const rest = [objectOf(planFor(other.pod.path), 'link')];
  const lost = [objectOf(planFor('/run/netns/fpt-nosuch'), 'link')];
  const [first, missing, third, last] = node.kernel.compareAll([plan, lost, rest, []]);
  assert.deepEqual(Array.isArray(first) && first.map(sayDifference), ['rule 700: to 10.9.0.5/32 lookup main in host: missing']);
  assert.ok(isFailure(missing, 'netnsMissing'));
  assert.deepEqual(Array.isArray(third) && third.map(({ kind }) => kind), ['missing']);
  assert.deepEqual(last, []);
});

test('a plan whose namespace is gone cannot be compared, and says which', () => {
  using node = openNode();
  const plan = planFor(node.pod.path);
  node.kernel.apply(plan);
  deleteNetns(node.pod.name);
  assert.throws(() => node.kernel.compare(plan), { kind: 'netnsMissing', message: new RegExp(node.pod.path) });
});
