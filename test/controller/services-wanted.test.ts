/** From a Service and its EndpointSlices to the load balancer it is to have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SubnetId } from '../../src/cloud/cloud.ts';
import { isOurs, wantedFor } from '../../src/controller/services/wanted.ts';
import { readService, readSlice } from '../../src/store/kubernetes/service-objects.ts';
import { fails } from '../cloud/scripted-server.ts';

const metadata = { namespace: 'shop', name: 'web', uid: 'u1', resourceVersion: '7' };
const service = (spec: object = {}, annotations: Record<string, string> = {}, more: object = {}) =>
  readService({ metadata: { ...metadata, annotations, ...more }, spec: { type: 'LoadBalancer', ports: [{ port: 80 }], ...spec } });
const slice = (endpoints: readonly object[], more: object = {}) =>
  readSlice({
    metadata: { namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    endpoints,
    ports: [{ name: '', protocol: 'TCP', port: 8080 }],
    ...more,
  });
const rules = { cluster: 'c', isDefault: false, subnetOf: () => undefined };
const pod = (address: string, conditions: object = {}): object => ({ addresses: [address], conditions });
const membersOf = (...slices: ReturnType<typeof slice>[]): string[] =>
  wantedFor(service(), slices, rules).listeners.flatMap(({ members }) => members.map(({ address, port }) => `${address}:${port}`));

test('a Service is ours by its class, or without one where that is the default; never another class, another type, or one that is on its way out', () => {
  const own = { loadBalancerClass: 'flatpod.dev/octavia' };
  const ours = (spec: object, isDefault: boolean, more = {}): boolean => isOurs(service(spec, {}, more), { isDefault });
  assert.deepEqual([ours(own, false), ours({}, false), ours({}, true)], [true, false, true]);
  assert.deepEqual([ours({ loadBalancerClass: 'other' }, true), ours({ ...own, type: 'ClusterIP' }, true)], [false, false]);
  assert.equal(ours(own, true, { deletionTimestamp: '2026-01-01T00:00:00Z' }), false);
});

test('members are Pods that are ready, each once, in order, whichever slice has them; what is not said counts as ready', () => {
  const one = slice([
    pod('10.0.0.9'),
    pod('10.0.0.2', { ready: true }),
    pod('10.0.0.3', { ready: false }),
    pod('10.0.0.4', { ready: null }),
  ]);
  const other = slice([pod('10.0.0.2'), pod('not an address')]);
  assert.deepEqual(membersOf(one, other), ['10.0.0.2:8080', '10.0.0.4:8080', '10.0.0.9:8080']);
});

test('when no Pod is ready those that still answer on their way out are members, and others are not', () => {
  const leaving = pod('10.0.0.5', { ready: false, serving: true, terminating: true });
  const starting = pod('10.0.0.6', { ready: false, serving: false });
  assert.deepEqual(membersOf(slice([leaving, starting])), ['10.0.0.5:8080']);
  assert.deepEqual(membersOf(slice([leaving, starting, pod('10.0.0.7')])), ['10.0.0.7:8080']);
});

test('each port has the Pods behind its own name and protocol, so Pods may have it under different numbers', () => {
  const ports = [
    { name: 'dns', protocol: 'UDP', port: 53 },
    { name: 'dns-tcp', protocol: 'TCP', port: 53 },
  ];
  const old = slice([pod('10.0.0.1')], { ports: [{ name: 'dns', protocol: 'UDP', port: 5300 }] });
  const both = slice([pod('10.0.0.2')], { ports: ports.map((port) => ({ ...port, port: 5353 })) });
  const { listeners } = wantedFor(service({ ports }), [old, both], rules);
  assert.deepEqual(
    listeners.map(({ transport, port, members }) => [transport, port, members.map((one) => `${one.address}:${one.port}`)]),
    [
      ['UDP', 53, ['10.0.0.1:5300', '10.0.0.2:5353']],
      ['TCP', 53, ['10.0.0.2:5353']],
    ],
  );
});

test('endpoints that are names of hosts, and ports without a number, are nobody to send to', () => {
  assert.deepEqual(membersOf(slice([pod('a.example')], { addressType: 'FQDN' })), []);
  assert.deepEqual(membersOf(slice([pod('10.0.0.1')], { ports: [{ name: '', protocol: 'TCP', port: null }] })), []);
  assert.deepEqual(membersOf(slice([pod('10.0.0.1')], { ports: null, endpoints: null })), []);
});

test('what a Service says of its load balancer is taken over, and a member is given the subnet it is in', () => {
  const spec = {
    loadBalancerIP: '10.0.0.99',
    loadBalancerSourceRanges: [' 192.0.2.0/24', '2001:db8::/32'],
    sessionAffinity: 'ClientIP',
    ipFamilies: ['IPv6', 'IPv4'],
  };
  const said = { 'flatpod.dev/load-balancer-subnet': 's1', 'flatpod.dev/load-balancer-internal': 'true' };
  const want = wantedFor(service(spec, said), [slice([pod('10.0.0.1')])], { ...rules, subnetOf: () => 's2' as SubnetId });
  assert.deepEqual(want, {
    tags: { 'flatpod.dev/cluster': 'c', 'flatpod.dev/service': 'u1' },
    name: 'c/shop/web',
    subnet: 's1',
    families: [6, 4],
    address: '10.0.0.99',
    isInternal: true,
    listeners: [
      {
        transport: 'TCP',
        port: 80,
        sources: ['192.0.2.0/24', '2001:db8::/32'],
        affinity: { timeout_s: 10_800 },
        members: [{ address: '10.0.0.1', port: 8080, subnet: 's2' }],
      },
    ],
  });
  const moved = service(spec, { ...said, 'flatpod.dev/load-balancer-address': '10.0.0.98' });
  assert.equal(wantedFor(moved, [], rules).address, '10.0.0.98', 'the annotation, since the field is deprecated');
});

test('what cannot be meant is refused with the place where it stands', () => {
  const wrong: [object, Record<string, string>, RegExp][] = [
    [{ loadBalancerSourceRanges: ['10.0.0.1/8'] }, {}, /"10\.0\.0\.1\/8" of spec\.loadBalancerSourceRanges/],
    [{ loadBalancerIP: 'ten' }, {}, /the address "ten"/],
    [{}, { 'flatpod.dev/load-balancer-internal': 'yes' }, /load-balancer-internal is neither/],
    [{}, { 'flatpod.dev/load-balancer-subnet': '' }, /names no subnet/],
  ];
  for (const [spec, said, words] of wrong) assert.throws(() => wantedFor(service(spec, said), [], rules), fails('serviceUnfit', words));
});
