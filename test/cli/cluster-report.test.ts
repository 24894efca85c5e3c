/** The cluster in numbers, what will run out first, and whose an address is: concluded from objects alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownerOf, type OwnerFacts } from '../../src/cli/kubectl/address-owner.ts';
import { type ClusterObjects, clusterReport } from '../../src/cli/kubectl/cluster-report.ts';
import { podStack } from '../../src/cli/kubectl/pod-view.ts';
import { clusterText } from '../../src/cli/kubectl/status.ts';
import { sayChoice } from '../../src/cli/kubectl/subnet-reason.ts';
import { ago } from '../../src/cli/kubectl/words.ts';
import { parseIp } from '../../src/net/address.ts';
import { agentPod, before, claim, facts, lease, network, nic, node, now_ms, pod, subnet } from './cluster-objects.ts';

const plain = { write: () => true };
const told = { subnets: [{ name: 'pods', spec: { cloudSubnet: 'cloud-pods', default: true, perNode: { maximum: 8 } } }] };

function objects(more: Partial<ClusterObjects> = {}): ClusterObjects {
  return {
    subnets: [subnet('pods', { default: true, perNode: { maximum: 8 } }, { zone: 'a', cidrs: ['10.20.0.0/24'], free: 200 })],
    networks: [
      network({}, told),
      network({ demand: [{ subnet: 'pods', inUse: 2, cooling: 1, waiting: 0 }] }, { instance: 'i-2', ...told }, 'n2'),
    ],
    claims: [claim({}), claim({ phase: 'Reserved' }, 'web-1')],
    lease: lease(),
    agents: [agentPod()],
    unreadable: [],
    now_ms,
    ...more,
  };
}

test('numbers of a subnet are the sums of its nodes; each node says how its agent is', () => {
  const report = clusterReport(objects());
  const [pods] = report.subnets;
  assert.ok(pods);
  const { held, inUse, cooling, free, waiting, nodes, cloudFree, perNode, perCluster } = pods;
  assert.deepEqual(
    { held, inUse, cooling, free, waiting, nodes, cloudFree, perNode, perCluster },
    {
      held: 8,
      inUse: 3,
      cooling: 1,
      free: 4,
      waiting: 0,
      nodes: 2,
      cloudFree: 200,
      perNode: 8,
      perCluster: null,
    },
  );
  assert.deepEqual(
    report.nodes.map(({ name, instance, nics, held: own, agent }) => [name, instance, nics, own, agent]),
    [
      ['n1', 'i-1', 1, 4, 'ready'],
      ['n2', 'i-2', 1, 4, 'none'],
    ],
  );
  assert.deepEqual(report.claims, { claims: 2, Reserved: 1, Bound: 1, Moving: 0, Releasing: 0 });
  assert.deepEqual(report.controller, { holder: 'c-1', term: 3, renewed_ms: now_ms - 2000, alive: true });
});

test('nothing is short: the limit with the smallest share left is told', () => {
  const { pressure } = clusterReport(objects());
  assert.deepEqual(
    pressure.map(({ level }) => level),
    ['fine'],
  );
  assert.match(pressure[0]?.text ?? '', /nothing is short; first would be: 5 of 8 addresses of PodSubnet pods on node n2 are left/);
});

test('Pods that wait for what cannot come are first, then limits of which a tenth is left', () => {
  const short = network(
    { demand: [{ subnet: 'pods', inUse: 4, cooling: 0, waiting: 3 }] },
    { growth: [{ subnet: 'pods', stoppedBy: 'instance', text: 'instance type v1.small is full' }] },
    'n3',
  );
  const tight = subnet('pods', { default: true, perNode: { maximum: 8 }, perCluster: { maximum: 13 } }, { free: 1 });
  const { pressure, nodes } = clusterReport(objects({ subnets: [tight], networks: [...objects().networks, short] }));
  assert.deepEqual(
    pressure.map(({ level, text }) => `${level}: ${text.split(';')[0]}`),
    [
      'short: 3 Pods on node n3 get no address of PodSubnet pods: instance type v1.small is full',
      'soon: 0 of 4 addresses of PodSubnet pods on node n3 are left',
      'soon: 1 of 13 addresses that all nodes together may hold of PodSubnet pods (perCluster.maximum) are left',
      'soon: 1 of 13 addresses of cloud subnet cloud-pods (PodSubnet pods) are left',
    ],
  );
  assert.deepEqual(nodes.find(({ name }) => name === 'n3')?.stopped, [
    { subnet: 'pods', by: 'instance', text: 'instance type v1.small is full' },
  ]);
});

test('a node that nobody has spoken of, one that drains and one that misses an interface say so', () => {
  const silent = { ...network(undefined, {}, 'n4'), spec: undefined, status: undefined };
  const unanswered = { ...network({}, {}, 'n5'), status: undefined };
  const report = clusterReport(
    objects({ networks: [silent, unanswered, network({ draining: 'x', unplugged: ['nic-1'] })], lease: undefined }),
  );
  assert.deepEqual(
    report.nodes.map(({ name, problem, draining }) => [name, problem, draining]),
    [
      ['n1', 'it does not see granted interfaces: nic-1', true],
      ['n4', 'its agent has never spoken', false],
      ['n5', 'the controller has not answered its agent yet', false],
    ],
  );
  assert.equal(report.controller, null);
});

test('status is aligned tables, without colour where nobody looks', () => {
  const text = clusterText(plain, clusterReport(objects({ unreadable: ['PodSubnet odd: spec.unit: wrong'] })), now_ms);
  assert.match(text, /^CONTROLLER {2}c-1 leads, term 3, seen 2s ago$/m);
  assert.match(text, /^PODSUBNET +CLOUD SUBNET +CIDR +HELD +CLAIMED +IN USE +COOLING +FREE/m);
  assert.match(text, /^pods \(default\) +cloud-pods +10\.20\.0\.0\/24 +8 +0 +3 +1 +4 +0 +200 +8 +- +2 +-$/m);
  assert.match(text, /^n2 +i-2 +1 +4 +0 +2 +1 +1 +0 +none +-$/m);
  assert.match(text, /^IPCLAIMS {2}2, with 2 addresses: 1 bound, 1 reserved, 0 moving, 0 releasing$/m);
  assert.match(text, /^PRESSURE\nfine {3}nothing is short/m);
  assert.match(text, /^LEFT OUT\nPodSubnet odd/m);
  assert.ok(!text.includes('\u001b'));
  const coloured = clusterText({ ...plain, isTTY: true }, clusterReport(objects()), now_ms).includes('\u001b[');
  assert.equal(coloured, process.env['NO_COLOR'] === undefined);
});

const running = pod({}, { phase: 'Running', podIP: '10.20.0.17' });
const owners: readonly (readonly [what: string, address: string, kind: string, sentence: RegExp, more?: Partial<OwnerFacts>])[] = [
  [
    'of a Pod',
    '10.20.0.17',
    'pod',
    /^10\.20\.0\.17 is shop\/web-0's, on node n1: NIC nic-1 of node n1, block 10\.20\.0\.17\/32, PodSubnet pods$/,
  ],
  [
    'of a Pod, by its claim',
    '10.20.0.17',
    'pod',
    /is shop\/web-0's by IPClaim shop\/web-0/,
    { claims: [claim({ address: '10.20.0.17' })] },
  ],
  [
    'of a Pod that has ended',
    '10.20.0.18',
    'held',
    /is no Pod's: NIC nic-1/,
    { pods: [pod({}, { phase: 'Failed', podIP: '10.20.0.18' })] },
  ],
  [
    'kept for a Pod',
    '10.20.0.99',
    'claim',
    /is kept by IPClaim shop\/web-0 for Pod web-0: Reserved since .*no node was granted it/,
    { claims: [claim({ phase: 'Reserved', pod: 'web-0' })] },
  ],
  ['held, and free', '10.20.0.18', 'held', /is no Pod's: NIC nic-1 of node n1/],
  [
    'of a NIC and its Node',
    '10.20.0.10',
    'interface',
    /own address of NIC nic-1 of node n1.*address of node n1 too/,
    { pods: [pod({ hostNetwork: true }, { podIP: '10.20.0.10' })] },
  ],
  ['of a Node alone', '192.168.0.7', 'node', /is the address of node n1/, { nodes: [{ ...node(), addresses: [parseIp('192.168.0.7')] }] }],
  ['of the gateway', '10.20.0.1', 'gateway', /gateway of the subnet of NIC nic-1/],
  ['excluded', '10.20.0.200', 'excluded', /spec\.exclude of PodSubnet pods names it/],
  ['of the subnet, and no node’s', '10.20.0.123', 'subnet', /no node holds it/],
  ['of nobody', '192.0.2.1', 'nobody', /of no PodSubnet that is known/],
];

for (const [what, address, kind, sentence, more] of owners) {
  test(`an address ${what}: ${kind}`, () => {
    const owner = ownerOf({
      address: parseIp(address),
      networks: [network()],
      subnets: [subnet('pods', { exclude: ['10.20.0.200'] }, { cidrs: ['10.20.0.0/24'] })],
      nodes: [node()],
      pods: [running],
      claims: [],
      ...more,
    });
    assert.equal(owner.kind, kind, owner.sentence);
    assert.match(owner.sentence, sentence);
    if (kind === 'pod' || kind === 'held') assert.deepEqual([owner.node, owner.nic, owner.subnet], ['n1', 'nic-1', 'pods']);
  });
}

test('why a PodSubnet: the namespace names it, its lists and selectors, a default, or nothing any more', () => {
  const asking = { namespace: 'shop', subnet: undefined, podLabels: { app: 'web' }, namespaceLabels: { team: 'web' } };
  const say = (spec: object, annotations: Record<string, string> = {}): string =>
    sayChoice('a', [subnet('a', spec)], { ...asking, namespaceAnnotations: annotations });
  assert.match(
    say({}, { 'flatpod.dev/pod-subnet': 'gold, a' }),
    /^namespace shop names it \(annotation flatpod\.dev\/pod-subnet: gold, a\)$/,
  );
  assert.equal(say({ namespaces: ['shop'], priority: 3 }), 'its spec.namespaces has shop, priority 3');
  const selectors = { namespaceSelector: { matchLabels: { team: 'web' } }, podSelector: { matchLabels: { app: 'web' } } };
  assert.equal(
    say(selectors),
    'its spec.namespaceSelector (team=web) selects namespace shop and its spec.podSelector (app=web) selects the Pod',
  );
  const robots = { serviceAccountSelector: { matchLabels: { role: 'robot' } } };
  assert.match(say(robots), /^nothing chooses it for this Pod now/);
  assert.equal(
    sayChoice('a', [subnet('a', robots)], { ...asking, serviceAccountLabels: { role: 'robot' } }),
    'its spec.serviceAccountSelector (role=robot) selects its service account',
  );
  assert.equal(say({ default: true }), 'no other PodSubnet is for the Pod, and this one is a default');
  assert.match(say({}), /^nothing chooses it for this Pod now/);
  assert.equal(sayChoice('b', [], asking), 'it is not there any more');
});

test('the stack of a Pod has its subnet, NIC, block and claim also when the agent cannot be asked, and says that', () => {
  const { namespace, subnets } = facts();
  const own = claim({ address: '10.20.0.17', podUid: 'u-web-0', node: 'n1' });
  const base = { pod: running, namespace, serviceAccount: undefined, subnets, claims: [own], agent: { problem: 'nobody there' } };
  const stack = podStack({ ...base, network: network({}, { nics: [nic(['10.20.0.17/32'], { claimed: ['10.20.0.17/32'] })] }) });
  assert.deepEqual(stack.subnet, {
    name: 'pods',
    cloudSubnet: 'cloud-pods',
    why: 'no other PodSubnet is for the Pod, and this one is a default',
  });
  assert.deepEqual(stack.cloud, [
    {
      address: '10.20.0.17',
      instance: 'i-1',
      nic: 'nic-1',
      deviceIndex: 0,
      mac: '02:00:00:00:00:01',
      block: '10.20.0.17/32',
      claimed: true,
    },
  ]);
  assert.deepEqual(stack.claims, [{ name: 'web-0', address: '10.20.0.17', phase: 'Bound', node: 'n1', reclaim: 'Retain' }]);
  assert.equal(stack.agentProblem, 'nobody there');
  const lost = podStack({ ...base, network: undefined });
  assert.deepEqual(
    lost.cloud.map(({ nic: id, block }) => [id, block]),
    [['', '']],
  );
});

test('ages are told as kubectl tells them', () => {
  const ages = [0, 119, 120, 7199, 7200, 172_799, 172_800].map((s) => ago(Date.parse(before(s)), now_ms));
  assert.deepEqual(ages, ['0s', '119s', '2m', '119m', '2h', '47h', '2d']);
  assert.deepEqual([ago(undefined, now_ms), ago(now_ms + 5000, now_ms)], ['-', '0s']);
});
