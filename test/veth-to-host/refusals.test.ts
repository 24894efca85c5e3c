/** What veth-to-host cannot use, or must not: refused in plain words with a code of its own, and the Pod is as it was. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { readResult } from '../../src/cni/prev-result.ts';
import { resultJson } from '../../src/cni/result.ts';
import { cniVersions, isAtLeast } from '../../src/cni/versions.ts';
import { eventually } from '../life/lab.ts';
import { addBehind, behindMacvlan, errorIn, stateOf, succeeded } from './asked.ts';
import { openLan, type Result } from './lan.ts';

/** Values of a key that are refused with code 7 and the key's name. */
const wrongValues: Readonly<Record<string, readonly unknown[]>> = {
  hostInterface: [undefined, '', 7, ['eth0'], 'a name that is too long', 'et/h0', 'eth"0', 'eth*', '..'],
  containerInterface: [undefined, '', 7, {}, 'sixteencharacter', 've th', 'veth"', 'vth*', '.', 'eth0'],
  ipMasq: ['yes', 1, 'true', []],
  mtu: [-1, 100, 575, 70_000, 1500.5, '1500', 1000],
  routeTableStart: [0, 10, 255, -1, 2 ** 32, 256.5, '300'],
  viaHost: ['10.96.0.0/12', {}, [7], ['10.96.0.0/40'], ['10.96.0.0'], ['nowhere/8'], ['10.96.0.0/12', null]],
  nodePorts: ['1-2', '2:1', '0:5', '1:70000', 30_000],
  nodePortMark: [0, -1, 2 ** 32, '0x2000'],
};
/** Slips of the pen: code 2. */
const slips = [
  'host-interface',
  'hostinterface',
  'HostInterface',
  'containerIntrface',
  'ipmasq',
  'ip_masq',
  'routeTablestart',
  'viahost',
  'nodePort',
];

for (const agents of [true, false])
  test(`${agents ? 'with' : 'without'} an agent: every key with a value that it cannot have is refused by its name, slips too`, async () => {
    await using lan = await openLan({ hosts: 1, agents });
    const { host, pod, prevResult } = await behindMacvlan(lan);
    const before = [stateOf(host), stateOf(pod)];
    // Without an agent each costs a process.
    for (const [key, values] of Object.entries(wrongValues))
      for (const value of agents ? values : values.slice(0, 2)) {
        const answer = await addBehind(host, pod, { prevResult, [key]: value });
        assert.notEqual(answer.status, 0, `${key} ${JSON.stringify(value)} is taken`);
        const error = errorIn(answer);
        assert.equal(error.code, 7, `${key} ${JSON.stringify(value)}: ${JSON.stringify(error)}`);
        assert.match(error.msg, new RegExp(`^${key}(\\[\\d\\])? of the network configuration cannot be used \\(FP\\d+\\)$`), key);
      }
    for (const slip of agents ? slips : slips.slice(0, 2)) {
      const answer = await addBehind(host, pod, { prevResult, [slip]: 'eth0' });
      assert.notEqual(answer.status, 0, `${slip} is taken`);
      const error = errorIn(answer);
      assert.equal(error.code, 2, slip);
      assert.ok(error.msg.includes(slip), error.msg);
    }
    assert.deepEqual([stateOf(host), stateOf(pod)], before);
    // The same keys with values that they may have, and what is nobody's.
    const good = {
      ipMasq: true,
      mtu: 0,
      routeTableStart: 1000,
      viaHost: [],
      nodePorts: '30000:32767',
      nodePortMark: 8192,
      'x-comment': 'ours',
    };
    assert.equal((await addBehind(host, pod, { prevResult, ...good })).status, 0);
  });

test('prevResult in the shape of any version, with any version asked for, is read, and passed on in the shape of the version asked for', async () => {
  await using lan = await openLan({ hosts: 1, agents: true });
  const { host, pod, prevResult } = await behindMacvlan(lan);
  const full = readResult(prevResult, 'prevResult', '1.0.0');
  const versions = cniVersions.filter((version) => version !== '0.1.0');
  for (const said of versions)
    for (const asked of versions) {
      const before = JSON.parse(resultJson(full, said)) as object;
      const { status, stdout } = await addBehind(host, pod, { cniVersion: asked, prevResult: before });
      assert.equal(status, 0, `${said} for ${asked}: ${stdout}`);
      const { cniVersion, interfaces = [], ...rest } = JSON.parse(stdout) as Partial<Result>;
      assert.equal(cniVersion, asked);
      assert.match(JSON.stringify(rest), /10\.60\.0\.11\/24.*2001:db8:60::11\/64/);
      if (isAtLeast(asked, '0.3.0'))
        assert.deepEqual(
          interfaces.slice(-2).map(({ name }) => name.slice(0, 4)),
          ['vthp', 'veth'],
        );
      succeeded(await host.call('DEL', 'veth-to-host', pod, { cniVersion: asked, prevResult: JSON.parse(stdout) as object }));
    }
});

test('DEL goes on whatever else is wrong with its configuration', async () => {
  await using lan = await openLan({ hosts: 1, agents: true });
  const host = lan.host(0);
  const before = stateOf(host);
  const nonsense: readonly Record<string, unknown>[] = [
    { prevResult: 'yes' },
    { prevResult: { cniVersion: '9.0.0' } },
    { hostInterface: 7 },
    { hostInterface: 'bond7' },
    { containerInterface: 7 },
    { containerIntrface: 'x', mtu: -1 },
  ];
  for (const config of nonsense) {
    const pod = await host.add(11);
    succeeded(await host.call('DEL', 'veth-to-host', pod, config));
    assert.equal(stateOf(host), before, JSON.stringify(config));
    await host.del(pod);
  }
});

test('what cannot be used is refused in plain words, and leaves the Pod as it was', async () => {
  await using lan = await openLan({ hosts: 1, agents: true });
  const { host, pod, prevResult } = await behindMacvlan(lan);
  const before = [stateOf(host), stateOf(pod)];
  const [noIps, elsewhere] = [
    { ...prevResult, ips: [] },
    { ...prevResult, ips: [{ address: '10.60.0.99/24', interface: 0 }] },
  ];
  const refusals: readonly [what: string, config: Record<string, unknown>, code: number, words: RegExp][] = [
    ['first in its list', {}, 7, /must be chained.*FP340/],
    ['no address before it', { prevResult: noIps }, 7, /gave eth0 no address \(FP341\)/],
    ['an address that is not there', { prevResult: elsewhere }, 342, /eth0 in .* has no address 10\.60\.0\.99 \(FP342\)/],
    ['prevResult is no object', { prevResult: 'yes' }, 7, /prevResult of the network configuration cannot be used \(FP108\)/],
    [
      'prevResult with nonsense in it',
      { prevResult: { ...prevResult, ips: [{ address: 'x' }] } },
      7,
      /prevResult\.ips\[0\]\.address .*FP108/,
    ],
    [
      'an index out of range',
      { prevResult: { ...prevResult, ips: [{ address: '10.60.0.11/24', interface: 9 }] } },
      7,
      /prevResult\.ips\[0\]\.interface/,
    ],
    ['prevResult of a version to come', { prevResult: { ...prevResult, cniVersion: '9.0.0' } }, 1, /CNI version 9\.0\.0 is not supported/],
    ['hostInterface missing', { prevResult, hostInterface: undefined }, 7, /hostInterface of the network configuration cannot be used/],
    ['hostInterface that is not there', { prevResult, hostInterface: 'bond7' }, 50, /no interface bond7 \(FP343\)/],
    [
      'hostInterface without an address',
      { prevResult, hostInterface: 'lo' },
      50,
      /lo of this node has no address of IPv4 or IPv6 \(FP344\)/,
    ],
    ['a slip', { prevResult, containerIntrface: 'veth1' }, 2, /unknown key \\?"containerIntrface\\?"/],
    ['ipMasq that is no truth value', { prevResult, ipMasq: 'yes' }, 7, /ipMasq/],
    ['the same name twice', { prevResult, containerInterface: 'eth0' }, 7, /containerInterface/],
    ['an MTU too small for IPv6', { prevResult, mtu: 1000 }, 7, /mtu/],
    ['a table of the kernel', { prevResult, routeTableStart: 10 }, 7, /routeTableStart/],
    ['a range of ports that is none', { prevResult, nodePorts: '1-2' }, 7, /nodePorts/],
    ['a destination that is none', { prevResult, viaHost: ['10.96.0.0/40'] }, 7, /viaHost\[0\]/],
  ];
  for (const [what, config, code, words] of refusals) {
    const error = errorIn(await addBehind(host, pod, config));
    assert.equal(error.code, code, what + JSON.stringify(error));
    assert.match(error.msg, words, what);
  }
  assert.equal(errorIn(await addBehind(host, pod, { prevResult }, { CNI_NETNS: '/run/netns/nowhere' })).code, 8);
  assert.equal(errorIn(await addBehind(host, pod, { prevResult }, { CNI_NETNS: host.netns })).code, 8);
  assert.deepEqual([stateOf(host), stateOf(pod)], before);
});

test('an interface name that is taken in the Pod is refused, and the Pod keeps its way out', async () => {
  await using lan = await openLan({ hosts: 1, agents: true });
  const { host, pod, prevResult } = await behindMacvlan(lan);
  pod.sh('ip link add veth0 type bridge');
  const before = [stateOf(host), stateOf(pod)];
  const error = errorIn(await addBehind(host, pod, { prevResult }));
  assert.match(error.msg, /there is a link veth0 in .* already \(FP147\)/);
  assert.deepEqual([stateOf(host), stateOf(pod)], before);
});

test('what the kernel refuses half-way is told, the Pod keeps its way out, and DEL takes away what was left', async (t) => {
  await using lan = await openLan({ hosts: 1, agents: true });
  const { host, pod, prevResult } = await behindMacvlan(lan);
  const before = [stateOf(host), stateOf(pod)];
  // A table that is owned by a process is nobody else's to load or to delete (nft(8), "flags owner").
  const owner = spawn('nsenter', [`--net=${pod.netns}`, 'nft', '-i'], { stdio: ['pipe', 'ignore', 'ignore'] });
  const ended = once(owner, 'exit');
  t.after(() => owner.kill('SIGKILL'));
  owner.stdin.write('add table inet flatpod_veth_to_host { flags owner; }\n');
  await eventually('the table is owned', () => pod.sh('nft list tables').includes('flatpod_veth_to_host'));
  const error = errorIn(await addBehind(host, pod, { prevResult }));
  assert.match(error.msg, /nftables refused the rule set flatpod_veth_to_host \(FP144\)/);
  assert.match(pod.sh('ip route show default'), /via 10\.60\.0\.254 dev eth0/);
  owner.kill('SIGKILL');
  await ended;
  await eventually('the table is gone', () => !pod.sh('nft list tables').includes('flatpod_veth_to_host'));
  succeeded(await host.call('DEL', 'veth-to-host', pod));
  assert.deepEqual([stateOf(host), stateOf(pod)], before);
});
