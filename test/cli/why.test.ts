/** Why a Pod has no address: for each state of a cluster the reason, and what it is concluded from. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { WhyFacts, WhyKind } from '../../src/cli/kubectl/why-facts.ts';
import { whyOf } from '../../src/cli/kubectl/why-of.ts';
import { agentPod, before, claim, facts, lease, network, nic, node, pod, sandboxEvent, subnet } from './cluster-objects.ts';

const unschedulable = (message: string, reason = 'Unschedulable'): WhyFacts['pod'] =>
  pod({ nodeName: undefined }, { conditions: [{ type: 'PodScheduled', status: 'False', reason, message }] });
const full = network(
  { demand: [{ subnet: 'pods', inUse: 4, cooling: 0, waiting: 1 }] },
  { growth: [{ subnet: 'pods', stoppedBy: 'ceiling', text: 'this node holds 4 of at most 4 addresses of pods (perNode.maximum)' }] },
);
const exhaustedError = 'no address left for shop/web-0 in pods (FP130); 4 in use, 0 cooling; raise it';
const asking = { annotations: { 'flatpod.dev/ip': 'fixed' } };
const asked = { claims: [{ namespace: 'shop', pod: 'web-0', uid: 'u-web-0', subnets: ['pods'] }] };
const answered = (answer: object): object => ({ claims: [{ namespace: 'shop', pod: 'web-0', uid: 'u-web-0', ...answer }] });
const other = { name: 'b', spec: { cloudSubnet: 'cloud-b', namespaces: ['shop'] } };
const office = { parent: 'bond0.17', ipv4: { cidr: '10.17.0.0/24' } };
const pods = { name: 'pods', spec: { cloudSubnet: 'cloud-pods', default: true } };

const table: readonly (readonly [what: string, more: Partial<WhyFacts>, kind: WhyKind, sentence: RegExp, remedy?: RegExp])[] = [
  [
    'a Pod on the host network',
    { pod: pod({ hostNetwork: true }, { podIP: '10.20.0.10' }) },
    'host-network',
    /shares the network of node n1 .*10\.20\.0\.10/,
  ],
  ['a Pod that has ended', { pod: pod({}, { phase: 'Succeeded', podIP: '10.20.0.16' }) }, 'ended', /has ended \(Succeeded\)/],
  [
    'a Pod with an address',
    { pod: pod({}, { phase: 'Running', podIP: '10.20.0.17' }) },
    'has-address',
    /has 10\.20\.0\.17 of PodSubnet pods, on NIC nic-1 of node n1/,
  ],
  [
    'a Pod with somebody else’s address',
    { pod: pod({}, { podIP: '172.17.0.2' }) },
    'foreign-address',
    /172\.17\.0\.2, which is of no block that node n1/,
  ],
  ['a Pod that is being deleted', { pod: pod({}, {}, { deletionTimestamp: before(1) }) }, 'leaving', /is being deleted/],
  ['a Pod with scheduling gates', { pod: unschedulable('gated', 'SchedulingGated') }, 'gated', /schedulingGates/],
  [
    'a Pod for which no node has an address left',
    { pod: unschedulable('0/2 nodes are available: 2 Insufficient flatpod.dev/addresses.'), networks: [full] },
    'no-node-has-room',
    /none that fits has an address left: 0\/2 nodes/,
    /kubectl flatpod status/,
  ],
  [
    'a Pod that no node has the memory for',
    { pod: unschedulable('0/2 nodes are available: 2 Insufficient memory.') },
    'unschedulable',
    /2 Insufficient memory/,
    /not about addresses/,
  ],
  [
    'a Pod whose nodes are not ready',
    { pod: unschedulable('0/1 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.') },
    'unschedulable',
    /not-ready/,
    /whose agent cannot serve is not ready/,
  ],
  ['a Pod the scheduler has not looked at', { pod: pod({ nodeName: undefined }) }, 'not-scheduled', /has not looked at it/],
  ['a Pod whose node is gone', { node: undefined }, 'node-gone', /its node n1 is not there any more/],
  ['a node without a providerID', { node: node({ providerID: undefined }), networks: [] }, 'no-instance', /spec\.providerID is not set/],
  [
    'a node without a providerID where there is no cloud',
    {
      node: node({ providerID: undefined }),
      networks: [],
      subnets: [subnet('office', { range: office, datapath: 'macvlan' })],
    },
    'no-node-network',
    /node n1 has no NodeNetwork/,
  ],
  ['a node without a NodeNetwork', { networks: [] }, 'no-node-network', /has no NodeNetwork.*controller c-1 leads \(term 3\), seen 2s ago/],
  ['a node without a NodeNetwork, and nobody leads', { networks: [], lease: undefined }, 'no-node-network', /no controller has ever led/],
  [
    'a leader that is silent',
    { networks: [], lease: lease({ renewTime: before(600) }) },
    'no-node-network',
    /the last leader, c-1, was last seen 10m ago/,
  ],
  [
    'a Lease that was given back',
    { networks: [], lease: lease({ holderIdentity: '' }) },
    'no-node-network',
    /no controller leads right now/,
  ],
  [
    'a node without an agent',
    { networks: [{ ...network(), spec: undefined, status: undefined }], agent: undefined },
    'agent-silent',
    /has never spoken: there is no agent Pod/,
  ],
  [
    'a node whose agent does not start',
    {
      networks: [{ ...network(), spec: undefined, status: undefined }],
      agent: agentPod({
        containerStatuses: [
          { name: 'agent', ready: false, restartCount: 4, state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off' } } },
        ],
      }),
    },
    'agent-silent',
    /waits: CrashLoopBackOff \(back-off\), after 4 restarts/,
  ],
  [
    'a controller that never answered',
    { networks: [{ ...network(), status: undefined }] },
    'controller-silent',
    /has not answered node n1 yet; controller c-1 leads/,
  ],
  [
    'an instance that was replaced',
    { node: node({ providerID: 'vpc:///zone-a/i-2' }) },
    'instance-replaced',
    /another instance now \(i-2\).*still about i-1/,
  ],
  ['a node that drains', { networks: [network({ draining: 'x' })] }, 'draining', /node n1 is leaving/],
  [
    'a claim the agent has not passed on',
    { pod: pod({}, {}, asking) },
    'claim',
    /waits for its own address \(annotation flatpod\.dev\/ip\): the agent of its node has not asked/,
  ],
  [
    'a claim the controller has not answered',
    { pod: pod({}, {}, asking), networks: [network(asked)] },
    'claim',
    /the controller has not answered its node yet/,
  ],
  [
    'a claim whose address is on another node',
    { pod: pod({}, {}, asking), networks: [network(asked)], claims: [claim({ node: 'n2', pod: 'web-0', podUid: 'u-old' })] },
    'claim',
    /10\.20\.0\.99 is still on node n2, of Pod web-0 \(Bound since/,
    /describe ipclaim -n shop web-0/,
  ],
  [
    'a claim the controller says something of',
    { pod: pod({}, {}, asking), networks: [network(asked, answered({ problem: '10.20.0.99 belongs to shop/db' }))] },
    'claim',
    /: 10\.20\.0\.99 belongs to shop\/db$/,
  ],
  [
    'a claim that does not exist',
    { pod: pod({}, {}, { annotations: { 'flatpod.dev/ip-claim': 'ours' } }) },
    'claim',
    /there is no IPClaim ours in namespace shop/,
  ],
  [
    'a claim that is served, and a kernel that refuses',
    {
      pod: pod({}, {}, asking),
      networks: [network(asked, answered({ subnet: 'pods', addresses: ['10.20.0.16'] }))],
      events: [sandboxEvent('the kernel refused it (FP140); EPERM')],
    },
    'refused',
    /the kernel refused it \(FP140\)/,
  ],
  [
    'a claim that is served, on a node that can hold no more for others',
    {
      pod: pod({}, {}, asking),
      networks: [
        {
          ...full,
          ...network(
            { ...full.spec, ...asked },
            { growth: full.status?.growth, ...answered({ subnet: 'pods', addresses: ['10.20.0.16'] }) },
          ),
        },
      ],
    },
    'on-its-way',
    /nothing stands in its way/,
  ],
  [
    'a node that is tainted for want of addresses',
    { pod: unschedulable('0/1 nodes are available: 1 node(s) had untolerated taint {flatpod.dev/no-address: }.') },
    'no-node-has-room',
    /none that fits has an address left/,
  ],
  [
    'a namespace that no PodSubnet serves',
    {
      subnets: [subnet('b', { namespaces: ['bank'] })],
      networks: [network({}, { subnets: [{ name: 'b', spec: { cloudSubnet: 'c', namespaces: ['bank'] } }] })],
    },
    'no-subnet',
    /no PodSubnet serves it: none names or selects namespace shop and none is the default; there are b: for namespaces bank/,
    /spec\.default/,
  ],
  [
    'a service account that the PodSubnet does not select',
    {
      serviceAccount: { namespace: 'shop', name: 'web', labels: {} },
      subnets: [subnet('b', { serviceAccountSelector: { matchLabels: { role: 'robot' } } })],
      networks: [
        network({}, { subnets: [{ name: 'b', spec: { cloudSubnet: 'c', serviceAccountSelector: { matchLabels: { role: 'robot' } } } }] }),
      ],
    },
    'no-subnet',
    /there are b: for Pods whose service account has role=robot$/,
  ],
  [
    'a PodSubnet that is for other nodes',
    {
      subnets: [subnet('b', { namespaces: ['shop'], nodeSelector: { matchLabels: { zone: 'b' } } })],
      networks: [network({}, { subnets: [] })],
    },
    'subnet-elsewhere',
    /PodSubnet b would serve it, but is not for node n1/,
  ],
  [
    'a namespace annotated with a PodSubnet that is not there',
    { namespace: { name: 'shop', uid: 'uid-of-it', labels: {}, annotations: { 'flatpod.dev/pod-subnet': 'gold' } } },
    'no-subnet',
    /asks for gold/,
  ],
  [
    'a kernel that refuses',
    { events: [sandboxEvent('the kernel refused route (FP140); ENODEV; report it')] },
    'refused',
    /the kernel refused route \(FP140\), 5s ago, 3 times/,
    /^ENODEV; report it$/,
  ],
  [
    'a node that can hold no more',
    { networks: [full], events: [sandboxEvent(exhaustedError)] },
    'exhausted',
    /node n1 has none left; PodSubnet pods: 4 held, 4 in use, 0 cooling, 0 free, 1 waiting, growth stopped by the ceiling \(this node holds 4 of at most 4/,
    /raise the ceiling in spec\.perNode/,
  ],
  [
    'a node that can hold no more of the first subnet, but of the second',
    {
      networks: [
        network(
          { demand: [{ subnet: 'b', inUse: 0, cooling: 0, waiting: 1 }] },
          { subnets: [pods, other], growth: [{ subnet: 'b', stoppedBy: 'none', text: '' }] },
        ),
      ],
    },
    'growing',
    /on its way to node n1: PodSubnet b \(0 held/,
  ],
  [
    'a node that is about to get more',
    { networks: [network({ demand: [{ subnet: 'pods', inUse: 4, cooling: 0, waiting: 2 }] })] },
    'growing',
    /on its way to node n1: PodSubnet pods \(4 held/,
  ],
  [
    'free addresses, but fewer than Pods that wait',
    {
      networks: [
        network(
          { demand: [{ subnet: 'pods', inUse: 2, cooling: 0, waiting: 5 }] },
          { growth: [{ subnet: 'pods', stoppedBy: 'cloud', text: 'quota' }] },
        ),
      ],
    },
    'exhausted',
    /the cloud \(quota\)/,
  ],
  [
    'what the agent said last, when there are free ones by now',
    { events: [sandboxEvent(exhaustedError)] },
    'refused',
    /no address left for shop\/web-0 in pods \(FP130\)/,
  ],
  [
    'a sandbox that fails for another reason',
    {
      events: [
        {
          reason: 'FailedCreatePodSandBox',
          message: 'Failed to create pod sandbox: rpc error: code = Unknown desc = no such image pause',
          count: 1,
          last_ms: 1,
        },
      ],
    },
    'not-ours',
    /not Flatpod's: no such image pause/,
  ],
  [
    'an agent that is not ready',
    { agent: agentPod({ containerStatuses: [] }) },
    'agent-not-ready',
    /its Pod kube-system\/flatpod-agent-x is Running, not ready/,
  ],
  ['a node that is not ready', { node: node({}, 'False') }, 'node-not-ready', /is not ready: kubelet says so/],
  ['nothing wrong', {}, 'on-its-way', /nothing stands in its way/],
];

for (const [what, more, kind, sentence, remedy] of table) {
  test(`${what}: ${kind}`, () => {
    const why = whyOf(facts(more));
    assert.equal(why.kind, kind, why.sentence);
    assert.match(why.sentence, sentence);
    assert.match(why.sentence, /^shop\/web-0 /);
    if (remedy !== undefined) assert.match(why.remedy, remedy);
    assert.equal(why.well, ['has-address', 'host-network', 'ended'].includes(kind));
  });
}

test('every reason is met by a row of the table, and every row without a remedy needs none', () => {
  const met = new Set(table.map(([, , kind]) => kind));
  for (const kind of ['leaving', 'has-address', 'host-network', 'ended'] as const) met.delete(kind);
  for (const [what, more, kind] of table) if (met.has(kind)) assert.notEqual(whyOf(facts(more)).remedy, '', what);
});

test('the evidence names Pod, Node, NodeNetwork, agent, controller, each choice in its order, and the last event', () => {
  const both = network({ demand: [] }, { subnets: [other, { ...pods, spec: { ...pods.spec, namespaces: ['shop'], priority: 5 } }] });
  const { evidence } = whyOf(facts({ networks: [both], events: [sandboxEvent('old (FP140); x', 900), sandboxEvent(exhaustedError, 5)] }));
  assert.deepEqual(evidence, [
    'Pod: uid u-web-0, Pending, node n1, addresses none',
    'Node n1: ready, providerID vpc:///zone-a/i-1',
    'NodeNetwork n1: agent has spoken, controller has answered, instance i-1',
    'agent: its Pod kube-system/flatpod-agent-x runs and is ready',
    'controller: controller c-1 leads (term 3), seen 2s ago',
    'PodSubnet pods (choice 1): 4 held, 0 in use, 0 cooling, 4 free, 0 waiting',
    'PodSubnet b (choice 2): the node holds none',
    'event 5s ago, 3 times: no address left for shop/web-0 in pods (FP130); 4 in use, 0 cooling; raise it',
  ]);
});

test('for a Pod without a node the evidence is which nodes have no address left', () => {
  const { evidence } = whyOf(
    facts({ pod: unschedulable('0/1 nodes: 1 Insufficient flatpod.dev/addresses'), networks: [full, network({}, {}, 'n2')] }),
  );
  assert.equal(evidence.length, 2);
  assert.match(evidence[1] ?? '', /^node n1, PodSubnet pods: 4 held.*raise the ceiling in spec\.perNode/);
});

test('excluded addresses, claimed ones and the second family count for nothing', () => {
  const dual = network(
    { demand: [] },
    {
      nics: [nic(['10.20.0.16/28', '10.20.0.40/32', '2001:db8::/80'], { claimed: ['10.20.0.40/32'] })],
      subnets: [{ name: 'pods', spec: { cloudSubnet: 'c', default: true, families: [4, 6], exclude: ['10.20.0.20'] } }],
    },
  );
  assert.match(whyOf(facts({ networks: [dual] })).evidence.join('\n'), /15 held, 0 in use, 0 cooling, 15 free/);
});
