/** `flatpod import aws-node`: every variable of the DaemonSet is answered for, ENIConfigs and subnets become PodSubnets that our programs read. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { writeFiles } from '../../src/cli/import/write-files.ts';
import { servesNode } from '../../src/store/kubernetes/cluster-subnets.ts';
import { subnet } from '../controller/harness.ts';
import * as fc from 'fast-check';
import { isFailure } from '../../src/errors/failure.ts';
import { entryOf, folder, importOf, specOf, textOfFixture, unfinished } from './import-support.ts';

/** Those that the README of the plugin's release 1.23.1 documents, and one that only its code names. */
const documented =
  'WARM_ENI_TARGET WARM_IP_TARGET MINIMUM_IP_TARGET WARM_PREFIX_TARGET MAX_ENI ENABLE_PREFIX_DELEGATION ENABLE_IPv4 ENABLE_IPv6 ENABLE_V4_EGRESS ENABLE_V6_EGRESS AWS_VPC_K8S_CNI_EXTERNALSNAT AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS AWS_VPC_K8S_CNI_RANDOMIZESNAT AWS_VPC_CNI_NODE_PORT_SUPPORT AWS_EXTERNAL_SERVICE_CIDRS AWS_VPC_K8S_CNI_CONNMARK AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG ENI_CONFIG_LABEL_DEF ENI_CONFIG_ANNOTATION_DEF ENABLE_POD_ENI POD_SECURITY_GROUP_ENFORCING_MODE ENABLE_SUBNET_DISCOVERY IP_COOLDOWN_PERIOD AWS_VPC_ENI_MTU POD_MTU AWS_VPC_K8S_CNI_VETHPREFIX CLUSTER_NAME ADDITIONAL_ENI_TAGS DISABLE_LEAKED_ENI_CLEANUP DISABLE_NETWORK_RESOURCE_PROVISIONING ENABLE_IMDS_ONLY_MODE AWS_MANAGE_ENIS_NON_SCHEDULABLE ANNOTATE_POD_IP DISABLE_POD_V6 ENABLE_BANDWIDTH_PLUGIN ENABLE_MULTI_NIC INTROSPECTION_BIND_ADDRESS DISABLE_METRICS AWS_VPC_K8S_CNI_LOGLEVEL AWS_VPC_K8S_CNI_LOG_FILE HOST_CNI_BIN_PATH HOST_CNI_CONFDIR_PATH AWS_VPC_K8S_PLUGIN_LOG_FILE AWS_VPC_K8S_PLUGIN_LOG_LEVEL DISABLE_INTROSPECTION AWS_VPC_K8S_CNI_CONFIGURE_RPFILTER CLUSTER_ENDPOINT DISABLE_TCP_EARLY_DEMUX ENABLE_NFTABLES AWS_EC2_ENDPOINT NETWORK_POLICY_ENFORCING_MODE'.split(
    ' ',
  );
const subnets = textOfFixture('aws-node/subnets.json');

/** A DaemonSet with these variables. */
function daemonSet(env: Readonly<Record<string, string>>): object {
  const entries = Object.entries(env).map(([name, value]) => ({ name, value }));
  const spec = { template: { spec: { containers: [{ name: 'aws-node', env: entries }] } } };
  return { apiVersion: 'apps/v1', kind: 'DaemonSet', metadata: { name: 'aws-node' }, spec };
}

const whole = () => importOf('aws-node', textOfFixture('aws-node/daemonset.yaml'), textOfFixture('aws-node/eniconfigs.yaml'));

test('custom networking by zone becomes a PodSubnet for each ENIConfig, which our programs read without a complaint', () => {
  const imported = whole();
  assert.deepEqual(unfinished(imported), []);
  assert.deepEqual(specOf(imported.made, 'PodSubnet', 'eu-west-1a'), {
    cloudSubnet: 'subnet-0aa1aa2aa3aa4aa5a',
    default: true,
    nodeSelector: { matchLabels: { 'topology.kubernetes.io/zone': 'eu-west-1a' } },
    securityGroups: ['sg-0a1b2c3d4e5f60718', 'sg-0f0e0d0c0b0a09080'],
    useFirstNic: false,
    unit: 'prefix',
    warm: { spare: 8, minimum: 24 },
    perNode: { interfaces: 2 },
  });
  assert.deepEqual(specOf(imported.made, 'NodeConfig'), {
    cluster: {},
    snat: { exclude: ['192.168.0.0/16', '10.99.3.0/24'] },
    log: 'debug',
  });
  assert.deepEqual(specOf(imported.made, 'ControllerConfig'), {
    cluster: 'shop-prod',
    cloud: { type: 'aws', vpc: 'vpc-0b1c2d3e4f5a60718' },
  });
});

test('every documented variable is answered for once, set or not, and so is every other one that is set', () => {
  for (const imported of [whole(), importOf('aws-node', daemonSet({}), subnets)]) {
    const told = imported.account.entries.map(({ key }) => key.replace(/ \(not set\)$/, '').split('.')[0]);
    for (const name of documented) assert.equal(told.filter((key) => key === name).length, 1, name);
  }
});

test('settings without equal are named with line, reason and remedy', () => {
  const imported = whole();
  for (const key of ['ENABLE_POD_ENI', 'ADDITIONAL_ENI_TAGS.team', '--enable-network-policy']) {
    const { fate, from, text, remedy } = entryOf(imported, key);
    assert.equal(fate, 'none', key);
    assert.match(from, /\/0:\d+$/);
    assert.ok(text !== '' && remedy !== '', key);
  }
  assert.equal(entryOf(imported, 'MAX_ENI').from.split(':').at(-1), '46');
});

test('without custom networking the subnets of the VPC become one PodSubnet, but those tagged as not for Pods: the emptiest is used', () => {
  const imported = importOf('aws-node', textOfFixture('aws-node/plain.json'), subnets);
  assert.deepEqual(
    unfinished(imported).filter((text) => !text.includes('named by ids')),
    [],
  );
  const { cloudSubnets, nodeSelector } = specOf(imported.made, 'PodSubnet', 'pods');
  assert.deepEqual([cloudSubnets, nodeSelector], [{ ids: ['subnet-0aa1aa2aa3aa4aa5a', 'subnet-0bb1bb2bb3bb4bb5b'] }, undefined]);
  assert.deepEqual(specOf(imported.made, 'NodeConfig'), { cluster: {}, snat: { enabled: false }, cooldown_s: 60 });
  assert.deepEqual(specOf(imported.made, 'ControllerConfig')['cloud'], { type: 'aws', changes: false });
});

test('where all subnets have the tag they are found by it, also those that get it later; without discovery each is for its zone', () => {
  const all = ['a', 'b'].map((zone) => ({
    SubnetId: `subnet-${zone}`,
    AvailabilityZone: `eu-west-1${zone}`,
    Tags: [{ Key: 'kubernetes.io/role/cni', Value: '1' }],
  }));
  const tagged = importOf('aws-node', daemonSet({}), { Subnets: all });
  assert.deepEqual(unfinished(tagged), []);
  assert.deepEqual(specOf(tagged.made, 'PodSubnet')['cloudSubnets'], { tags: { 'kubernetes.io/role/cni': '1' } });
  const without = importOf('aws-node', daemonSet({ ENABLE_SUBNET_DISCOVERY: 'false' }), { Subnets: all });
  assert.deepEqual(unfinished(without), []);
  const { cloudSubnet, nodeSelector } = specOf(without.made, 'PodSubnet', 'subnet-b');
  assert.deepEqual([cloudSubnet, nodeSelector], ['subnet-b', { matchLabels: { 'topology.kubernetes.io/zone': 'eu-west-1b' } }]);
});

/** Subnets of one VPC by name, with these tags, found by clusters that share it. */
function sharedBy(
  tagsOf: Readonly<Record<string, Readonly<Record<string, string>>>>,
  env: Record<string, string> = { CLUSTER_NAME: 'shop' },
) {
  const Subnets = Object.entries(tagsOf).map(([id, tags]) => ({
    SubnetId: id,
    AvailabilityZone: 'eu-west-1a',
    Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
  }));
  const imported = importOf('aws-node', daemonSet(env), { Subnets });
  const why = imported.account.entries.find(({ key }) => key === 'spec.cloudSubnets');
  return { cloudSubnets: specOf(imported.made, 'PodSubnet')['cloudSubnets'], why: why?.remedy, imported };
}

test('a subnet that by its tags is another cluster’s is left out, and not found by a tag that both have', () => {
  const role = { 'kubernetes.io/role/cni': '1' };
  const [shop, other] = ['shop', 'other'].map((name) => `cni.networking.k8s.aws/cluster/${name}`) as [string, string];
  const theirs = { ...role, [other]: 'shared' };
  const own = sharedBy({ a: { ...role, [shop]: 'shared' }, b: theirs, c: { ...theirs, [shop]: 'shared' } });
  assert.deepEqual([own.cloudSubnets, own.why], [{ tags: { ...role, [shop]: 'shared' } }, undefined]);
  assert.deepEqual(
    own.imported.account.entries.filter(({ key }) => key === 'SubnetId').map(({ value, fate }) => [value, fate]),
    [
      ['"a"', 'taken'],
      ['"b"', 'equal'],
      ['"c"', 'taken'],
    ],
  );
  // One that is for every cluster has no such tag.
  for (const tags of [role, { ...role, [shop]: 'owned' }]) {
    const mixed = sharedBy({ a: { ...role, [shop]: 'shared' }, b: theirs, c: tags });
    assert.deepEqual(mixed.cloudSubnets, { ids: ['a', 'c'] });
    assert.match(mixed.why ?? '', /both tags.* by kubernetes.io\/role\/cni alone those of other clusters are found too/);
  }
  // The plugin looks at these tags only where it has the first one, and knows its cluster's name.
  assert.deepEqual(sharedBy({ a: { [other]: 'shared' }, b: role }).cloudSubnets, { ids: ['a', 'b'] });
  assert.deepEqual(sharedBy({ a: role, b: theirs }, {}).cloudSubnets, { tags: role });
});

const policy = (name: string, spec: object) => ({
  apiVersion: 'vpcresources.k8s.aws/v1beta1',
  kind: 'SecurityGroupPolicy',
  metadata: { name, namespace: 'shop' },
  spec,
});
const policies = {
  kind: 'List',
  items: [
    policy('web', { podSelector: { matchLabels: { app: 'web' } }, securityGroups: { groupIds: ['sg-1', 'sg-2'] } }),
    policy('rest', { podSelector: {}, securityGroups: { groupIds: ['sg-3'] } }),
    policy('robots', { serviceAccountSelector: { matchLabels: { role: 'robot' } }, securityGroups: { groupIds: ['sg-4'] } }),
    policy('both', {
      podSelector: { matchLabels: { app: 'web' } },
      serviceAccountSelector: { matchExpressions: [{ key: 'role', operator: 'Exists' }] },
      securityGroups: { groupIds: ['sg-5'] },
    }),
    policy('nobody', { securityGroups: { groupIds: ['sg-6'] } }),
  ],
};

test('a SecurityGroupPolicy becomes a PodSubnet with branches beside each PodSubnet, for the Pods and the service accounts that it selects', () => {
  const imported = importOf('aws-node', daemonSet({ ENABLE_POD_ENI: 'true', ENABLE_SUBNET_DISCOVERY: 'false' }), subnets, policies);
  assert.deepEqual(
    unfinished(imported).filter((text) => !text.includes('spec.cloud.branches')),
    [],
  );
  // What was read has objects without a prototype.
  assert.deepEqual(structuredClone(specOf(imported.made, 'PodSubnet', 'shop-web-subnet-0aa1aa2aa3aa4aa5a')), {
    cloudSubnet: 'subnet-0aa1aa2aa3aa4aa5a',
    nodeSelector: { matchLabels: { 'topology.kubernetes.io/zone': 'eu-west-1a' } },
    namespaces: ['shop'],
    podSelector: { matchLabels: { app: 'web' } },
    datapath: 'branch',
    securityGroups: ['sg-1', 'sg-2'],
    warm: { spare: 0 },
  });
  assert.equal(specOf(imported.made, 'PodSubnet', 'shop-rest-subnet-0bb1bb2bb3bb4bb5b')['podSelector'], undefined);
  const selectorsOf = (name: string) => {
    const { namespaces, podSelector, serviceAccountSelector } = specOf(imported.made, 'PodSubnet', `${name}-subnet-0aa1aa2aa3aa4aa5a`);
    return structuredClone({ namespaces, podSelector, serviceAccountSelector });
  };
  assert.deepEqual(selectorsOf('shop-robots'), {
    namespaces: ['shop'],
    podSelector: undefined,
    serviceAccountSelector: { matchLabels: { role: 'robot' } },
  });
  assert.deepEqual(selectorsOf('shop-both'), {
    namespaces: ['shop'],
    podSelector: { matchLabels: { app: 'web' } },
    serviceAccountSelector: { matchExpressions: [{ key: 'role', operator: 'Exists' }] },
  });
  assert.equal(imported.made.filter(({ kind }) => kind === 'PodSubnet').length, 2 + 4 * 2);
  assert.equal(entryOf(imported, 'SecurityGroupPolicy shop/robots').fate, 'taken');
  // It selects nobody there either.
  assert.equal(entryOf(imported, 'SecurityGroupPolicy shop/nobody').fate, 'none');
  assert.equal(entryOf(imported, 'ENABLE_POD_ENI').fate, 'taken');
  assert.match(entryOf(imported, 'SecurityGroupPolicies').remedy, /^delete them once their PodSubnets are there/);
  const off = importOf('aws-node', daemonSet({}), subnets, policies);
  assert.equal(entryOf(off, 'SecurityGroupPolicy shop/web').fate, 'none');
  assert.equal(off.made.filter(({ kind }) => kind === 'PodSubnet').length, 1);
});

test('a SecurityGroupPolicy without groups, or without a namespace, is a mistake', () => {
  const on = daemonSet({ ENABLE_POD_ENI: 'true' });
  const nameless = { kind: 'SecurityGroupPolicy', metadata: { name: 'a' }, spec: { securityGroups: { groupIds: ['sg-1'] } } };
  for (const wrong of [policy('a', { podSelector: {} }), policy('a', { podSelector: {}, securityGroups: { groupIds: [] } }), nameless])
    assert.throws(() => importOf('aws-node', on, subnets, wrong), { kind: 'importMistaken' });
});

/** ENIConfigs a and b, and nodes. */
function customOf(nodes: Readonly<Record<string, object>>, env: Record<string, string> = {}) {
  const config = (name: string) => ({ kind: 'ENIConfig', metadata: { name }, spec: { subnet: `subnet-${name}` } });
  const items = Object.entries(nodes).map(([name, metadata]) => ({ kind: 'Node', metadata: { name, ...metadata } }));
  const on = daemonSet({ AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: 'true', ...env });
  return importOf('aws-node', on, { kind: 'List', items: [config('a'), config('b'), ...items] });
}

/** Of each node the subnets of the PodSubnets that serve it, which are to be one, by what is made for it now or later. */
function servedBy(imported: ReturnType<typeof customOf>, node: { labels?: Record<string, string>; annotations?: Record<string, string> }) {
  const made = imported.made.filter(({ kind }) => kind === 'PodSubnet').map(({ name, spec }) => subnet(name, structuredClone(spec)));
  return made.filter((one) => servesNode(one, { labels: {}, annotations: {}, ...node })).map(({ spec }) => spec.cloudSubnet);
}

const usual = 'k8s.amazonaws.com/eniConfig';
const externally = 'vpc.amazonaws.com/externalEniConfig';

test('the external label, the annotation and the label of a node name its ENIConfig in this order, also where they are set later', () => {
  const imported = customOf({
    n1: { labels: { [usual]: 'a' } },
    n2: { labels: { [usual]: 'a', [externally]: 'b' } },
    n3: { labels: { [usual]: 'b' }, annotations: { [usual]: 'a' } },
    n4: { annotations: { [usual]: 'unknown' } },
  });
  assert.deepEqual(unfinished(imported), []);
  const told = imported.account.entries.filter(({ from }) => from.startsWith('Node ')).map(({ from, remedy }) => `${from}: ${remedy}`);
  assert.deepEqual(told, ['Node n4: add that, or correct the node']);
  for (const [labels, annotations, expected] of [
    [{ [usual]: 'a' }, {}, 'subnet-a'],
    [{ [usual]: 'b' }, {}, 'subnet-b'],
    [{ [usual]: 'b' }, { [usual]: 'a' }, 'subnet-a'],
    [{}, { [usual]: 'b' }, 'subnet-b'],
    [{ [usual]: 'a', [externally]: 'b' }, { [usual]: 'a' }, 'subnet-b'],
    [{ [externally]: 'a' }, {}, 'subnet-a'],
  ] as const)
    assert.deepEqual(servedBy(imported, { labels, annotations }), [expected], JSON.stringify([labels, annotations]));
  assert.deepEqual(servedBy(imported, {}), []);
});

test('an annotation of a name that was chosen is heeded though no node has it yet; a usual one that nobody uses makes no further PodSubnets', () => {
  const chosen = customOf({}, { ENI_CONFIG_ANNOTATION_DEF: 'example.com/eni' });
  assert.equal(entryOf(chosen, 'ENI_CONFIG_ANNOTATION_DEF').fate, 'taken');
  assert.deepEqual(servedBy(chosen, { labels: { [usual]: 'a' }, annotations: { 'example.com/eni': 'b' } }), ['subnet-b']);
  const plain = customOf({ n1: { labels: { [usual]: 'a' }, annotations: { [usual]: 'a' } } });
  assert.equal(plain.made.filter(({ kind }) => kind === 'PodSubnet').length, 2);
});

test('without any subnet the PodSubnet is left to be completed, and the account says so', () => {
  assert.deepEqual(unfinished(importOf('aws-node', daemonSet({}))), ['PodSubnet pods spec.cloudSubnet is missing']);
});

test('warm targets mean here what they mean there', () => {
  const warmOf = (env: Record<string, string>) => specOf(importOf('aws-node', daemonSet(env)).made, 'PodSubnet')['warm'];
  assert.deepEqual(warmOf({}), { spareNics: 1 });
  assert.deepEqual(warmOf({ WARM_ENI_TARGET: '0' }), { spareNics: 0, spare: 1 });
  assert.deepEqual(warmOf({ WARM_IP_TARGET: '5' }), { spare: 5 });
  assert.deepEqual(warmOf({ MINIMUM_IP_TARGET: '12' }), { spare: 0, minimum: 12 });
  assert.deepEqual(warmOf({ ENABLE_PREFIX_DELEGATION: 'true', WARM_PREFIX_TARGET: '2' }), { spare: 32 });
  assert.deepEqual(warmOf({ ENABLE_PREFIX_DELEGATION: 'true', WARM_PREFIX_TARGET: '2', WARM_IP_TARGET: '5' }), { spare: 5 });
});

test('a target in addresses that is not above zero is as good as not set, and so is one in interfaces below zero', () => {
  for (const nothing of ['0', '-1']) {
    const imported = (env: Record<string, string>) =>
      importOf('aws-node', daemonSet({ WARM_IP_TARGET: nothing, MINIMUM_IP_TARGET: nothing, ...env }));
    const warmOf = (env: Record<string, string>) => specOf(imported(env).made, 'PodSubnet')['warm'];
    assert.deepEqual(warmOf({}), { spareNics: 1 });
    assert.deepEqual(warmOf({ WARM_ENI_TARGET: '2' }), { spareNics: 2 });
    assert.deepEqual(warmOf({ WARM_ENI_TARGET: '-1' }), { spareNics: 1 });
    assert.deepEqual(warmOf({ WARM_IP_TARGET: '5' }), { spare: 5 });
    assert.deepEqual(warmOf({ MINIMUM_IP_TARGET: '12' }), { spare: 0, minimum: 12 });
    assert.deepEqual(warmOf({ ENABLE_PREFIX_DELEGATION: 'true', WARM_PREFIX_TARGET: '2' }), { spare: 32 });
    assert.equal(warmOf({ ENABLE_PREFIX_DELEGATION: 'true', WARM_PREFIX_TARGET: nothing }), undefined);
    assert.equal(entryOf(imported({}), 'WARM_IP_TARGET').fate, 'equal');
  }
});

test('what is to be kept ready has room on a node', () => {
  const imported = importOf('aws-node', daemonSet({ MINIMUM_IP_TARGET: '400' }), subnets);
  assert.deepEqual(unfinished(imported), []);
});

test('how the cloud is reached goes into the ControllerConfig', () => {
  const imported = importOf('aws-node', daemonSet({ VPC_ID: 'vpc-1', AWS_VPC_ENI_MTU: '1500', CLUSTER_NAME: 'a' }), subnets);
  assert.deepEqual(specOf(imported.made, 'ControllerConfig'), { cluster: 'a', cloud: { type: 'aws', vpc: 'vpc-1', mtu: 1500 } });
  assert.deepEqual(unfinished(imported), []);
});

test('the ENIConfig "default" is for nodes without the label, and for those that name it', () => {
  const config = { kind: 'ENIConfig', metadata: { name: 'default' }, spec: { subnet: 'subnet-1' } };
  const on = daemonSet({ AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: 'true' });
  for (const [nodes, others] of [
    [[], false],
    // Where nodes have one of the two that go before the label.
    [
      [
        { kind: 'Node', metadata: { name: 'n1', labels: { [externally]: 'default' } } },
        { kind: 'Node', metadata: { name: 'n2', annotations: { [usual]: 'default' } } },
      ],
      true,
    ],
  ] as const) {
    const imported = importOf('aws-node', on, { kind: 'List', items: [config, ...nodes] });
    assert.deepEqual(unfinished(imported), []);
    const named = { [usual]: 'default' };
    for (const node of [{}, { labels: named }, ...(others ? [{ annotations: named }, { labels: { [externally]: 'default' } }] : [])])
      assert.deepEqual(servedBy(imported, node), ['subnet-1'], JSON.stringify(node));
    assert.deepEqual(servedBy(imported, { labels: { [usual]: 'a' } }), []);
  }
});

test('a node whose label names an ENIConfig that is not among the files is told of, like one with such an annotation', () => {
  const imported = customOf({ n1: { labels: { [usual]: 'gone' } }, n2: { labels: { [usual]: 'a' } } });
  const told = imported.account.entries
    .filter(({ from }) => from.startsWith('Node '))
    .map(({ from, key, text }) => `${from} ${key}: ${text}`);
  assert.deepEqual(told, [`Node n1 ${usual}: it names the ENIConfig gone, which is not among the files`]);
  assert.equal(imported.made.filter(({ kind }) => kind === 'PodSubnet').length, 2, 'by the label alone');
});

test('an endpoint of EC2 is taken over, unless somebody wrote a password into it, which is not repeated', () => {
  const cloudOf = (endpoint: string) => {
    const imported = importOf('aws-node', daemonSet({ AWS_EC2_ENDPOINT: endpoint }), subnets);
    return [specOf(imported.made, 'ControllerConfig')['cloud'], entryOf(imported, 'AWS_EC2_ENDPOINT'), imported] as const;
  };
  const [cloud, { fate }, imported] = cloudOf('https://vpce-1.ec2.eu-west-1.vpce.amazonaws.com');
  assert.deepEqual([cloud, fate], [{ type: 'aws', endpoint: 'https://vpce-1.ec2.eu-west-1.vpce.amazonaws.com' }, 'taken']);
  assert.deepEqual(
    unfinished(imported).filter((text) => text.startsWith('ControllerConfig')),
    [],
  );
  for (const wrong of ['https://me:secret@ec2.example.com', 'ec2.example.com']) {
    const [without, entry] = cloudOf(wrong);
    assert.deepEqual([without, entry.fate, entry.value], [{ type: 'aws' }, 'none', '']);
  }
});

test('where the plugin keeps its record and how its links begin goes into the values of the chart, for a take-over', () => {
  using files = folder();
  const valuesFor = (name: string, env: Record<string, string>) => {
    writeFiles(join(files.path, name), importOf('aws-node', daemonSet(env), subnets));
    return (parse(readFileSync(join(files.path, name, 'values.yaml'), 'utf8')) as { agent?: unknown }).agent;
  };
  const record = '/var/run/aws-node/other.json';
  const set = { AWS_VPC_K8S_CNI_VETHPREFIX: 'pod', AWS_VPC_K8S_CNI_BACKING_STORE: record };
  assert.deepEqual(valuesFor('other', set), { awsNode: { vethPrefix: 'pod', checkpoint: record } });
  assert.equal(valuesFor('usual', { AWS_VPC_K8S_CNI_VETHPREFIX: 'eni' }), undefined);
  for (const wrong of [{ AWS_VPC_K8S_CNI_VETHPREFIX: 'longer' }, { AWS_VPC_K8S_CNI_BACKING_STORE: 'ipam.json' }])
    assert.throws(() => importOf('aws-node', daemonSet(wrong), subnets), { kind: 'importMistaken' });
});

test('custom networking without ENIConfigs is refused; ENIConfigs without custom networking make no PodSubnet', () => {
  assert.throws(() => importOf('aws-node', daemonSet({ AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: 'true' })), { kind: 'importMistaken' });
  const imported = importOf('aws-node', daemonSet({}), textOfFixture('aws-node/eniconfigs.yaml'));
  assert.deepEqual(imported.made.filter(({ kind }) => kind === 'PodSubnet').length, 1);
  assert.equal(entryOf(imported, 'ENIConfig eu-west-1a spec.subnet').fate, 'none');
});

test('values that cannot be read are mistakes with file, line and variable, all at once', () => {
  const env = {
    WARM_IP_TARGET: 'five',
    AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS: '10.0.0.0/40',
    AWS_VPC_K8S_CNI_LOGLEVEL: 'loud',
    ADDITIONAL_ENI_TAGS: '{',
  };
  assert.throws(
    () => importOf('aws-node', daemonSet(env)),
    (error) => isFailure(error, 'importMistaken') && Object.keys(env).every((name) => new RegExp(`/0:\\d+: ${name}: `).test(error.details)),
  );
});

test('a variable whose value stands in another object is left to the user, not taken for its default', () => {
  const entry = { name: 'WARM_IP_TARGET', valueFrom: { configMapKeyRef: { name: 'cni', key: 'warm' } } };
  const container = { name: 'aws-node', env: [entry], envFrom: [{ configMapRef: { name: 'cni' } }] };
  const object = { kind: 'DaemonSet', metadata: { name: 'aws-node' }, spec: { template: { spec: { containers: [container] } } } };
  const imported = importOf('aws-node', object);
  assert.equal(entryOf(imported, 'WARM_IP_TARGET').fate, 'left');
  assert.equal(entryOf(imported, 'spec.template.spec.containers[0].envFrom').fate, 'none');
});

test("of two values of one variable the plugin's own counts, and the other is named", () => {
  const containers = [
    {
      name: 'aws-node',
      env: [
        { name: 'ENABLE_IPv6', value: 'true' },
        { name: 'ENABLE_IPv4', value: 'false' },
      ],
    },
    { name: 'side', env: [{ name: 'ENABLE_IPv6', value: 'false' }] },
  ];
  const object = { kind: 'DaemonSet', metadata: { name: 'aws-node' }, spec: { template: { spec: { containers } } } };
  const { made, account } = importOf('aws-node', object);
  assert.deepEqual(specOf(made, 'PodSubnet')['families'], [6]);
  assert.deepEqual(
    account.entries.filter(({ key }) => key === 'ENABLE_IPv6').map(({ fate }) => fate),
    ['none', 'taken'],
  );
});

test('a variable that nobody knows is always named, and its value never repeated', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Z][A-Z_]{2,12}$/), fc.stringMatching(/^secret-[a-z0-9]{12}$/), (name, secret) => {
      fc.pre(!documented.includes(name));
      const imported = importOf('aws-node', daemonSet({ [`X_${name}`]: secret }), subnets);
      assert.deepEqual([entryOf(imported, `X_${name}`).fate, entryOf(imported, `X_${name}`).value], ['none', '']);
      assert.ok(!JSON.stringify([imported.account.entries, imported.made]).includes(secret));
    }),
    { numRuns: 25 },
  );
});
