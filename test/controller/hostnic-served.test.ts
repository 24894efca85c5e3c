/** hostnic's settings served as they are: on an API server in memory, by the controller's own parts, under a virtual clock. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRecord } from '../../src/kube/answers.ts';
import type { NodeNetwork } from '../../src/store/node-network.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { failure } from '../../src/errors/failure.ts';
import type { Cidr } from '../../src/net/cidr.ts';
import { at, blockOf, hostnicCluster } from './hostnic-cluster.ts';

/** A node that has these blocks, and of which a Pod waits. */
function node(subnet: string, blocks: readonly string[], waiting: number): NodeNetwork {
  const nic = { id: 'nic', mac: '02:00:00:00:00:01', subnet, deviceIndex: 1, mtu: 1500, blocks: blocks as readonly Cidr[], reclaiming: [] };
  return {
    name: 'n1',
    spec: { instance: 'i-1', demand: [{ subnet, inUse: blocks.length, cooling: 0, waiting }], returned: [] },
    status: { vpcCidrs: [], nics: [nic], growth: [{ subnet, stoppedBy: 'subnet', text: 'full' }] },
  } as unknown as NodeNetwork; // brands of ids, which are text here
}

test('namespaces have PodSubnets of their blocks, all others the rest, and a change is served as soon as it is seen', async () => {
  const { pass, config, serve, subnets, kube } = hostnicCluster();
  const served = serve();
  await pass(3000);
  const rest = { 'vxnet-1': ['default', ['10.9.0.64/26', '10.9.0.128/25']] };
  assert.deepEqual(await subnets(), { ...rest, 'vxnet-1-shop': [['shop'], ['10.9.0.0/26']] });
  assert.equal(served.nicsPerInstance(), 61, 'hostnic counts its own alone');
  // What somebody adds to a PodSubnet stays.
  kube.put(resources.podSubnets, { metadata: { name: 'vxnet-1-shop' }, spec: { warm: { spare: 9 } } });
  config('hostnic-ipam-config', { ipam: JSON.stringify({ Default: ['vxnet-1'], shop: [blockOf(64)], db: [blockOf(0)] }) });
  await pass(3000);
  assert.deepEqual(await subnets(), {
    'vxnet-1': ['default', ['10.9.0.128/25']],
    'vxnet-1-shop': [['shop'], ['10.9.0.64/26']],
    'vxnet-1-db': [['db'], ['10.9.0.0/26']],
  });
  const shop = kube.stored({ ...resources.podSubnets, name: 'vxnet-1-shop' });
  assert.deepEqual(isRecord(shop) && isRecord(shop['spec']) && shop['spec']['warm'], { spare: 9 });
  config('hostnic-ipam-config', { ipam: JSON.stringify({ Default: ['vxnet-1'] }) });
  await pass(3000);
  assert.deepEqual(await subnets(), { 'vxnet-1': ['default', undefined] });
  await served.stop();
});

test('maxNic is another at once, and nodes are looked at again only when it is', async () => {
  const { pass, config, serve, changes } = hostnicCluster();
  const served = serve();
  await pass(3000);
  assert.deepEqual([served.nicsPerInstance(), changes()], [61, 1]);
  config('hostnic-cfg-cm', { hostnic: JSON.stringify({ pool: { maxNic: 3, vxNets: ['vxnet-1'] } }) });
  await pass(3000);
  assert.deepEqual([served.nicsPerInstance(), changes()], [4, 2]);
  config('hostnic-ipam-config', { ipam: JSON.stringify({ Default: ['vxnet-1'] }) });
  await pass(3000);
  assert.deepEqual([served.nicsPerInstance(), changes()], [4, 2]);
  await served.stop();
});

test('who begins to lead attaches nothing before maxNic was read, unless that cannot be read', async () => {
  const { pass, config, kube, serve, changes } = hostnicCluster();
  const asMade: unknown[] = [];
  const isRead = (served: typeof first): unknown[] => [!served.isUnread(), served.nicsPerInstance()];
  kube.fault = ({ verb }) => {
    if (verb === 'create') asMade.push(...isRead(first));
    return 'none';
  };
  const first = serve();
  assert.deepEqual(isRead(first), [false, undefined]);
  await pass(500);
  assert.deepEqual([...isRead(first), changes()], [true, 61, 1], 'as soon as all is read, not at a later look');
  await pass(3000);
  assert.deepEqual(asMade, [true, 61, true, 61], 'it is known before there is a PodSubnet that could ask for one');
  await first.stop();
  config('hostnic-ipam-config', { ipam: '{' });
  const second = serve();
  await pass(3000);
  assert.deepEqual([...isRead(second), changes()], [true, undefined, 2], 'a mistake that stands there stops no node');
  await second.stop();
  kube.fault = ({ verb }) => (verb === 'list' ? failure('kubeUnreachable', { call: verb, server: 'memory', text: 'busy' }) : 'none');
  const third = serve();
  await pass(3000);
  assert.deepEqual([...isRead(third), changes()], [false, undefined, 2]);
  await pass(3000);
  assert.deepEqual([...isRead(third), changes()], [true, undefined, 3], 'nor does an API server that does not answer');
  await third.stop();
});

test('settings with a mistake are refused whole: what was served stays, and an event of the object says why', async () => {
  const { pass, config, serve, subnets, said, kube } = hostnicCluster();
  const served = serve();
  await pass(3000);
  const before = await subnets();
  for (const [ipam, why] of [
    [JSON.stringify({ Default: ['vxnet-1'], shop: [blockOf(0)], db: [blockOf(0)] }), /is a block of namespace shop too/],
    [JSON.stringify({ shop: ['4100-10-8-0-0-26'] }), /no vxnet of these files has 4100-10-8-0-0-26/],
    ['{"shop": [', /is no JSON/],
  ] as const) {
    said.length = 0;
    config('hostnic-ipam-config', { ipam });
    await pass(3000);
    assert.deepEqual(await subnets(), before);
    const [event] = said;
    assert.deepEqual(
      [event?.about.kind, event?.about.name, event?.type, event?.reason],
      ['ConfigMap', 'hostnic-ipam-config', 'Warning', 'Refused'],
    );
    assert.match(event?.note ?? '', /^FP506.*|hostnic's settings are not served/);
    assert.match(event?.note ?? '', why);
  }
  for (const [name, why] of [
    ['hostnic-cfg-cm', /hostnic-cfg-cm is not there: nobody knows how Pods are connected/],
    ['hostnic-ipam-config', /hostnic-ipam-config is not there: nobody knows which namespace has which blocks/],
  ] as const) {
    config('hostnic-ipam-config', { ipam: JSON.stringify({ Default: ['vxnet-1'], shop: [blockOf(0)] }) });
    config('hostnic-cfg-cm', { hostnic: JSON.stringify({ pool: { maxNic: 60, vxNets: ['vxnet-1'] } }), 'hostnic-cni': '{}' });
    await pass(3000);
    said.length = 0;
    kube.remove({ ...at, name });
    await pass(3000);
    assert.deepEqual(await subnets(), before, 'a ConfigMap that is deleted by mistake costs nobody an address');
    assert.equal(served.nicsPerInstance(), 61);
    assert.match(said[0]?.note ?? '', why);
  }
  await served.stop();
});

test('with subnet-auto-assign a namespace gets a block, which is written into the ConfigMap, and another one when that is full', async () => {
  const { pass, kube, config, namespace, serve, subnets, ipam, nodesAre, said } = hostnicCluster();
  config('hostnic-ipam-config', { 'subnet-auto-assign': 'on', ipam: JSON.stringify({ shop: [blockOf(0)] }) });
  const served = serve();
  await pass(3000);
  assert.deepEqual(ipam(), { shop: [blockOf(0)] });
  namespace('web');
  await pass(3000);
  assert.deepEqual(ipam(), { shop: [blockOf(0)], web: [blockOf(64)] });
  assert.deepEqual((await subnets())['vxnet-1-web'], [['web'], ['10.9.0.64/26']]);
  assert.deepEqual((await subnets())['vxnet-1'], [[], ['10.9.0.128/25']], 'nobody gets addresses of blocks that are nobody’s');
  nodesAre([node('vxnet-1-web', ['10.9.0.64/28'], 1)]);
  await pass(10_000);
  assert.deepEqual(ipam(), { shop: [blockOf(0)], web: [blockOf(64), blockOf(128)] });
  await pass(20_000);
  assert.deepEqual(ipam(), { shop: [blockOf(0)], web: [blockOf(64), blockOf(128)] }, 'the new one was not tried yet');
  // The namespace goes; a Pod of it has an address still.
  kube.remove({ ...resources.namespaces, name: 'web' });
  await pass(10_000);
  assert.deepEqual(ipam(), { shop: [blockOf(0)] });
  namespace('db');
  namespace('late');
  await pass(10_000);
  assert.deepEqual(ipam(), { shop: [blockOf(0)], db: [blockOf(128)], late: [blockOf(192)] });
  namespace('too-many');
  await pass(10_000);
  const event = said.find(({ reason }) => reason === 'NoBlockFree');
  assert.deepEqual([event?.about.kind, event?.about.name], ['Namespace', 'too-many']);
  nodesAre([]);
  await pass(10_000);
  assert.deepEqual(ipam(), { shop: [blockOf(0)], db: [blockOf(128)], late: [blockOf(192)], 'too-many': [blockOf(64)] });
  await served.stop();
});

test('addresses of Pods that hostnic made are excluded as long as its blocks say so', async () => {
  const { pass, kube, serve } = hostnicCluster();
  const excluded = (): unknown => {
    const one = kube.stored({ ...resources.podSubnets, name: 'vxnet-1-shop' });
    return isRecord(one) && isRecord(one['spec']) ? one['spec']['exclude'] : one;
  };
  const block = (allocations: readonly (number | null)[]): void =>
    kube.put(resources.ipamBlocks, {
      metadata: { name: blockOf(0) },
      spec: {
        id: 4100,
        cidr: '10.9.0.0/26',
        allocations,
        unallocated: [],
        attributes: [{ secondary: { pod: 'web-1', namespace: 'shop' } }],
        deleted: false,
      },
    });
  block([null, null, 0]);
  const served = serve();
  await pass(3000);
  assert.deepEqual(excluded(), ['10.9.0.2/32']);
  block([null, null, null]);
  await pass(3000);
  assert.deepEqual(excluded(), []);
  await served.stop();
});

test('PodSubnets of others stay as they are, and so do ours while the API server refuses', async () => {
  const { pass, kube, serve, subnets, said } = hostnicCluster();
  kube.put(resources.podSubnets, { metadata: { name: 'vxnet-1-shop' }, spec: { cloudSubnet: 'vxnet-9' } });
  kube.put(resources.podSubnets, { metadata: { name: 'other' }, spec: { cloudSubnet: 'vxnet-8', namespaces: ['x'] } });
  kube.fault = ({ verb }) => (verb === 'create' ? failure('kubeUnreachable', { call: verb, server: 'memory', text: 'busy' }) : 'none');
  const served = serve();
  await pass(5000);
  assert.deepEqual(Object.keys(await subnets()), ['vxnet-1-shop', 'other']);
  kube.fault = () => 'none';
  await pass(5000);
  assert.deepEqual((await subnets())['other'], [['x'], undefined]);
  assert.deepEqual((await subnets())['vxnet-1-shop'], [undefined, undefined]);
  assert.ok('vxnet-1' in (await subnets()));
  assert.ok(said.some(({ reason, note }) => reason === 'NotOurs' && note.includes('vxnet-1-shop')));
  await served.stop();
});

test('a PodSubnet that the API server finds wrong is said once, and keeps no other from being served', async () => {
  const { pass, config, kube, serve, subnets, said, lines } = hostnicCluster();
  const served = serve();
  await pass(3000);
  let tries = 0;
  kube.fault = ({ verb, name }) => {
    if (verb !== 'patch' || name !== 'vxnet-1-shop') return 'none';
    tries++;
    return failure('kubeInvalid', { call: 'patch podsubnets vxnet-1-shop', text: 'spec.within: too many' });
  };
  config('hostnic-ipam-config', { ipam: JSON.stringify({ Default: ['vxnet-1'], shop: [blockOf(0), blockOf(128)], db: [blockOf(64)] }) });
  config('hostnic-cfg-cm', { hostnic: JSON.stringify({ pool: { maxNic: 3, vxNets: ['vxnet-1'] } }) });
  await pass(20_000);
  assert.deepEqual(await subnets(), {
    'vxnet-1': ['default', ['10.9.0.192/26']],
    'vxnet-1-shop': [['shop'], ['10.9.0.0/26']],
    'vxnet-1-db': [['db'], ['10.9.0.64/26']],
  });
  assert.equal(served.nicsPerInstance(), 4, 'the rest of the settings holds');
  assert.ok(tries >= 2 && tries <= 6, `it was tried ${tries} times`);
  const isOfIt = (text: string): boolean => text.includes('vxnet-1-shop is not written') && text.includes('too many');
  assert.deepEqual([said.filter(({ note }) => isOfIt(note)).length, lines.filter(isOfIt).length], [1, 1]);
  kube.fault = () => 'none';
  await pass(6000);
  assert.deepEqual((await subnets())['vxnet-1-shop'], [['shop'], ['10.9.0.0/26', '10.9.0.128/26']]);
  await served.stop();
});
