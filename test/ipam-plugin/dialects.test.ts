/** ipam sections as users of host-local, static and whereabouts have them, and our own: what is given, and what is refused with which words. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Asking, openBooks } from './books.ts';

interface Given {
  readonly ipam: object;
  readonly addresses: readonly string[];
  readonly asking?: Asking;
  readonly more?: object;
}

const given: Record<string, Given> = {
  'host-local, a set for each family': {
    ipam: { type: 'host-local', ranges: [[{ subnet: '10.1.2.0/24' }], [{ subnet: '2001:db8:1::/64' }]] },
    addresses: ['10.1.2.2/24', '2001:db8:1::2/64'],
  },
  'host-local, the older way, with type changed': {
    ipam: { type: 'flatpod-ipam', subnet: '10.1.2.0/24', rangeStart: '10.1.2.9', rangeEnd: '10.1.2.20', gateway: '10.1.2.254' },
    addresses: ['10.1.2.9/24'],
  },
  'host-local, the gateway in the midst of the range is passed over': {
    ipam: { ranges: [[{ subnet: '10.1.2.0/24', rangeStart: '10.1.2.7', gateway: '10.1.2.7' }]] },
    addresses: ['10.1.2.8/24'],
  },
  'host-local, keys in any case, as Go reads them': {
    ipam: { Ranges: [[{ Subnet: '10.1.2.0/24', RangeStart: '10.1.2.9' }]] },
    addresses: ['10.1.2.9/24'],
  },
  'host-local, ranges of the runtime come first, as containerd spells them': {
    ipam: { ranges: [[{ subnet: '10.1.2.0/24' }]] },
    more: { runtimeConfig: { ipRanges: [[{ Subnet: '10.9.0.0/24', RangeStart: '10.9.0.50' }]] } },
    addresses: ['10.9.0.50/24', '10.1.2.2/24'],
  },
  'host-local, addresses asked for at three places add up': {
    ipam: { ranges: [[{ subnet: '10.1.2.0/24' }], [{ subnet: '10.1.3.0/24' }], [{ subnet: 'fd00::/64' }]] },
    asking: { args: 'IP=10.1.2.77' },
    more: { args: { cni: { ips: ['10.1.3.88'] } }, runtimeConfig: { ips: ['fd00::99/64'] } },
    addresses: ['10.1.2.77/24', '10.1.3.88/24', 'fd00::99/64'],
  },
  'static, as it is': {
    ipam: { type: 'static', addresses: [{ address: '10.5.0.9/24', gateway: '10.5.0.1' }, { address: 'fd00:5::9/64' }] },
    addresses: ['10.5.0.9/24', 'fd00:5::9/64'],
  },
  'static, as a Go program writes its own structure back': {
    ipam: { addresses: [{ address: '10.5.0.9/24', Address: { IP: '10.5.0.9', Mask: '////AA==' }, Version: '4' }] },
    addresses: ['10.5.0.9/24'],
  },
  'static, CNI_ARGS add': {
    ipam: { addresses: [{ address: '10.5.0.9/24' }] },
    asking: { args: 'IP=10.6.0.9/16, fd00::7/64;GATEWAY=10.6.0.1' },
    addresses: ['10.5.0.9/24', '10.6.0.9/16', 'fd00::7/64'],
  },
  'static, what the runtime asks for replaces everything': {
    ipam: { addresses: [{ address: '10.5.0.9/24' }] },
    more: { args: { cni: { ips: ['10.7.0.1/24'] } }, runtimeConfig: { ips: ['10.8.0.1/24'] } },
    addresses: ['10.8.0.1/24'],
  },
  'static, by its name alone': { ipam: {}, asking: { plugin: 'static', args: 'IP=10.5.0.9/24' }, addresses: ['10.5.0.9/24'] },
  'whereabouts, any address in the block will do': { ipam: { range: '10.9.8.101/28' }, addresses: ['10.9.8.97/28'] },
  'whereabouts, first-last/length': { ipam: { range: '10.9.8.100-10.9.8.105/24' }, addresses: ['10.9.8.100/24'] },
  'whereabouts, start, end and excluded blocks': {
    ipam: { range: '10.9.8.0/24', range_start: '10.9.8.32', range_end: '10.9.8.200', exclude: ['10.9.8.32/29', '10.9.8.40'] },
    addresses: ['10.9.8.41/24'],
  },
  'whereabouts, a start that lies elsewhere has no effect': {
    ipam: { range: '10.9.8.0/24', range_start: '10.1.1.1' },
    addresses: ['10.9.8.1/24'],
  },
  'whereabouts, dual stack, and addresses besides': {
    ipam: { ipRanges: [{ range: '10.9.8.0/24' }, { range: 'fd00:9::/64' }], addresses: [{ address: '10.44.0.1/24' }], gateway: '10.9.8.1' },
    addresses: ['10.9.8.2/24', 'fd00:9::1/64', '10.44.0.1/24'],
  },
  'our own, in one word': { ipam: { pool: '10.7.0.0/24' }, addresses: ['10.7.0.2/24'] },
  'our own, one of each': {
    ipam: { pool: ['10.7.0.0/24', { cidr: 'fd00:7::/64', first: 'fd00:7::100', gateway: 'none' }, '10.8.0.5-10.8.0.9/16'] },
    addresses: ['10.7.0.2/24', 'fd00:7::100/64', '10.8.0.5/16'],
  },
  'our own, of two addresses alone': { ipam: { pool: '10.7.0.4/31' }, addresses: ['10.7.0.4/31'] },
  'a dialect that is named': { ipam: { dialect: 'host-local', subnet: '10.1.2.0/24', exclude: ['no matter'] }, addresses: ['10.1.2.2/24'] },
};
for (const [what, { ipam, addresses, asking, more }] of Object.entries(given)) {
  test(`${what}: ${addresses.join(', ')}`, async () => {
    using books = openBooks();
    const told = await books.ask('ADD', ipam, asking, more);
    assert.deepEqual([told.addresses, told.status], [addresses, 0], told.stdout);
  });
}

const host = (range: object): object => ({ ranges: [[range]] });
const refused: Record<string, readonly [string, RegExp, object | undefined, object?, Asking?]> = {
  'no ipam section': ['FP300', /does not say out of which range/, undefined],
  'no range at all': ['FP301', /none of them names a range/, {}],
  'two dialects at once': ['FP301', /host-local and whereabouts at once/, { ranges: [], range: '10.0.0.0/24' }],
  'a dialect that is none': ['FP108', /one of host-local, static/, { dialect: 'dhcp' }],
  'host bits': ['FP302', /its network address is 10\.1\.2\.0/, host({ subnet: '10.1.2.3/24' })],
  'a block too small': ['FP302', /10\.1\.2\.4\/31 is too small/, host({ subnet: '10.1.2.4/31' })],
  'a start elsewhere': ['FP302', /10\.1\.3\.1 is not in 10\.1\.2\.0\/24/, host({ subnet: '10.1.2.0/24', rangeStart: '10.1.3.1' })],
  'an end before the start': ['FP302', /comes after/, host({ subnet: '10.1.2.0/24', rangeStart: '10.1.2.9', rangeEnd: '10.1.2.8' })],
  'alternatives that overlap': ['FP302', /overlap/, { ranges: [[{ subnet: '10.1.2.0/24' }, { subnet: '10.1.0.0/16' }]] }],
  'sets that overlap': ['FP302', /range set 0/, { ranges: [[{ subnet: '10.1.2.0/24' }], [{ subnet: '10.1.2.0/25' }]] }],
  'a set of both families': ['FP302', /mixes IPv4 and IPv6/, { ranges: [[{ subnet: '10.1.2.0/24' }, { subnet: 'fd00::/64' }]] }],
  'an empty list of ranges': ['FP302', /neither ranges nor a subnet/, { ranges: [] }],
  'no text where a block belongs': ['FP108', /ipam\.ranges\[0\]\[0\]\.subnet is absent/, host({})],
  'two addresses of a family in CNI 0.2.0': [
    'FP316',
    /room for one address of each family/,
    { ranges: [[{ subnet: '10.1.2.0/24' }], [{ subnet: '10.1.3.0/24' }]] },
    { cniVersion: '0.2.0' },
  ],
  'an address without a length, in static': ['FP108', /with its length/, { addresses: [{ address: '10.0.0.1' }] }],
  'a gateway that is none': ['FP108', /GATEWAY/, { addresses: [] }, {}, { args: 'IP=10.0.0.1/24;GATEWAY=x' }],
  'shares of nodes, as whereabouts has them': ['FP311', /PodSubnet with spec\.range/, { range: '10.0.0.0/16', node_slice_size: '/26' }],
  'a resolver file that is not there': ['FP310', /no such file/, { subnet: '10.0.0.0/24', resolvConf: '/nonexistent/resolv.conf' }],
  'an order that is none': ['FP108', /lowest, next or random/, { pool: '10.0.0.0/24', order: 'best' }],
  'a PodSubnet, without the agent': ['FP318', /PodSubnet lan/, { subnet: 'lan' }],
  'an unknown CNI_ARGS key': ['FP110', /COLOUR/, { pool: '10.0.0.0/24' }, {}, { args: 'COLOUR=red' }],
};
for (const [what, [fp, words, ipam, more, asking]] of Object.entries(refused)) {
  test(`${what}: ${fp}`, async () => {
    using books = openBooks();
    const told = await books.ask('ADD', ipam, asking, more);
    assert.deepEqual([told.fp, told.status], [fp, 1], told.stdout);
    assert.match(told.stdout, words);
  });
}

test('routes, resolver and gateways go into the result, in the shape of each version', async () => {
  const dir = mkdtempSync('/tmp/fpt-resolv-');
  try {
    writeFileSync(
      join(dir, 'r'),
      '# by hand\nnameserver 10.0.0.53\nsearch a.example b.example\noptions ndots:2\ndomain c.example\nnameserver\n',
    );
    const ipam = {
      subnet: '10.1.2.0/24',
      routes: [{ dst: '0.0.0.0/0' }, { dst: '10.7.0.0/16', gw: '10.1.2.9' }],
      resolvConf: join(dir, 'r'),
    };
    const dns = { nameservers: ['10.0.0.53'], domain: 'c.example', search: ['a.example', 'b.example'], options: ['ndots:2'] };
    const { routes } = ipam;
    using books = openBooks();
    const ask = async (cniVersion: string): Promise<unknown> =>
      (await books.ask('ADD', ipam, { container: cniVersion }, { cniVersion })).json;
    assert.deepEqual(await ask('0.2.0'), { cniVersion: '0.2.0', ip4: { ip: '10.1.2.2/24', gateway: '10.1.2.1', routes }, dns });
    const v4 = { version: '4', address: '10.1.2.3/24', gateway: '10.1.2.1' };
    assert.deepEqual(await ask('0.4.0'), { cniVersion: '0.4.0', ips: [v4], routes, dns });
    assert.deepEqual(await ask('1.1.0'), { cniVersion: '1.1.0', ips: [{ address: '10.1.2.4/24', gateway: '10.1.2.1' }], routes, dns });
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('whereabouts reads its defaults from a file, all but whether ranges may overlap', async () => {
  const dir = mkdtempSync('/tmp/fpt-where-');
  try {
    const path = join(dir, 'whereabouts.conf');
    writeFileSync(
      path,
      JSON.stringify({ kubernetes: { kubeconfig: '/x' }, gateway: '10.9.8.1', range: '10.1.1.0/24', enable_overlapping_ranges: false }),
    );
    using books = openBooks();
    const told = await books.ask('ADD', { range: '10.9.8.0/24', configuration_path: path });
    assert.deepEqual(told.json['ips'], [{ address: '10.9.8.2/24', gateway: '10.9.8.1' }]);
    assert.deepEqual(
      books.leases.list().map(({ scope }) => scope),
      ['whereabouts'],
    );
    writeFileSync(path, '{"range":');
    assert.equal((await books.ask('ADD', { range: '10.9.8.0/24', configuration_path: path }, { container: 'c2' })).fp, 'FP310');
  } finally {
    rmSync(dir, { recursive: true });
  }
});
