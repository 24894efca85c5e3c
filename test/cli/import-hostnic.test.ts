/** `flatpod import hostnic`: vxnets become PodSubnets that our programs read, and no address of a living Pod is given to another. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { blocksBetween, fewBlocks } from '../../src/import/hostnic/pod-subnets.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { ipFromBigInt, ipToBigInt, parseIp } from '../../src/net/address.ts';
import { addressAt, addressesOf, contains, hostCidr, parseCidr } from '../../src/net/cidr.ts';
import { podSubnet } from '../../src/store/pod-subnet.ts';
import { excludedOf, takenBefore } from '../../src/store/within.ts';
import { entryOf, importOf, specOf, textOfFixture, unfinished } from './import-support.ts';

const [configMaps, pools, blocks] = ['configmaps.yaml', 'pools.yaml', 'blocks.json'].map((name) => textOfFixture(`hostnic/${name}`));
const whole = () => importOf('hostnic', configMaps ?? '', pools ?? '', blocks ?? '');

/** An IPAMBlock with these addresses, by their place in it. */
function block(
  name: string,
  cidr: string,
  places: readonly number[],
  said: (place: number) => string | undefined = () => undefined,
): object {
  const allocations = Array.from({ length: 64 }, (_, i) => (places.includes(i) ? places.indexOf(i) : null));
  const attributes = places.map((place) => ({
    handle_id: `shop-web-${place}`,
    secondary: { pod: `web-${place}`, namespace: 'shop', node: 'n', ip: said(place) },
  }));
  return { kind: 'IPAMBlock', metadata: { name }, spec: { id: 4100, cidr, allocations, unallocated: [], attributes, deleted: false } };
}

test('each vxnet becomes a PodSubnet, which our programs read without a complaint', () => {
  const imported = whole();
  assert.deepEqual(unfinished(imported), []);
  assert.deepEqual(specOf(imported.made, 'PodSubnet', 'vxnet-a1b2c3d'), {
    cloudSubnet: 'vxnet-a1b2c3d',
    useFirstNic: false,
    within: ['172.16.3.192/27', '172.16.3.224/28', '172.16.3.240/31'],
  });
  assert.deepEqual(specOf(imported.made, 'PodSubnet', 'vxnet-a1b2c3d-shop'), {
    cloudSubnet: 'vxnet-a1b2c3d',
    useFirstNic: false,
    namespaces: ['shop'],
    within: ['172.16.3.2/31', '172.16.3.4/30', '172.16.3.8/29', '172.16.3.16/28', '172.16.3.32/27', '172.16.3.64/26'],
    exclude: ['172.16.3.2/31'],
  });
  assert.deepEqual(specOf(imported.made, 'PodSubnet', 'vxnet-a1b2c3d-postgres'), {
    cloudSubnet: 'vxnet-a1b2c3d',
    useFirstNic: false,
    namespaces: ['postgres'],
    within: ['172.16.3.128/26'],
    exclude: ['172.16.3.128/31'],
  });
  assert.deepEqual(specOf(imported.made, 'PodSubnet', 'vxnet-e4f5a6b'), {
    cloudSubnet: 'vxnet-e4f5a6b',
    default: true,
    useFirstNic: false,
    exclude: ['172.16.4.10'],
  });
  assert.deepEqual(specOf(imported.made, 'NodeConfig'), { cluster: {}, serviceCidrs: ['10.233.0.0/18'], log: 'debug' });
  assert.deepEqual(specOf(imported.made, 'ControllerConfig'), {
    cluster: 'cl-shop0001',
    cloud: {
      type: 'qingcloud',
      zone: 'pek3a',
      nicsPerInstance: 61,
      tags: ['tag-x8y9z0ab'],
      securityGroup: 'sg-nodes001',
    },
  });
});

test('addresses of living Pods are listed with Pod, node and PodSubnet', () => {
  assert.deepEqual(
    whole().kept.map(({ address, namespace, pod, node, subnet }) => `${address} ${namespace}/${pod} ${node} ${subnet}`),
    [
      '172.16.3.2 shop/web-6d5f-x2x9k node-1 vxnet-a1b2c3d-shop',
      '172.16.3.3 shop/web-6d5f-q7w8e node-2 vxnet-a1b2c3d-shop',
      '172.16.3.128 postgres/db-0 node-1 vxnet-a1b2c3d-postgres',
      '172.16.3.129 postgres/db-1 node-2 vxnet-a1b2c3d-postgres',
      '172.16.4.10 kube-system/coredns-7c8d-1a2b3 node-1 vxnet-e4f5a6b',
    ],
  );
});

test('no PodSubnet gives an address that a Pod has or that lies outside of the range, and gives every other one', () => {
  const place = fc.uniqueArray(fc.integer({ min: 0, max: 63 }), { maxLength: 12 });
  fc.assert(
    fc.property(place, fc.integer({ min: 1, max: 20 }), fc.integer({ min: 40, max: 62 }), (places, first, last) => {
      const pool = {
        kind: 'IPPool',
        metadata: { name: 'vxnet-1' },
        spec: { cidr: '10.9.0.0/26', rangeStart: `10.9.0.${first}`, rangeEnd: `10.9.0.${last}` },
      };
      const settings = { pool: { vxNets: ['vxnet-1'] } };
      const { made } = importOf('hostnic', settings, pool, block('4100-10-9-0-0-26', '10.9.0.0/26', places));
      const exclude = excludedOf(podSubnet.shape.spec.parse(specOf(made, 'PodSubnet')));
      for (const [i, address] of [...addressesOf(parseCidr('10.9.0.0/26'))].entries()) {
        const isFree = i >= first && i <= last && !places.includes(i);
        assert.equal(!exclude.some((one) => contains(one, address)), isFree, address);
      }
    }),
    { numRuns: 40 },
  );
});

test('a Pod that is said to have another address than its place in the block keeps both', () => {
  const { kept, account } = importOf(
    'hostnic',
    { pool: { vxNets: ['vxnet-1'] } },
    poolOf('vxnet-1'),
    block('b', '10.9.0.0/26', [5], () => '10.9.0.9'),
  );
  assert.deepEqual(
    kept.map(({ address }) => address),
    ['10.9.0.5', '10.9.0.9'],
  );
  assert.ok(account.entries.some(({ fate, text }) => fate === 'none' && /10\.9\.0\.5 in its place/.test(text)));
});

const poolOf = (name: string, range: object = {}) => ({ kind: 'IPPool', metadata: { name }, spec: { cidr: '10.9.0.0/24', ...range } });

test('a deleted block holds nothing; a handle whose block is missing is a mistake, since its addresses would not be kept', () => {
  const deleted = {
    kind: 'IPAMBlock',
    metadata: { name: 'b' },
    spec: { cidr: '10.9.0.0/26', deleted: true, allocations: [0], attributes: [] },
  };
  assert.deepEqual(importOf('hostnic', poolOf('vxnet-1'), deleted).kept, []);
  const handle = { kind: 'IPAMHandle', metadata: { name: 'h' }, spec: { handleID: 'h', block: { 'not-here': 1 } } };
  assert.throws(
    () => importOf('hostnic', poolOf('vxnet-1'), handle),
    (error) => isFailure(error, 'importMistaken') && error.details.includes('not-here'),
  );
});

test('a block or a namespace of no known vxnet is a mistake', () => {
  assert.throws(
    () => importOf('hostnic', block('b', '10.9.0.0/26', [])),
    (error) => isFailure(error, 'importMistaken') && /IPAMBlock b: belongs to no vxnet/.test(error.details),
  );
  const map = { kind: 'ConfigMap', metadata: { name: 'hostnic-ipam-config' }, data: { ipam: '{"shop": ["4100-10-9-0-0-26"]}' } };
  assert.throws(
    () => importOf('hostnic', map),
    (error) => isFailure(error, 'importMistaken') && /:\d+: hostnic-ipam-config\.ipam\.shop: no vxnet/.test(error.details),
  );
});

test('an address that is both claimed and in use is excluded until the Pod has ended, and the account says so', () => {
  const pod = {
    kind: 'Pod',
    metadata: { name: 'db-0', namespace: 'shop', annotations: { 'cni.projectcalico.org/ipAddrs': '["10.9.0.5"]' } },
  };
  const { made, account } = importOf('hostnic', { pool: { vxNets: ['vxnet-1'] } }, poolOf('vxnet-1'), block('b', '10.9.0.0/26', [5]), pod);
  assert.deepEqual(specOf(made, 'PodSubnet')['exclude'], ['10.9.0.5']);
  assert.ok(
    account.entries.some(
      ({ fate, from, text }) => fate === 'left' && from === 'IPClaim shop/db-0' && text.startsWith('10.9.0.5 is excluded'),
    ),
  );
});

test('IPPools of others are refused, not taken for hostnic’s', () => {
  const other = { apiVersion: 'crd.projectcalico.org/v1', ...poolOf('default-ipv4-ippool') };
  assert.throws(
    () => importOf('hostnic', other),
    (error) => isFailure(error, 'importMistaken') && /is IPPool default-ipv4-ippool, which this import does not read/.test(error.details),
  );
  assert.ok(importOf('hostnic', { pool: { vxNets: ['vxnet-1'] } }, { apiVersion: 'network.kubesphere.io/v1alpha1', ...poolOf('vxnet-1') }));
});

test('an IPPool of no vxnet, and a Default that names a block, are answered for too', () => {
  const { account } = importOf('hostnic', { pool: { vxNets: ['vxnet-2'] } }, poolOf('vxnet-1'));
  assert.ok(account.entries.some(({ key, fate, text }) => key === 'IPPool vxnet-1' && fate === 'none' && /no vxnet/.test(text)));
  const map = {
    kind: 'ConfigMap',
    metadata: { name: 'hostnic-ipam-config' },
    data: { ipam: '{"Default": ["4100-10-9-0-0-26"], "a": []}' },
  };
  const { made } = importOf('hostnic', { pool: { vxNets: ['vxnet-1', 'vxnet-2'] } }, poolOf('vxnet-1'), map);
  assert.deepEqual(
    made.filter(({ kind }) => kind === 'PodSubnet').map(({ name, spec }) => [name, spec['default']]),
    [
      ['vxnet-1', true],
      ['vxnet-2', undefined],
    ],
  );
});

test('with subnet-auto-assign every vxnet serves new namespaces, and it is said that none gets a block of its own by the documents', () => {
  const map = { kind: 'ConfigMap', metadata: { name: 'hostnic-ipam-config' }, data: { 'subnet-auto-assign': 'on', ipam: '{}' } };
  const { made, account } = importOf('hostnic', { pool: { vxNets: ['vxnet-1', 'vxnet-2'] } }, map);
  for (const name of ['vxnet-1', 'vxnet-2']) assert.equal(specOf(made, 'PodSubnet', name)['default'], true);
  const told = account.entries.filter(({ key }) => key === 'hostnic-ipam-config.subnet-auto-assign');
  assert.deepEqual(
    told.map(({ fate }) => fate),
    ['taken', 'none'],
  );
});

test('blocks of namespaces are theirs alone: no two PodSubnets share an address, and together they have the whole range', () => {
  const number = fc.uniqueArray(fc.integer({ min: 0, max: 15 }), { maxLength: 6 });
  fc.assert(
    fc.property(number, number, fc.boolean(), (a, b, isRanged) => {
      const nameOf = (i: number): string => `4100-10-9-0-${i * 16}-28`;
      const ipam = { a: a.map(nameOf), b: b.filter((i) => !a.includes(i)).map(nameOf), Default: ['vxnet-1'] };
      const map = { kind: 'ConfigMap', metadata: { name: 'hostnic-ipam-config' }, data: { ipam: JSON.stringify(ipam) } };
      const pool = poolOf('vxnet-1', isRanged ? { rangeStart: '10.9.0.2', rangeEnd: '10.9.0.241' } : {});
      const { made } = importOf('hostnic', { pool: { vxNets: ['vxnet-1'] } }, pool, map);
      const subnets = made.flatMap(({ kind, name, spec }) =>
        kind === 'PodSubnet' ? podSubnet.parse({ apiVersion: 'flatpod.dev/v1alpha1', kind, metadata: { name }, spec }) : [],
      );
      for (const [i, one] of subnets.entries()) assert.equal(takenBefore(one, subnets.slice(0, i)), undefined);
      for (const address of addressesOf(parseCidr('10.9.0.0/24'))) {
        const having = subnets.filter(({ spec }) => !excludedOf(spec).some((one) => contains(one, address)));
        const last = Number(address.split('.')[3]);
        const isInRange = !isRanged || (last >= 2 && last <= 241);
        assert.equal(having.length, isInRange ? 1 : 0, address);
        const namespace = ['a', 'b'].find((name) => ipam[name === 'a' ? 'a' : 'b'].includes(nameOf(Math.floor(last / 16))));
        if (isInRange) assert.deepEqual(having[0]?.spec.namespaces, namespace === undefined ? [] : [namespace], address);
      }
    }),
    { numRuns: 30 },
  );
});

test('a block under two namespaces is a mistake, and so is one that overlaps', () => {
  for (const other of ['4100-10-9-0-0-26', '4100-10-9-0-32-27']) {
    const ipam = JSON.stringify({ a: ['4100-10-9-0-0-26'], b: [other] });
    const map = { kind: 'ConfigMap', metadata: { name: 'hostnic-ipam-config' }, data: { ipam } };
    assert.throws(
      () => importOf('hostnic', { pool: { vxNets: ['vxnet-1'] } }, poolOf('vxnet-1'), map),
      (error) => isFailure(error, 'importMistaken') && /is a block of namespace a too/.test(error.details),
    );
  }
});

test('passthrough is datapath nic; hairpin and the numbers of the kernel are there under other names, and natMark has no equal', () => {
  const cni = {
    type: 'hostnic',
    hostNicType: 'passthrough',
    hairpin: true,
    natMark: '0x20000',
    rt2Pod: 254,
    vethPrefix: 'vnic',
    serviceCIDR: '10.96.0.0/12',
  };
  const imported = importOf('hostnic', cni, { pool: { vxNets: ['vxnet-1'] } });
  assert.equal(specOf(imported.made, 'PodSubnet')['datapath'], 'nic');
  assert.deepEqual(unfinished(imported), []);
  for (const key of ['hairpin', 'rt2Pod', 'vethPrefix']) assert.equal(entryOf(imported, key).fate, 'equal', key);
  assert.equal(entryOf(imported, 'natMark').fate, 'none');
  assert.match(entryOf(imported, 'natMark').text, /several bits, numbers\.markMask/);
});

test('credentials are named, and never repeated', () => {
  const { account, made } = importOf(
    'hostnic',
    { qy_access_key_id: 'KEYKEYKEY', qy_secret_access_key: 'SECRETSECRET', zone: 'pek3' },
    poolOf('vxnet-1'),
  );
  assert.ok(account.entries.some(({ key, fate }) => key === 'qy_secret_access_key' && fate === 'none'));
  assert.doesNotMatch(JSON.stringify([account.entries, made]), /KEYKEYKEY|SECRETSECRET/);
});

test('an address that a Pod asks for by annotation becomes an IPClaim', () => {
  const pod = {
    kind: 'Pod',
    metadata: {
      name: 'db-0',
      namespace: 'shop',
      annotations: { 'cni.projectcalico.org/ipAddrs': '["10.9.0.7"]' },
      ownerReferences: [{ kind: 'StatefulSet', name: 'db' }],
    },
  };
  const imported = importOf('hostnic', { pool: { vxNets: ['vxnet-1'] } }, pod);
  assert.deepEqual(specOf(imported.made, 'IPClaim'), { pod: 'db-0', addresses: ['10.9.0.7'] });
  assert.deepEqual(unfinished(imported), []);
});

/** Everywhere that a key may stand which is to be accounted for, as the ways to put one there. */
const places: readonly ((key: string, value: string) => object[])[] = [
  (key, value) => [{ pool: { vxNets: ['vxnet-1'] }, [key]: value }],
  (key, value) => [{ pool: { [key]: value } }],
  (key, value) => [{ server: { [key]: value } }],
  (key, value) => [{ type: 'hostnic', [key]: value }],
  (key, value) => [{ name: 'n', plugins: [{ type: 'hostnic' }], [key]: value }],
  (key, value) => [{ clusterID: 'cl-1', [key]: value }],
  (key, value) => [{ kind: 'ConfigMap', metadata: { name: 'hostnic-cfg-cm' }, data: { [key]: value } }],
  (key, value) => [
    { kind: 'ConfigMap', metadata: { name: 'hostnic-cfg-cm' }, data: { hostnic: JSON.stringify({ pool: { [key]: value } }) } },
  ],
  (key, value) => [{ kind: 'ConfigMap', metadata: { name: 'hostnic-ipam-config' }, data: { [key]: value } }],
  (key, value) => [
    { kind: 'ConfigMap', metadata: { name: 'clusterconfig' }, data: { 'qingcloud.yaml': `clusterID: a\n${key}: ${value}\n` } },
  ],
  (key, value) => [{ kind: 'VxNetPool', metadata: { name: 'v-pool' }, spec: { [key]: value } }],
  (key, value) => [{ kind: 'VxNetPool', metadata: { name: 'v-pool' }, spec: { vxnets: [{ name: 'vxnet-1', [key]: value }] } }],
  (key, value) => [{ kind: 'IPPool', metadata: { name: 'p' }, spec: { cidr: '10.9.0.0/24', [key]: value } }],
  (key, value) => [{ kind: 'IPAMBlock', metadata: { name: 'b' }, spec: { cidr: '10.9.0.0/26', deleted: true, [key]: value } }],
  (key, value) => [{ kind: 'IPAMHandle', metadata: { name: 'h' }, spec: { handleID: 'h', [key]: value } }],
];

test('a key that nobody knows is always named, wherever it stands, and its value never repeated', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...places),
      fc.stringMatching(/^[a-zA-Z]{3,12}$/),
      fc.stringMatching(/^secret-[a-z0-9]{12}$/),
      (put, name, secret) => {
        const key = `x${name}`;
        const { account, made } = importOf('hostnic', ...put(key, secret));
        const told = account.entries.filter((entry) => entry.key.split('.').at(-1) === key);
        assert.deepEqual(
          told.map(({ fate, value }) => [fate, value]),
          [['none', '']],
        );
        assert.ok(!JSON.stringify([account.entries, made]).includes(secret));
      },
    ),
    { numRuns: 100 },
  );
});

test('a range is covered by blocks that have exactly its addresses', () => {
  const base = ipToBigInt(parseIp('10.9.0.0'));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 600 }), fc.integer({ min: 0, max: 600 }), (from, count) => {
      const [first, last] = [ipFromBigInt(base + BigInt(from), 4), ipFromBigInt(base + BigInt(from + count), 4)];
      const found = blocksBetween(first, last).flatMap((one) => [...addressesOf(one)]);
      assert.deepEqual([found.length, found[0], found.at(-1)], [count + 1, first, last]);
    }),
  );
});

test('more addresses than a PodSubnet can exclude one by one are excluded with their neighbours, never left out', () => {
  const every = Array.from({ length: 2048 }, (_, i) => addressAt(parseCidr('10.16.0.0/12'), 5 * i));
  const few = fewBlocks(every.map(hostCidr));
  assert.ok(few.length <= 1024);
  assert.deepEqual(
    every.filter((address) => !few.some((one) => contains(one, address))),
    [],
  );
});
