/** The plan of veth-to-host as a list; the record it is made from, stored and read back; its configuration. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { hostAnswer } from '../../src/agent/veth-to-host/host-addresses.ts';
import { readVethToHostConfig } from '../../src/cni/veth-to-host-config.ts';
import { type ChainedVeth, chainedHostPlan, chainedPlan } from '../../src/datapath/veth-to-host.ts';
import { readChainedVeth } from '../../src/datapath/veth-to-host-stored.ts';
import { isFailure } from '../../src/errors/failure.ts';
import type { Snapshot } from '../../src/kernel/snapshot.ts';
import { describe, nameOf, type Plan } from '../../src/kernel/state.ts';
import { type Ip, parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';
import { type ChainedLink, openChained } from '../../src/store/chained.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { stateDir } from '../store/support.ts';

const veth: ChainedVeth = {
  netns: '/run/netns/p',
  ifname: 'eth0',
  helper: 'veth0',
  mac: parseMac('02:00:00:00:00:02'),
  hostEnd: 'vthp1',
  hostMac: parseMac('02:00:00:00:00:01'),
  mtu: 1500,
  owner: 'flatpod:veth-to-host:c:eth0:veth0',
  addresses: [parseIp('10.60.0.11')],
  hostInterface: 'bond0',
  hostAddresses: [parseIp('10.60.0.1')],
  hostLinks: ['bond0'],
  underlay: [parseCidr('10.60.0.0/24'), parseCidr('10.61.0.0/16')],
  mainRoutes: [
    { dst: parseCidr('10.60.0.0/24'), src: parseIp('10.60.0.11') },
    { dst: parseCidr('10.61.0.0/16'), via: parseIp('10.60.0.253') },
    { dst: parseCidr('0.0.0.0/0'), via: parseIp('10.60.0.254') },
  ],
  isMainSeen: true,
  viaHost: [parseCidr('0.0.0.0/0'), parseCidr('::/0')],
  table: 256,
  rank: 0,
  displaced: [],
};

const words = (plan: Plan): string[] =>
  plan.filter(({ kind }) => kind !== 'sysctl').map((object) => `${nameOf(object.where) === 'host' ? 'host' : 'pod'}: ${describe(object)}`);

test('a Pod with one IPv4 address wants this list, its default route last', () => {
  assert.deepEqual(words(chainedPlan(veth)), [
    'host: veth vthp1 with peer veth0',
    'host: route 10.60.0.11/32 dev vthp1 table main',
    'host: neighbour 10.60.0.11 lladdr 02:00:00:00:00:02 dev vthp1 permanent',
    'host: route 10.61.0.0/16 via 10.60.0.11 dev vthp1 table 256',
    'host: route 0.0.0.0/0 via 10.60.0.11 dev vthp1 table 256',
    'host: rule 1022: to 10.60.0.0/24 iif vthp1 lookup 256',
    'host: rule 1022: to 10.61.0.0/16 iif vthp1 lookup 256',
    'host: rule 1023: iif vthp1 lookup main',
    'host: rule 1024: iif vthp1 lookup 256',
    'pod: link veth0 up',
    'pod: route 10.60.0.1/32 dev veth0 table main',
    'pod: neighbour 10.60.0.1 lladdr 02:00:00:00:00:01 dev veth0 permanent',
    'pod: route 10.60.0.0/24 dev eth0 table 7101',
    'pod: route 10.61.0.0/16 via 10.60.0.253 dev eth0 table 7101',
    'pod: route 0.0.0.0/0 via 10.60.0.254 dev eth0 table 7101',
    'pod: rule 512: fwmark 0x200/0xf00 lookup 7101',
    'pod: rule 513: from 169.254.111.1/32 iif veth0 lookup 7101',
    'pod: route 0.0.0.0/0 via 10.60.0.1 dev veth0 table 7100',
    'pod: rule 512: fwmark 0x100/0xf00 lookup 7100',
    'pod: nft table inet flatpod_veth_to_host',
    'pod: route 0.0.0.0/0 via 10.60.0.1 dev veth0 table main',
  ]);
  assert.deepEqual(words(chainedHostPlan([4])), [
    'host: rule 1021: fwmark 0x100/0x100 lookup main',
    'host: nft table inet flatpod_veth_to_host',
  ]);
});

test('a family of which the host has no address is left to the main interface', () => {
  const dual = {
    ...veth,
    addresses: [...veth.addresses, parseIp('2001:db8::11')],
    underlay: [...veth.underlay, parseCidr('2001:db8::/64')],
  };
  assert.deepEqual(words(chainedPlan(dual)), words(chainedPlan(veth)));
  const both = words(chainedPlan({ ...dual, hostAddresses: [...veth.hostAddresses, parseIp('2001:db8::1')] }));
  assert.equal(both.filter((line) => line.includes('::')).length, 9, both.join('\n'));
});

test('with viaHost the default route stays, and the way back to the host is there all the same', () => {
  const plan = words(chainedPlan({ ...veth, viaHost: [parseCidr('10.96.0.0/12')] }));
  assert.deepEqual(plan.slice(-2), [
    'pod: route 10.96.0.0/12 via 10.60.0.1 dev veth0 table main',
    'pod: route 169.254.111.1/32 via 10.60.0.1 dev veth0 table main',
  ]);
});

test('a second helper of a Pod goes behind the first, with tables, marks and rules of its own', () => {
  const [first, second] = [
    chainedPlan(veth),
    chainedPlan({ ...veth, helper: 'veth1', hostEnd: 'vthp2', ifname: 'net1', rank: 1, table: 257 }),
  ];
  const shared = words(second).filter((line) => words(first).includes(line));
  assert.deepEqual(shared, []);
  assert.ok(words(second).includes('pod: route 0.0.0.0/0 via 10.60.0.1 dev veth1 table main metric 1'));
  assert.ok(words(second).includes('pod: rule 512: fwmark 0x400/0xf00 lookup 7103'));
});

test('a Pod keeps back what belongs to no connection, unless there is an interface whose packets it does not see', () => {
  const dropped = (of: ChainedVeth): boolean =>
    chainedPlan(of).some((object) => object.kind === 'nft-table' && object.text.includes('oifname "veth0" ct state invalid drop'));
  assert.deepEqual([dropped(veth), dropped({ ...veth, isMainSeen: false })], [true, false]);
});

test('a record is read back as it was written, and one that lacks a field is refused by the field’s name', () => {
  const full = { ...veth, displaced: [{ address: parseIp('10.60.0.11'), link: 'veth9' }] };
  assert.deepEqual(readChainedVeth(JSON.parse(JSON.stringify(full))), full);
  const { isMainSeen: _, ...former } = full;
  assert.deepEqual(readChainedVeth(former), full, 'as it was before there was isMainSeen');
  for (const field of Object.keys(former)) {
    const { [field]: gone, ...rest } = JSON.parse(JSON.stringify(full)) as Record<string, unknown>;
    assert.notEqual(gone, undefined);
    assert.throws(() => readChainedVeth(rest), new RegExp(field), field);
  }
});

test('records are those of their plugin; a change that fails leaves them as they were', () => {
  using dir = stateDir();
  using database = openDatabase(dir.path);
  const [ours, others] = [openChained(database, 'veth-to-host', readChainedVeth), openChained(database, 'another', readChainedVeth)];
  const link: ChainedLink<ChainedVeth> = {
    container: 'c',
    ifname: 'eth0',
    name: 'veth0',
    network: 'office',
    state: 'there',
    created_ms: 1,
    interface: veth,
  };
  ours.change((records) => {
    records.put(link);
    records.put({ ...link, name: 'veth1' });
  });
  assert.deepEqual([ours.list().length, ours.names('c', 'eth0'), others.list(), ours.of('c', 'net1')], [2, ['veth0', 'veth1'], [], []]);
  assert.throws(() =>
    ours.change((records) => {
      records.remove(link);
      throw new Error('no');
    }),
  );
  assert.equal(ours.list().length, 2);
  database.exec(`UPDATE chained SET interface = '{"netns":1}' WHERE name = 'veth0'`);
  assert.throws(
    () => ours.list(),
    (error) => isFailure(error, 'helperUnreadable') && error.details.includes('netns is no text'),
  );
  ours.change((records) => records.remove(link));
  assert.deepEqual(ours.list(), [{ ...link, name: 'veth1' }]);
});

const config = { type: 'veth-to-host', hostInterface: 'eth0', containerInterface: 'veth0' };

test('the keys of the published plugin and of its ancestor are read; those without effect are named', () => {
  const read = readVethToHostConfig(
    {
      ...config,
      ipMasq: true,
      mtu: 1400,
      routeTableStart: 500,
      nodePorts: '30000:32767',
      nodePortMark: 8192,
      viaHost: ['10.96.0.7/12'],
      remark: 'x',
    },
    'office',
  );
  assert.deepEqual(read, {
    name: 'office',
    hostInterface: 'eth0',
    containerInterface: 'veth0',
    ipMasq: true,
    mtu: 1400,
    routeTableStart: 500,
    viaHost: ['10.96.0.0/12'],
    ignored: ['remark', 'nodePorts', 'nodePortMark'],
  });
  assert.deepEqual(readVethToHostConfig(config, 'office'), {
    ...read,
    ipMasq: false,
    mtu: undefined,
    routeTableStart: 256,
    viaHost: undefined,
    ignored: [],
  });
});

test('names that nftables would take for something else are refused', () => {
  for (const containerInterface of ['veth*', 'a"b', 'a\\b'])
    assert.throws(
      () => readVethToHostConfig({ ...config, containerInterface }, 'office'),
      (error) => isFailure(error, 'configInvalid'),
      containerInterface,
    );
});

/** A host with these addresses on links by index. */
const hostWith = (addresses: readonly { readonly link: number; readonly address: Ip }[]): Snapshot => {
  const links = ['lo', 'bond0', 'eth1'].map((name, i) => ({
    index: i + 1,
    name,
    mac: undefined,
    mtu: 1500,
    up: true,
    kind: undefined,
    alias: undefined,
    master: undefined,
    peer: undefined,
  }));
  return {
    links: new Map(links.map((link) => [link.name, link])),
    linkNames: new Map(links.map((link) => [link.index, link.name])),
    addresses: addresses.map((one) => ({ ...one, length: 24 })),
    routes: new Map(),
    rules: new Map(),
    neighbours: new Map(),
    proxies: new Set(),
  };
};

test('whatever addresses come and go: the gateway stays while it is there, none is told twice, and a family that is away for a moment is kept', () => {
  const address = fc.record({ link: fc.integer({ min: 1, max: 3 }), last: fc.integer({ min: 1, max: 6 }), six: fc.boolean() });
  const state = fc
    .array(address, { maxLength: 8 })
    .map((all) => all.map(({ link, last, six }) => ({ link, address: parseIp(six ? `2001:db8::${last}` : `10.60.0.${last}`) })));
  fc.assert(
    fc.property(fc.array(state, { minLength: 1, maxLength: 6 }), (states) => {
      let now = { hostAddresses: [] as readonly Ip[], hostLinks: [] as readonly string[] };
      for (const addresses of states) {
        const before = now;
        now = hostAnswer({ ...veth, ...before }, hostWith(addresses));
        assert.equal(new Set(now.hostAddresses).size, now.hostAddresses.length);
        for (const six of [false, true]) {
          const of = (ips: readonly Ip[]): readonly Ip[] => ips.filter((ip) => ip.includes(':') === six);
          const own = of(addresses.flatMap((one) => (one.link === 2 ? [one.address] : [])));
          const [first] = of(before.hostAddresses);
          if (own.length === 0) assert.deepEqual(of(now.hostAddresses), of(before.hostAddresses));
          else if (first !== undefined && own.includes(first)) assert.equal(of(now.hostAddresses)[0], first);
          assert.deepEqual(
            [...new Set(own)].filter((ip) => !now.hostAddresses.includes(ip)),
            [],
          );
        }
        assert.deepEqual([...now.hostLinks], [...now.hostLinks].toSorted());
      }
    }),
  );
});
