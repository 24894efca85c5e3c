/** libcni's own client, current version: every config version with every reference plugin behind ours, capabilities, two networks, GC, a dead agent. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { type CniVersion, cniVersions, isAtLeast } from '../../src/cni/versions.ts';
import { deleteNetns, NAMED } from '../../src/kernel/netns.ts';
import { eventually, type TestLab, testLab, type TestNode } from '../life/lab.ts';
import { cnitoolOn } from './cnitool.ts';

/** A node with an agent, and a plain VM. */
const build = (): Promise<TestLab> =>
  testLab({
    plan: {
      subnets: { a: { cidr4: '10.20.0.0/24', cidr6: '2001:db8:20::/64' } },
      machines: { n1: { subnet: 'a' }, vm: { subnet: 'a' } },
    },
    agents: { n1: { subnet: 'a', pods: 'families: [4, 6], warm: {spare: 6}', node: 'cooldown_s: 0' } },
  });

const inside = (netns: string, ...command: string[]): string =>
  execFileSync('nsenter', [`--net=${netns}`, ...command], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** What plugins may leave on a node: links, qdiscs, routes, rules, iptables and nft rules. */
function stateOf({ netns }: TestNode): string[] {
  const links = JSON.parse(inside(netns, 'ip', '-j', 'link')) as { ifname: string }[];
  const texts = [
    ['tc', 'qdisc', 'show'],
    ['ip', 'rule'],
    ['ip', '-6', 'rule'],
    ['ip', 'route', 'show', 'table', 'all'],
    ['nft', 'list', 'ruleset'],
  ]
    .flatMap((command) => inside(netns, ...command).split('\n'))
    .map((line) => line.replace(/counter packets \d+ bytes \d+ /, '').trim())
    // The kernel adds them when an interface of the machine has made sure that nobody else has its link-local address.
    .filter((line) => !/^(local|anycast) fe80:/.test(line));
  return [...links.map(({ ifname }) => ifname), ...texts].toSorted();
}

/** With all capabilities that libcni can be made to send, also to us. */
const ours = { type: 'flatpod', capabilities: { ips: true, mac: true, portMappings: true, bandwidth: true } };
const chained: readonly { readonly since: CniVersion; readonly plugin: Readonly<Record<string, unknown>> }[] = [
  { since: '0.1.0', plugin: { type: 'portmap', capabilities: { portMappings: true } } },
  { since: '0.1.0', plugin: { type: 'tuning', sysctl: { 'net.core.somaxconn': '500' } } },
  { since: '0.3.0', plugin: { type: 'bandwidth', capabilities: { bandwidth: true } } },
  { since: '0.4.0', plugin: { type: 'firewall' } },
];
const CAP_ARGS = JSON.stringify({
  portMappings: [{ hostPort: 8080, containerPort: 8080, protocol: 'tcp' }],
  bandwidth: { ingressRate: 8_000_000, ingressBurst: 800_000, egressRate: 16_000_000, egressBurst: 800_000 },
});

/** The network `net` of that version with all reference plugins that know it; those keep their notes in the node's folder. */
function listOf(version: CniVersion, node: TestNode): Readonly<Record<string, unknown>> {
  const rest = chained
    .filter(({ since }) => isAtLeast(version, since))
    .map(({ plugin }) => ({ ...plugin, dataDir: join(node.dir, 'notes') }));
  return { cniVersion: version, plugins: [ours, ...rest] };
}

/** What of a result these tests look at. */
interface Result {
  readonly cniVersion: string;
  readonly interfaces?: readonly { readonly name: string; readonly mac: string; readonly sandbox?: string }[];
  readonly ips?: readonly { readonly address: string; readonly interface: number }[];
  readonly ip4?: { readonly ip: string };
}
const resultIn = (stdout: string): Result => JSON.parse(stdout) as Result;
const addressOf = ({ ips, ip4 }: Result): string => (ips?.[0]?.address ?? ip4?.ip ?? '').split('/')[0] ?? '';

/** sbr takes an interface's routes out of the main table, so it is for interfaces beside one that leads out. */
const second = { CNI_IFNAME: 'net1' };

test('in every version, with all reference plugins behind us: packets flow, CHECK holds, DEL leaves nothing', async (t) => {
  await using lab = await build();
  const [node, vm] = [lab.node(0), machineOf(lab.lab, 'vm')];
  const tool = cnitoolOn(node);
  // portmap and firewall keep their common chains for good: the state to come back to is that after a first Pod.
  const first = node.container();
  tool.network('net', listOf('1.1.0', node));
  for (const verb of ['add', 'del'] as const) await tool.ok(verb, 'net', first.netns, { CAP_ARGS });
  const before = stateOf(node);

  for (const version of cniVersions) {
    await t.test(version, async () => {
      tool.network('net', listOf(version, node));
      tool.network('second', { cniVersion: version, plugins: [ours, { type: 'sbr' }] });
      const pod = node.container();
      const result = resultIn(await tool.ok('add', 'net', pod.netns, { CAP_ARGS }));
      const [address, hostEnd = ''] = [addressOf(result), ...(result.interfaces ?? []).map(({ name }) => name)];
      assert.equal(result.cniVersion, version);
      assert.equal(await lab.seenFrom(pod.netns, vm.addresses[0] ?? '', vm.netns), address, 'Pod to VM');
      assert.equal(await lab.seenFrom(vm.netns, address, pod.netns), vm.addresses[0], 'VM to Pod');
      assert.equal(await lab.seenFrom(vm.netns, node.address, pod.netns), vm.addresses[0], 'VM to the port of the node');
      const beside = addressOf(resultIn(await tool.ok('add', 'second', pod.netns, second)));
      assert.equal(await lab.seenFrom(vm.netns, beside, pod.netns), vm.addresses[0], 'VM to the second interface');
      assert.match(inside(pod.netns, 'ip', 'rule'), new RegExp(`from ${beside} lookup 100`), 'sbr');
      assert.equal(inside(pod.netns, 'sysctl', '-n', 'net.core.somaxconn'), '500\n', 'tuning');
      if (isAtLeast(version, '0.3.0')) {
        assert.match(inside(node.netns, 'tc', 'qdisc', 'show', 'dev', hostEnd), /tbf .*rate 8Mbit/, 'bandwidth');
        // The plugins after us hand our part on.
        assert.deepEqual(
          result.interfaces?.map(({ name, sandbox }) => [name.startsWith('bwp') ? 'bwp' : name, sandbox]),
          [
            [hostEnd, undefined],
            ['eth0', pod.netns],
            ['bwp', undefined],
          ],
        );
      }
      if (isAtLeast(version, '0.4.0')) {
        assert.equal(await tool.ok('check', 'net', pod.netns, { CAP_ARGS }), '');
        assert.equal(await tool.ok('check', 'second', pod.netns, second), '');
      }
      assert.equal(await tool.ok('status', 'net', pod.netns), '');
      assert.equal(tool.cached().length, 2);
      assert.equal(await tool.ok('del', 'second', pod.netns, second), '');
      assert.equal(await tool.ok('del', 'net', pod.netns, { CAP_ARGS }), '');
      assert.equal(await tool.ok('del', 'net', pod.netns, { CAP_ARGS }), '', 'once more');
      assert.deepEqual(stateOf(node), before);
      assert.doesNotMatch(inside(pod.netns, 'ip', 'link'), /eth0|net1/);
      assert.deepEqual(tool.cached(), []);
    });
  }
  assert.deepEqual((await node.report()).pods, []);
});

test('addresses and a MAC are given as asked for, by capability and by CNI_ARGS; one that is not ours is refused in words', async () => {
  await using lab = await build();
  const node = lab.node(0);
  const tool = cnitoolOn(node);
  tool.network('net', { cniVersion: '1.1.0', plugins: [ours] });
  const [pod, other] = [node.container(), node.container()];
  // Which addresses the node holds is told by a Pod that had one: without a rest it is free at once.
  const held = addressOf(resultIn(await tool.ok('add', 'net', pod.netns)));
  await tool.ok('del', 'net', pod.netns);
  const asked = [
    { CAP_ARGS: JSON.stringify({ ips: [`${held}/24`], mac: '02:00:00:00:00:77' }) },
    { CNI_ARGS: `IgnoreUnknown=1;COLOUR=red;IP=${held};MAC=02:00:00:00:00:77` },
  ];
  for (const env of asked) {
    const result = resultIn(await tool.ok('add', 'net', pod.netns, env));
    assert.deepEqual([addressOf(result), result.interfaces?.[1]?.mac], [held, '02:00:00:00:00:77']);
    assert.match(inside(pod.netns, 'ip', 'link', 'show', 'eth0'), /02:00:00:00:00:77/);
    await tool.ok('check', 'net', pod.netns, env);
    const taken = await tool.call('add', 'net', other.netns, { CNI_ARGS: `IP=${held}` });
    assert.match(taken.stderr, new RegExp(`${held} .*\\(FP131\\)`));
    await tool.ok('del', 'net', pod.netns, env);
  }
  const foreign = await tool.call('add', 'net', other.netns, { CNI_ARGS: 'IP=192.0.2.7' });
  assert.notEqual(foreign.status, 0);
  assert.match(
    foreign.stderr,
    /plugin type="flatpod" failed \(add\): this node does not hold the address 192\.0\.2\.7 asked for .*\(FP134\); \w/,
  );
});

test('two networks in one Pod: each interface has its address, reaches the VM, is checked and goes by itself', async () => {
  await using lab = await build();
  const [node, vm] = [lab.node(0), machineOf(lab.lab, 'vm')];
  const tool = cnitoolOn(node);
  for (const name of ['one', 'two']) tool.network(name, { cniVersion: '1.1.0', plugins: [ours] });
  const pod = node.container();
  const [one, two] = [
    addressOf(resultIn(await tool.ok('add', 'one', pod.netns))),
    addressOf(resultIn(await tool.ok('add', 'two', pod.netns, second))),
  ];
  assert.notEqual(one, two);
  for (const address of [one, two]) assert.equal(await lab.seenFrom(vm.netns, address, pod.netns), vm.addresses[0], address);
  assert.equal(await lab.seenFrom(pod.netns, vm.addresses[0] ?? '', vm.netns), one, 'the first network leads out');
  await tool.ok('check', 'one', pod.netns);
  await tool.ok('check', 'two', pod.netns, second);
  await tool.ok('del', 'one', pod.netns);
  await tool.ok('check', 'two', pod.netns, second);
  assert.equal(await lab.seenFrom(pod.netns, vm.addresses[0] ?? '', vm.netns), two, 'now the second does');
  await tool.ok('del', 'two', pod.netns, second);
  assert.deepEqual((await node.report()).pods, []);
});

test('behind another plugin our part comes after its own, and the indexes of addresses hold', async () => {
  await using lab = await build();
  const node = lab.node(0);
  const tool = cnitoolOn(node);
  tool.network('net', { cniVersion: '1.0.0', plugins: [{ type: 'loopback' }, ours] });
  const pod = node.container();
  const { interfaces = [], ips = [] } = resultIn(await tool.ok('add', 'net', pod.netns));
  assert.deepEqual(
    ips.map((ip) => interfaces[ip.interface]?.name),
    ['lo', 'lo', 'eth0', 'eth0'],
  );
  await tool.ok('check', 'net', pod.netns);
  await tool.ok('del', 'net', pod.netns);
});

test('gc takes what libcni remembers, and without its memory only what has lost its namespace; other networks are left alone', async () => {
  await using lab = await build();
  const node = lab.node(0);
  const tool = cnitoolOn(node);
  for (const name of ['net', 'other'])
    tool.network(name, { cniVersion: '1.1.0', plugins: [ours, { type: 'tuning', dataDir: join(node.dir, 'notes') }] });
  const pods = async (): Promise<string[]> => (await node.report()).pods.map(({ addresses }) => addresses[0] ?? '').toSorted();
  const [living, dead, foreign] = [node.container(), node.container(), node.container()];
  const kept = addressOf(resultIn(await tool.ok('add', 'net', living.netns)));
  await tool.ok('add', 'net', dead.netns);
  const others = addressOf(resultIn(await tool.ok('add', 'other', foreign.netns)));
  deleteNetns(dead.netns.slice(NAMED.length + 1));
  tool.forget();
  assert.equal(await tool.ok('gc', 'net', living.netns), '');
  assert.deepEqual(await pods(), [kept, others].toSorted(), 'no memory: the dead one alone');

  const [gone, again] = [node.container(), node.container()];
  for (const pod of [gone, again]) await tool.ok('add', 'net', pod.netns);
  deleteNetns(gone.netns.slice(NAMED.length + 1));
  assert.equal(await tool.ok('gc', 'net', living.netns), '');
  assert.deepEqual(await pods(), [kept, others].toSorted(), 'cnitool hands no list over: libcni deletes all that it remembers');
  assert.deepEqual(tool.cached(), []);
  assert.deepEqual((await node.ask<{ differences: string[] }>('check')).differences, []);
});

test('a plugin behind us that fails both ADD and DEL keeps our DEL away; gc frees the address once the namespace is gone', async () => {
  await using lab = await build();
  const node = lab.node(0);
  const tool = cnitoolOn(node);
  tool.network('net', { cniVersion: '0.2.0', plugins: [ours, { type: 'bandwidth' }] });
  const pod = node.container();
  for (const verb of ['add', 'del'] as const) {
    const { status, stderr } = await tool.call(verb, 'net', pod.netns);
    assert.notEqual(status, 0);
    assert.match(stderr, /plugin type="bandwidth" failed .*incompatible CNI versions/);
  }
  const pods = async (): Promise<number> => (await node.report()).pods.length;
  tool.network('net', { cniVersion: '1.1.0', plugins: [ours] });
  await tool.ok('gc', 'net', pod.netns);
  assert.equal(await pods(), 1, 'its namespace lives');
  deleteNetns(pod.netns.slice(NAMED.length + 1));
  await tool.ok('gc', 'net', pod.netns);
  assert.equal(await pods(), 0);
});

test('without an agent add, check, status and gc say what to do, del succeeds, and its release happens when the agent is back', async () => {
  await using lab = await build();
  const node = lab.node(0);
  const tool = cnitoolOn(node);
  tool.network('net', { cniVersion: '1.1.0', plugins: [ours] });
  const pod = node.container();
  await tool.ok('add', 'net', pod.netns);
  await node.kill9();
  for (const [verb, code] of [
    ['add', 113],
    ['check', 113],
    ['status', 114],
  ] as const) {
    const { status, stderr } = await tool.call(verb, 'net', verb === 'add' ? node.container().netns : pod.netns);
    assert.notEqual(status, 0);
    assert.match(stderr, new RegExp(`agent of this node .*\\(FP${code}\\); .*; start the agent on this node`), verb);
  }
  await tool.ok('del', 'net', pod.netns);
  await node.start();
  await eventually('the release of the spool', async () => (await node.report()).pods.length === 0);
  await tool.ok('status', 'net', pod.netns);
});
