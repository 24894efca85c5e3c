/** Each refusal that only a cluster knows leads to the error made for it. FP240 and FP242: test/store/kubernetes, test/controller/claims.test.ts. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { attach } from '../../src/agent/attach.ts';
import { recordByDatapath } from '../../src/agent/interface-record.ts';
import { Locks } from '../../src/agent/locks.ts';
import type { CloudPart, NodeAgent } from '../../src/agent/node-agent.ts';
import { podInterface } from '../../src/agent/pod-interface.ts';
import { Pools } from '../../src/agent/pools.ts';
import type { NicId } from '../../src/cloud/cloud.ts';
import { readAttachedInterface } from '../../src/datapath/stored.ts';
import { failure } from '../../src/errors/failure.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { createLog } from '../../src/log.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';
import { openAttachments } from '../../src/store/attachments.ts';
import { nodePods } from '../../src/store/kubernetes/node-pods.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import type { ClaimGranted, GrantedNic, NodeNetworkStatus } from '../../src/store/node-network.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { memoryKube } from '../store/memory-kube.ts';
import { stateDir } from '../store/support.ts';
import { config, good } from './support.ts';

const log = createLog('test', 'error', () => undefined);
const mine = parseCidr('10.0.0.7/32');
const nic: GrantedNic = {
  id: 'nic-1' as NicId, // the cloud's own word in these tests
  mac: parseMac('02:00:00:00:00:01'),
  subnet: 'a',
  deviceIndex: 1,
  mtu: 1500,
  blocks: [mine],
  reclaiming: [],
  claimed: [mine],
};
const answer: ClaimGranted = { namespace: 'shop', pod: 'db-0', uid: 'uid-1', subnet: 'a', addresses: [parseIp('10.0.0.7')] };
const request = good('add', {}, { CNI_ARGS: 'K8S_POD_NAMESPACE=shop;K8S_POD_NAME=db-0' });

/** A node with the Pod shop/db-0, to which the controller said that. */
async function node(
  t: TestContext,
  said: NodeNetworkStatus | undefined,
  hasNamespace = true,
  subnets: readonly PodSubnet[] = config.subnets,
): Promise<NodeAgent & { cloud: CloudPart }> {
  const kube = memoryKube();
  kube.put(resources.namespaces, { metadata: { name: 'shop' } });
  const metadata = { name: 'db-0', uid: 'uid-1', annotations: { 'flatpod.dev/ip': 'fixed' } };
  kube.put({ ...resources.pods, namespace: 'shop' }, { metadata, spec: { nodeName: 'n1', serviceAccountName: 'db' } });
  kube.fault = ({ resource }) =>
    !hasNamespace && resource === 'namespaces' ? failure('kubeForbidden', { call: 'get namespaces', text: 'not you' }) : 'none';
  const pods = nodePods(kube, 'n1', log, () => undefined, { subnets: () => subnets });
  const dir = stateDir();
  const database = openDatabase(dir.path);
  const kernel = openKernel();
  t.after(() => {
    pods.stop();
    kernel[Symbol.dispose]();
    database.close();
    dir[Symbol.dispose]();
  });
  for (let turn = 0; turn < 6; turn++) await nextTurn();
  const grants = {
    subnets,
    nics: [],
    status: said,
    plan: [],
    viaNode: [],
    draining: undefined,
    demandChanged: () => undefined,
    drain: () => undefined,
    leave: () => [],
    stop: () => undefined,
  };
  const cloud: CloudPart = {
    name: 'n1',
    hasKind: () => true,
    config: { ...config.config.spec, addressWait_s: 0 },
    pools: new Pools(config.subnets, { demandChanged: () => undefined }),
    grants,
    pods,
  };
  const attachments = openAttachments(database, readAttachedInterface);
  return { kernel, database, attachments, interrupted: new Set(), locks: new Locks(), log, cloud };
}

const nothing: NodeNetworkStatus = { vpcCidrs: [], nics: [], growth: [] };
const problem = '10.0.0.7 is on node n2 still, which was asked to give it back';
const cases: readonly [what: string, said: NodeNetworkStatus | undefined, details: RegExp][] = [
  ['the controller has not answered', nothing, /^the controller has not answered yet$/],
  [
    'the controller says what is in the way',
    { ...nothing, claims: [{ ...answer, addresses: [], problem }] },
    /^10\.0\.0\.7 is on node n2 still/,
  ],
  ['the address is not granted yet', { ...nothing, claims: [answer] }, /^10\.0\.0\.7 is on its way to this node$/],
  [
    'it is asked back',
    { ...nothing, nics: [{ ...nic, reclaiming: [mine] }], claims: [answer] },
    /^10\.0\.0\.7 is on its way to this node$/,
  ],
];

for (const [what, said, details] of cases) {
  test(`ADD of a Pod with an address of its own that is not here: FP241 claimNotHere, ${what}`, async (t) => {
    const one = await node(t, said);
    await assert.rejects(attach(one, one.cloud, { ...request, claims: true }, recordByDatapath(one, one.cloud, request)), {
      kind: 'claimNotHere',
      message: /shop\/db-0/,
      details,
    });
  });
}

test('ADD of a Pod whose own address another container has still: FP241 claimNotHere names the container', async (t) => {
  const one = await node(t, { ...nothing, nics: [nic], claims: [answer] });
  const wish = { container: 'old', ifname: 'eth0', netns: '/run/netns/fpt-none', mac: undefined, mtu: undefined };
  const made = podInterface(wish, { datapath: 'routed-veth' }, { nic, link: 'eth1' }, answer.addresses, {
    numbers: config.config.spec.numbers,
    viaNode: [],
  });
  const names = { container: 'old', ifname: 'eth0', network: 'pods', netns: wish.netns, subnet: 'a', nic: nic.id };
  one.attachments.open({ ...names, pod: {}, state: 'opening', created_ms: 1, interface: made });
  await assert.rejects(attach(one, one.cloud, { ...request, claims: true }, recordByDatapath(one, one.cloud, request)), {
    kind: 'claimNotHere',
    details: 'container old on this node still has 10.0.0.7',
  });
});

test('ADD of a Pod whose service account cannot be read, where a PodSubnet selects by it: FP253 serviceAccountUnknown', async (t) => {
  const [common] = config.subnets;
  assert.ok(common);
  const selector = { matchLabels: { role: 'db' }, matchExpressions: [] };
  const selecting = { ...common, spec: { ...common.spec, default: false, serviceAccountSelector: selector } };
  const one = await node(t, nothing, true, [common, selecting]);
  await assert.rejects(attach(one, one.cloud, { ...request, claims: true }, recordByDatapath(one, one.cloud, request)), {
    kind: 'serviceAccountUnknown',
    code: 253,
    message: /which PodSubnet is for shop\/db-0: its service account shop\/db could not be read/,
  });
});

test('ADD of a Pod whose namespace cannot be read: FP243 namespaceUnknown', async (t) => {
  const one = await node(t, nothing, false);
  await assert.rejects(attach(one, one.cloud, { ...request, claims: true }, recordByDatapath(one, one.cloud, request)), {
    kind: 'namespaceUnknown',
    code: 243,
    message: /its namespace shop could not be read/,
  });
});
