/** Objects as the API server returns them: what is checked, what is filled in, what is forgiven. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type * as z from 'zod';
import type { NodeNetworkSpec, NodeNetworkStatus } from '../../src/store/node-network.ts';
import { nodeNetworkSpec, nodeNetworkStatus } from '../../src/store/node-network-schema.ts';
import { ipClaimSpec } from '../../src/store/ip-claim.ts';
import { podSubnet, podSubnetSpec } from '../../src/store/pod-subnet.ts';
import { tolerant } from '../../src/store/tolerant.ts';
import { ourWords, wrongObjects } from './wrong-objects.ts';

for (const wrong of wrongObjects) {
  test(`${wrong.kind}, ${wrong.what}, is refused by the schema, or by a cross check, at its field`, () => {
    assert.match(ourWords(wrong), wrong.field);
  });
}

test('an IPClaim needs little, and gets the rest', () => {
  assert.deepEqual(ipClaimSpec.parse({ pod: 'db-0' }), { pod: 'db-0', count: 1, addresses: [], reclaim: 'Retain' });
  const range = { podSelector: { matchLabels: { app: 'web' } }, count: 3, addresses: ['10.0.0.1', '10.0.0.2'], reclaim: 'TTL', ttl_s: 60 };
  assert.deepEqual(ipClaimSpec.parse(range), { ...range, podSelector: { ...range.podSelector, matchExpressions: [] } });
});

test('a NodeNetwork of which nothing is known yet has empty lists, not absent ones', () => {
  assert.deepEqual(nodeNetworkSpec.parse({}), { demand: [], returned: [] });
  assert.deepEqual(nodeNetworkStatus.parse({}), { vpcCidrs: [], nics: [], growth: [] });
});

/** What a status can hold, all of it. */
const status = {
  instance: 'i-1',
  term: 3,
  vpcCidrs: ['10.0.0.0/8'],
  nics: [
    {
      id: 'nic-1',
      mac: '02:00:00:00:00:01',
      subnet: 'pods',
      deviceIndex: 1,
      mtu: 1500,
      cidr4: '10.0.0.0/24',
      cidr6: 'fd00::/64',
      gateway4: '10.0.0.1',
      gateway6: 'fd00::1',
      primary4: '10.0.0.5',
      primary6: 'fd00::5',
      blocks: ['10.0.0.9/32'],
      reclaiming: [],
      claimed: ['10.0.0.9/32'],
    },
  ],
  growth: [{ subnet: 'pods', stoppedBy: 'ceiling', text: 'this node holds 1 of at most 1' }],
  subnets: [{ name: 'pods', spec: podSubnetSpec.parse({ cloudSubnet: 's-1', nodeSelector: { matchLabels: { zone: 'a' } } }) }],
  settled: 'word',
  claims: [{ namespace: 'db', pod: 'db-0', uid: 'u', subnet: 'pods', addresses: ['10.0.0.9'] }],
  notes: { intents: [], foreign: [], anything: { at: ['all'] } },
  held: 1,
  conditions: [{ type: 'Ready', status: 'True', reason: 'Granted', message: 'all is well', lastTransitionTime: '2026-11-21T13:00:00Z' }],
};

test('whatever a NodeNetwork holds survives being written and read', () => {
  const read = nodeNetworkStatus.parse(status);
  assert.deepEqual(read, status);
  assert.deepEqual(nodeNetworkStatus.parse(JSON.parse(JSON.stringify(read))), status);
  const spec = {
    demand: [{ subnet: 'pods', inUse: 1, cooling: 0, waiting: 2 }],
    returned: ['10.0.0.8/32'],
    unplugged: ['nic-2'],
    remembered: ['10.0.0.7/32'],
    draining: 'word',
    claims: [{ namespace: 'db', pod: 'db-0', uid: 'u', subnets: ['pods'], claim: 'db' }],
  };
  assert.deepEqual(nodeNetworkSpec.parse(spec), spec);
});

test('a NodeNetwork that holds nonsense is refused', () => {
  const [nic] = status.nics;
  for (const wrong of [
    { ...status, nics: [{ ...nic, blocks: ['10.0.0.9/24'] }] },
    { ...status, nics: [{ ...nic, mac: 'none' }] },
    { ...status, nics: [{ ...nic, deviceIndex: '1' }] },
    { ...status, nics: null },
    { ...status, growth: [{ subnet: 'pods', stoppedBy: 'weather', text: '' }] },
  ])
    assert.equal(nodeNetworkStatus.safeParse(wrong).success, false, JSON.stringify(wrong).slice(0, 200));
  assert.equal(nodeNetworkSpec.safeParse({ demand: [{ subnet: 'pods', inUse: -1, cooling: 0, waiting: 0 }] }).success, false);
  assert.equal(nodeNetworkSpec.safeParse({ returned: Array.from({ length: 20_000 }, () => '10.0.0.8/32') }).success, false);
});

/** Whatever is read may be read only. */
type Frozen<T> = T extends string
  ? T
  : T extends readonly (infer E)[]
    ? readonly Frozen<E>[]
    : T extends object
      ? { readonly [K in keyof T]: Frozen<T[K]> }
      : T; // prettier-ignore

test('what the schemas read is what the code works with, and the other way round', () => {
  type Spec = z.infer<typeof nodeNetworkSpec>;
  type Status = z.infer<typeof nodeNetworkStatus>;
  // Proven by the compiler: nothing is left to do when this runs.
  const proofs = [
    (read: Spec): Omit<NodeNetworkSpec, 'instance'> => read,
    (written: Omit<NodeNetworkSpec, 'instance'>): Frozen<Spec> => written,
    (read: Status): NodeNetworkStatus => read,
    (written: NodeNetworkStatus): Frozen<Status> => written,
    (key: keyof NodeNetworkSpec): keyof Spec | 'instance' => key,
    (key: keyof NodeNetworkStatus): keyof Status => key,
    (key: keyof NodeNetworkStatus['nics'][number]): keyof Status['nics'][number] => key,
  ];
  assert.equal(proofs.length, 7);
});

test('keys of a newer Flatpod are refused in a file, and dropped in what the API server returns, at any depth', () => {
  const newer = {
    cloudSubnet: 's-1',
    colour: 'blue',
    warm: { spare: 2, later: 1 },
    podSelector: { matchExpressions: [{ key: 'a', operator: 'Exists', why: 1 }] },
  };
  const known = { cloudSubnet: 's-1', warm: { spare: 2 }, podSelector: { matchExpressions: [{ key: 'a', operator: 'Exists' }] } };
  assert.equal(podSubnetSpec.safeParse(newer).success, false);
  assert.deepEqual(tolerant(podSubnetSpec).parse(newer), podSubnetSpec.parse(known));
  assert.equal(newer.colour, 'blue', 'what was given is left as it is');
  assert.equal(tolerant(podSubnetSpec).safeParse({ ...newer, cloudSubnet: 1 }).success, false);
  assert.deepEqual(
    nodeNetworkStatus.parse({ later: 1, subnets: [{ name: 'a', spec: newer }] }).subnets?.[0]?.spec,
    podSubnetSpec.parse(known),
  );
});

test('a PodSubnet of a file has a place for neither status nor unknown keys', () => {
  const object = { apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name: 'a' }, spec: { cloudSubnet: 's' } };
  assert.equal(podSubnet.safeParse(object).success, true);
  assert.equal(podSubnet.safeParse({ ...object, status: {} }).success, false);
});
