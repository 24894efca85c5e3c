/** The verbs of veth-to-host through the real executable: what a runtime may ask, in order and out of it. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { cniVersions, isAtLeast } from '../../src/cni/versions.ts';
import { deleteNetns, NAMED } from '../../src/kernel/netns.ts';
import type { Ending } from '../cni/executable.ts';
import { eventually } from '../life/lab.ts';
import { addBehind, behindMacvlan, errorIn, stateOf, succeeded } from './asked.ts';
import { openLan, type Result, type TestPod } from './lan.ts';
import { onLan, type Place } from './wires.ts';

/** One host; with an agent, or asked one by one. */
const ways = [
  ['an agent', true],
  ['no agent', false],
] as const;

for (const [way, agents] of ways)
  test(`with ${way}: DEL leaves nothing, also twice, without prevResult, without a namespace; the last helper takes along what all share`, async () => {
    await using lan = await openLan({ hosts: 1, agents });
    const host = lan.host(0);
    const before = stateOf(host);
    const pods = [await host.add(11), await host.add(12), await host.add(13), await host.add(14)];
    const [usual, bare, gone, unnamed] = pods as [TestPod, TestPod, TestPod, TestPod]; // four of four
    await host.del(usual);
    await host.del(usual);
    succeeded(await host.call('DEL', 'veth-to-host', bare));
    succeeded(await host.call('DEL', 'veth-to-host', bare));
    assert.match(host.sh('nft list tables'), /flatpod_veth_to_host/, 'the others need it');
    deleteNetns(gone.netns.slice(NAMED.length + 1));
    succeeded(await host.call('DEL', 'veth-to-host', gone, { prevResult: gone.result }));
    succeeded(await host.call('DEL', 'veth-to-host', unnamed, {}, { CNI_NETNS: '' }));
    assert.equal(stateOf(host), before);
    succeeded(await host.call('DEL', 'veth-to-host', host.container(99)));
  });

test('a helper whose record was lost is found by its name', async () => {
  await using lan = await openLan({ hosts: 1, agents: false });
  const host = lan.host(0);
  const before = stateOf(host);
  const pod = await host.add(11);
  rmSync(join(host.dir, 'state'), { recursive: true });
  await host.del(pod);
  // What all share is not known to be of no use to anybody; an agent takes it away when it looks around.
  const after = stateOf(host)
    .replace(/^1021:.*\n/gm, '')
    .replace(/table inet flatpod_veth_to_host \{[^]*?\n\}\n/, '');
  assert.equal(after, before);
});

test('CHECK holds after ADD, names each thing that somebody took away or changed, and holds again after DEL and ADD', async () => {
  await using lan = await openLan({ hosts: 1 });
  const host = lan.host(0);
  const pod = await host.add(11);
  const [, hostEnd = ''] = pod.result.interfaces.map(({ name }) => name);
  assert.equal(await host.check(pod), '');
  // No agent, which would put things right.
  const damages: readonly [place: Place, command: string, words: RegExp][] = [
    [host, `ip rule del iif ${hostEnd} priority 1024`, /rule 1024: iif vthp\w+ lookup 256 in host: missing/],
    [host, `ip rule del iif ${hostEnd} priority 1022`, /rule 1022: to 10\.60\.0\.0\/24 iif vthp\w+ lookup 256 in host: missing/],
    [host, `ip -6 rule del iif ${hostEnd} priority 1023`, /rule 1023: iif vthp\w+ lookup main in host: missing/],
    [host, 'ip rule del priority 1021', /rule 1021: fwmark 0x100\/0x100 lookup main in host: missing/],
    [host, 'ip route flush table 256', /route 0\.0\.0\.0\/0 via 10\.60\.0\.11 dev vthp\w+ table 256 in host: missing/],
    [host, `ip route del 10.60.0.11`, /route 10\.60\.0\.11\/32 dev vthp\w+ table main in host: missing/],
    [host, `ip neigh del 10.60.0.11 dev ${hostEnd}`, /neighbour 10\.60\.0\.11 .* in host: missing/],
    [host, 'nft delete table inet flatpod_veth_to_host', /nft table inet flatpod_veth_to_host in host: missing/],
    [host, 'sysctl -qw net.ipv4.ip_forward=0', /sysctl net\/ipv4\/ip_forward = 1 in host: it is 0/],
    [
      pod,
      'ip route replace default via 10.60.0.254 dev eth0',
      /route 0\.0\.0\.0\/0 via 10\.60\.0\.1 dev veth0 table main in \/run.*: there is one via 10\.60\.0\.254 dev eth0/,
    ],
    [pod, 'ip route del 10.60.0.1 dev veth0', /route 10\.60\.0\.1\/32 dev veth0 table main in .*: missing/],
    [pod, 'ip neigh del 10.60.0.1 dev veth0', /neighbour 10\.60\.0\.1 .* missing/],
    [pod, 'ip rule del priority 512 table 7101', /rule 512: fwmark 0x200\/0xf00 lookup 7101 .*: missing/],
    [pod, 'nft flush ruleset', /nft table inet flatpod_veth_to_host in .*: missing/],
    [pod, 'sysctl -qw net.ipv4.conf.veth0.forwarding=0', /sysctl net\/ipv4\/conf\/veth0\/forwarding = 1 in .*: it is 0/],
    [pod, 'ip link set veth0 down', /link veth0 up in .*: it is down/],
    [host, `ip link del ${hostEnd}`, /veth vthp\w+ with peer veth0 in host: missing/],
  ];
  for (const [place, command, words] of damages) {
    place.sh(command);
    assert.match(await host.check(pod), words, command);
  }
  await host.del(pod);
  await host.addTo(pod);
  assert.equal(await host.check(pod), '');
  assert.match(
    await host.check(pod, { prevResult: { ...pod.result, interfaces: pod.result.interfaces.slice(0, 1) } }),
    /prevResult lacks our interface vthp/,
  );
  const others = { ...pod.result, ips: [{ address: '10.60.0.99/24', interface: 0 }] };
  assert.match(await host.check(pod, { prevResult: others }), /prevResult lacks the address 10\.60\.0\.11/);
  assert.equal(errorIn(await host.call('CHECK', 'veth-to-host', host.container(77), { prevResult: pod.result })).code, 3);
});

test('GC removes what the runtime no longer knows, of its own network alone', async () => {
  await using lan = await openLan({ hosts: 1, agents: true });
  const host = lan.host(0);
  host.cniVersion = '1.1.0';
  host.list = host.list.map((plugin) => ({ ...plugin, cniVersion: plugin['type'] === 'veth-to-host' ? '1.1.0' : '1.0.0' }));
  const [kept, stale] = [await host.add(11), await host.add(12)];
  const gc = (config: Record<string, unknown>): Promise<Ending> => host.call('GC', 'veth-to-host', { container: '', netns: '' }, config);
  const alive = (): number => host.sh('ip -br link').match(/^vth/gm)?.length ?? 0;
  succeeded(await gc({ name: 'another', 'cni.dev/valid-attachments': [] }));
  succeeded(await gc({}));
  assert.equal(alive(), 2);
  succeeded(await gc({ 'cni.dev/valid-attachments': [{ containerID: kept.container, ifname: 'eth0' }] }));
  assert.equal(alive(), 1);
  assert.equal(await host.check(kept), '');
  deleteNetns(kept.netns.slice(NAMED.length + 1));
  succeeded(await gc({}));
  assert.doesNotMatch(stateOf(host), /proto 115|flatpod/);
  await host.del(stale);
});

test('STATUS says whether the host is there', async () => {
  await using lan = await openLan({ hosts: 1, agents: true });
  const host = lan.host(0);
  host.cniVersion = '1.1.0';
  const status = (config: Record<string, unknown> = {}): Promise<Ending> =>
    host.call('STATUS', 'veth-to-host', { container: '', netns: '' }, config);
  succeeded(await status());
  const missing = errorIn(await status({ hostInterface: 'bond7' }));
  assert.deepEqual([missing.code, missing.msg], [50, 'this node has no interface bond7 (FP343)']);
  host.sh('ip addr flush dev eth0');
  assert.match(errorIn(await status()).msg, /^the interface eth0 of this node has no address of IPv4 or IPv6 \(FP344\)$/);
});

test('every version of CNI is answered in its own shape, with both ends after what was there', async () => {
  await using lan = await openLan({ hosts: 1 });
  const host = lan.host(0);
  let number = 10;
  // macvlan of this age speaks 0.3.0 and above as we do; below that it answers in the old shape.
  for (const version of cniVersions.filter((one) => one !== '1.1.0')) {
    host.cniVersion = version;
    const pod = await host.add(++number);
    assert.equal(pod.result.cniVersion, version);
    if (isAtLeast(version, '0.3.0')) {
      assert.deepEqual(
        pod.result.interfaces.map(({ name, sandbox }) => [name.slice(0, 4), sandbox ?? '']),
        [
          ['eth0', pod.netns],
          ['vthp', ''],
          ['veth', pod.netns],
        ],
      );
      assert.deepEqual(
        pod.result.ips.map(({ address }) => address),
        [`${onLan(4, number)}/24`, `${onLan(6, number)}/64`],
      );
    } else assert.match(JSON.stringify(pod.result), new RegExp(`"ip4":\\{"ip":"${onLan(4, number)}/24"`));
    if (isAtLeast(version, '0.4.0')) assert.equal(await host.check(pod), '');
    await host.del(pod);
  }
  assert.match((await host.call('VERSION', 'veth-to-host', { container: '', netns: '' })).stdout, /"supportedVersions":\["0.1.0"/);
});

test('a second ADD is refused, and harms nothing', async () => {
  await using lan = await openLan({ hosts: 1 });
  const host = lan.host(0);
  const pod = await host.add(11);
  const prevResult = { ...pod.result, interfaces: pod.result.interfaces.slice(0, 1) };
  const error = errorIn(await addBehind(host, pod, { prevResult }));
  assert.match(error.msg, /has an interface veth0 from veth-to-host already \(FP345\)/);
  assert.equal(await host.check(pod), '');
});

for (const point of ['add:3 attachment committed', 'add:4 kernel applied'] as const)
  test(`an agent that dies at "${point}" leaves what DEL takes away, with or without an agent, and ADD makes anew`, async () => {
    await using lan = await openLan({ hosts: 1 });
    const { host, pod, prevResult } = await behindMacvlan(lan);
    const before = [stateOf(host), stateOf(pod)];
    const agent = await host.startAgent({ FLATPOD_DIE_AT: point });
    assert.notEqual((await addBehind(host, pod, { prevResult })).status, 0);
    await agent.stop('SIGKILL');
    succeeded(await host.call('DEL', 'veth-to-host', pod));
    assert.equal(stateOf(host), before[0]);
    succeeded(await host.call('DEL', 'macvlan', pod));
    assert.equal(await host.check(await host.addTo(pod)), '');
  });

for (const point of ['del:1 request read', 'del:2 kernel removed', 'del:3 attachment closed'] as const)
  test(`an agent that dies at "${point}" has not kept the next DEL from ending it`, async () => {
    await using lan = await openLan({ hosts: 1 });
    const host = lan.host(0);
    const before = stateOf(host);
    const pod = await host.add(11);
    const agent = await host.startAgent({ FLATPOD_DIE_AT: point });
    await host.call('DEL', 'veth-to-host', pod);
    await agent.stop('SIGKILL');
    await host.del(pod);
    assert.equal(stateOf(host), before);
  });

test('a record that cannot be read is told, and DEL takes its helper away all the same', async () => {
  await using lan = await openLan({ hosts: 1 });
  const host = lan.host(0);
  const before = stateOf(host);
  const pod = await host.add(11);
  const database = new DatabaseSync(join(host.dir, 'state/state.db'));
  database.exec(`UPDATE chained SET interface = '{}'`);
  database.close();
  const error = errorIn(await host.call('CHECK', 'veth-to-host', pod, { prevResult: pod.result }));
  assert.match(error.msg, /record of veth-to-host for .* cannot be read \(FP347\)/);
  await host.del(pod);
  assert.equal(stateOf(host), before);
});

/** Its answer once it is not put off: an agent waits for a second for a process that works on the database (FP156), which the machine may hold up for longer. */
function inTurn(call: () => Promise<Ending>): Promise<Ending> {
  const answered = async (): Promise<Ending | false> => {
    const answer = await call();
    return !answer.stdout.includes('(FP156)') && answer;
  };
  return eventually('it is not put off', answered, 60);
}

/** What all of them gave, once all have ended: a test that fails must not leave calls under way. */
async function all<T>(calls: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(calls);
  return Promise.all(calls);
}

test('ten Pods at once, by an agent and by processes of their own on the same database, are each whole, and gone at once again', async () => {
  await using lan = await openLan({ hosts: 1 });
  const host = lan.host(0);
  const before = stateOf(host);
  const numbers = Array.from({ length: 10 }, (_, i) => 11 + i);
  const agent = await host.startAgent();
  // Half of them look for an agent where none is.
  const alone = { FLATPOD_SOCKET: join(host.dir, 'none.sock') };
  const pods = await all(
    numbers.map(async (number) => {
      const pod = host.container(number);
      const { stdout } = await host.call('ADD', 'macvlan', pod);
      const prevResult = JSON.parse(stdout) as Result;
      const added = await inTurn(() => addBehind(host, pod, { prevResult }, number % 2 === 0 ? alone : {}));
      assert.equal(added.status, 0, added.stdout);
      pod.result = JSON.parse(added.stdout) as Result;
      return pod;
    }),
  );
  for (const pod of pods) assert.equal(await host.check(pod), '');
  const tables = host
    .sh('ip rule')
    .match(/^1024:.*lookup \d+/gm)
    ?.map((line) => line.replace(/.* /, ''));
  assert.deepEqual([new Set(tables).size, tables?.length], [10, 10]);
  await all(pods.map(async (pod, i) => succeeded(await inTurn(() => host.call('DEL', 'veth-to-host', pod, {}, i % 2 === 0 ? alone : {})))));
  assert.equal(stateOf(host), before);
  assert.doesNotMatch(agent.log(), /repair failed|internal/);
});
