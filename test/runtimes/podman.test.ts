/** podman with its CNI backend as the client: what containers get, what they reach, and what is left when everything was killed. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { openNetns } from '../../src/kernel/netns.ts';
import { listenIn } from '../../src/kernel/sockets.ts';
import { eventually } from '../life/lab.ts';
import { type RuntimeLab, runtimeLab, type RuntimeNode } from './node.ts';
import { type Podman, podmanOn } from './podman.ts';

/** A node for podman, another that only has Pods, and a plain VM. */
const build = (node = ''): Promise<RuntimeLab> =>
  runtimeLab({
    plan: {
      subnets: { a: { cidr4: '10.20.0.0/24', cidr6: '2001:db8:20::/64' } },
      machines: { n1: { subnet: 'a' }, n2: { subnet: 'a' }, vm: { subnet: 'a' } },
    },
    agents: { n1: { subnet: 'a', node: `cooldown_s: 0${node}`, pods: 'families: [4, 6]' }, n2: { subnet: 'a' } },
    plain: ['n2'],
  });

/** With all that podman can be made to send, in its spelling, also to us. */
const ours = { type: 'flatpod', capabilities: { ips: true, mac: true, aliases: true, portMappings: true, dns: true } };
const portmap = { type: 'portmap', capabilities: { portMappings: true } };

/** Nothing of a container is left: not in podman, not in the node, not in the agent. */
async function assertClean(on: RuntimeNode, podman: Podman): Promise<void> {
  assert.equal(await podman.ok('ps', '-a', '-q'), '');
  // podman leaves cgroups: its monitors' always, a container's when that lost its monitor.
  const left = (): string[] => on.leftovers().filter((path) => !path.startsWith('/sys/fs/cgroup/'));
  await eventually('nothing is left', () => (assert.deepEqual(left(), []), true));
  assert.deepEqual((await on.node.report()).pods, []);
  assert.deepEqual((await on.node.ask<{ differences: string[] }>('check')).differences, []);
  const rules = execFileSync('nsenter', [`--net=${on.node.netns}`, 'nft', 'list', 'ruleset'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  assert.doesNotMatch(rules, /CNI-DN-/);
}

test('a container has the VPC address that inspect shows, reaches another node and the VM, and a port of the node leads to it', async () => {
  await using built = await build();
  const [on, other, vm] = [built.node(0), built.lab.node(1), machineOf(built.lab.lab, 'vm')];
  const podman = await podmanOn(on);
  podman.network('net', [ours, portmap]);
  const far = other.container();
  const [farAddress = ''] = await other.add(far);
  const started = await podman.run('web', '--network', 'net', '-p', '8080:8080');
  assert.equal(started.status, 0, started.stderr);
  const { NetworkSettings: shown } = await podman.inspect('web');
  const { IPAddress: address = '', IPPrefixLen, Gateway, GlobalIPv6Address, MacAddress } = shown.Networks['net'] ?? {};
  const [pod] = (await on.node.report()).pods;
  assert.deepEqual([pod?.pod, pod?.addresses], ['web', [address, GlobalIPv6Address]]);
  assert.deepEqual([IPPrefixLen, Gateway], [32, '169.254.1.1']);
  assert.match(await podman.ok('exec', 'web', 'ip', 'addr', 'show', 'eth0'), new RegExp(`${MacAddress}[^]*${address}/32`));

  const netns = await podman.netns('web');
  for (const to of [farAddress, vm.addresses[0] ?? '']) await podman.ok('exec', 'web', 'ping', '-c', '1', '-W', '20', to);
  using there = openNetns(far.netns);
  const server = await listenIn(there, 8080);
  try {
    assert.equal(
      await podman.ok('exec', 'web', 'timeout', '20', 'nc', farAddress, '8080'),
      `${address}\n`,
      'the other node sees the container',
    );
  } finally {
    server.close();
  }
  assert.equal(await built.lab.seenFrom(vm.netns, address, netns), vm.addresses[0], 'VM to container');
  assert.equal(await built.lab.seenFrom(vm.netns, on.node.address, netns), vm.addresses[0], 'VM to the port of the node');
  await podman.ok('restart', '-t', '0', 'web');
  const again = (await podman.inspect('web')).NetworkSettings.Networks['net']?.IPAddress ?? '';
  assert.equal(await built.lab.seenFrom(vm.netns, again, await podman.netns('web')), vm.addresses[0], 'after a restart');
  await podman.ok('rm', '-f', '-t', '0', 'web');
  await assertClean(on, podman);
});

test('--ip and --mac-address give what they ask for; an address that is taken, or not of this node, is refused in words', async () => {
  await using built = await build();
  const on = built.node(0);
  const podman = await podmanOn(on);
  podman.network('net', [ours]);
  // Which addresses the node holds is told by a container that had one: without a rest it is free at once.
  await podman.run('first', '--network', 'net');
  const held = (await podman.inspect('first')).NetworkSettings.Networks['net']?.IPAddress ?? '';
  await podman.ok('rm', '-f', '-t', '0', 'first');
  const mac = '02:00:00:00:00:55';
  const asked = await podman.run('asked', '--network', 'net', '--ip', held, '--mac-address', mac);
  assert.equal(asked.status, 0, asked.stderr);
  const { IPAddress, MacAddress } = (await podman.inspect('asked')).NetworkSettings.Networks['net'] ?? {};
  assert.deepEqual([IPAddress, MacAddress], [held, mac]);
  const refusals: [string, RegExp][] = [
    [held, new RegExp(`${held} .*\\(FP131\\): `)],
    ['192.0.2.7', /this node does not hold the address 192\.0\.2\.7 asked for by other \(FP134\): .*; ask for an address/],
  ];
  for (const [ip, words] of refusals) {
    const { status, stderr } = await podman.run('other', '--network', 'net', '--ip', ip);
    assert.notEqual(status, 0);
    assert.match(stderr, words);
    await podman.ok('rm', '-f', 'other');
  }
  await podman.ok('rm', '-f', '-t', '0', 'asked');
  await assertClean(on, podman);
});

test('two networks in one container: two of ours, and one of ours beside the reference ptp', async () => {
  await using built = await build();
  const [on, vm] = [built.node(0), machineOf(built.lab.lab, 'vm')];
  const podman = await podmanOn(on);
  const ipam = { type: 'host-local', dataDir: join(on.dir, 'host-local'), ranges: [[{ subnet: '10.99.0.0/24' }]] };
  podman.network('net', [ours]);
  podman.network('second', [ours]);
  podman.network('ptp', [{ type: 'ptp', ipam }]);
  for (const [name, networks] of [
    ['twice', ['net', 'second']],
    ['mixed', ['net', 'ptp']],
  ] as const) {
    const { status, stderr } = await podman.run(name, '--network', networks.join(','));
    assert.equal(status, 0, stderr);
    const shown = (await podman.inspect(name)).NetworkSettings.Networks;
    assert.deepEqual(new Set(Object.keys(shown)), new Set(networks));
    const addresses = networks.map((network) => shown[network]?.IPAddress ?? '');
    const inside = await podman.ok('exec', name, 'ip', 'addr');
    for (const address of addresses) assert.ok(inside.includes(`inet ${address}/`), inside);
    const netns = await podman.netns(name);
    for (const address of addresses.filter((one) => one.startsWith('10.20.'))) {
      assert.equal(await built.lab.seenFrom(vm.netns, address, netns), vm.addresses[0], `${name} ${address}`);
    }
    await podman.ok('rm', '-f', '-t', '0', name);
  }
  await assertClean(on, podman);
});

test('after kill -9 of container, monitor and agent, and with the namespace gone, the sweep releases and the next container runs', async () => {
  await using built = await build(', sweepEvery_s: 1, sweepGrace_s: 1');
  const [on, vm] = [built.node(0), machineOf(built.lab.lab, 'vm')];
  const podman = await podmanOn(on);
  podman.network('net', [ours, portmap]);
  for (const name of ['lost', 'living']) assert.equal((await podman.run(name, '--network', 'net')).status, 0);
  const { State, NetworkSettings } = await podman.inspect('lost');
  await on.node.kill9();
  for (const pid of [State.ConmonPid, State.Pid]) process.kill(pid, 'SIGKILL');
  await on.run(['sh', '-c', 'umount "$0" && rm "$0"', NetworkSettings.SandboxKey]);
  await on.node.start();
  const names = async (): Promise<string[]> => (await on.node.report()).pods.map(({ pod }) => pod);
  await eventually('the sweep', async () => (await names()).join() === 'living', 30);
  assert.match(on.node.log(), /swept .*\/eth0: its namespace \/run\/netns\/netns-[-\w]+ is gone and no DEL came/);
  assert.equal((await podman.run('next', '--network', 'net')).status, 0);
  for (const name of ['living', 'next']) {
    const address = (await podman.inspect(name)).NetworkSettings.Networks['net']?.IPAddress ?? '';
    assert.equal(await built.lab.seenFrom(vm.netns, address, await podman.netns(name)), vm.addresses[0], name);
  }
  await podman.ok('rm', '-f', '-t', '0', 'lost', 'living', 'next');
  await assertClean(on, podman);
});
