/** `flatpod import aws-node`: every variable of the DaemonSet is answered for, ENIConfigs and subnets become PodSubnets that our programs read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { isFailure } from '../../src/errors/failure.ts';
import { entryOf, importOf, specOf, textOfFixture, unfinished } from './import-support.ts';

/** Those the plugin documents, by what this test was given to know of them. */
const documented =
  'WARM_ENI_TARGET WARM_IP_TARGET MINIMUM_IP_TARGET WARM_PREFIX_TARGET MAX_ENI ENABLE_PREFIX_DELEGATION ENABLE_IPv4 ENABLE_IPv6 ENABLE_V4_EGRESS ENABLE_V6_EGRESS AWS_VPC_K8S_CNI_EXTERNALSNAT AWS_VPC_K8S_CNI_EXCLUDE_SNAT_CIDRS AWS_VPC_K8S_CNI_RANDOMIZESNAT AWS_VPC_CNI_NODE_PORT_SUPPORT AWS_EXTERNAL_SERVICE_CIDRS AWS_VPC_K8S_CNI_CONNMARK AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG ENI_CONFIG_LABEL_DEF ENI_CONFIG_ANNOTATION_DEF ENABLE_POD_ENI POD_SECURITY_GROUP_ENFORCING_MODE ENABLE_SUBNET_DISCOVERY IP_COOLDOWN_PERIOD AWS_VPC_ENI_MTU POD_MTU AWS_VPC_K8S_CNI_VETHPREFIX CLUSTER_NAME ADDITIONAL_ENI_TAGS DISABLE_LEAKED_ENI_CLEANUP DISABLE_NETWORK_RESOURCE_PROVISIONING ENABLE_IMDS_ONLY_MODE AWS_MANAGE_ENIS_NON_SCHEDULABLE ANNOTATE_POD_IP DISABLE_POD_V6 ENABLE_BANDWIDTH_PLUGIN ENABLE_MULTI_NIC INTROSPECTION_BIND_ADDRESS DISABLE_METRICS AWS_VPC_K8S_CNI_LOGLEVEL AWS_VPC_K8S_CNI_LOG_FILE'.split(
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
  for (const key of ['MAX_ENI', 'ENABLE_POD_ENI', 'ADDITIONAL_ENI_TAGS.team', '--enable-network-policy']) {
    const { fate, from, text, remedy } = entryOf(imported, key);
    assert.equal(fate, 'none', key);
    assert.match(from, /\/0:\d+$/);
    assert.ok(text !== '' && remedy !== '', key);
  }
  assert.equal(entryOf(imported, 'MAX_ENI').from.split(':').at(-1), '46');
});

test('without custom networking the subnets of the VPC become PodSubnets by zone, but those tagged as not for Pods', () => {
  const imported = importOf('aws-node', textOfFixture('aws-node/plain.json'), subnets);
  assert.deepEqual(unfinished(imported), []);
  assert.deepEqual(
    imported.made.filter(({ kind }) => kind === 'PodSubnet').map(({ name }) => name),
    ['subnet-0aa1aa2aa3aa4aa5a', 'subnet-0bb1bb2bb3bb4bb5b'],
  );
  assert.deepEqual(specOf(imported.made, 'NodeConfig'), { cluster: {}, snat: { enabled: false }, cooldown_s: 60 });
  assert.deepEqual(specOf(imported.made, 'ControllerConfig')['cloud'], { type: 'aws', changes: false });
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

test('what is to be kept ready has room on a node', () => {
  const imported = importOf('aws-node', daemonSet({ MINIMUM_IP_TARGET: '400' }), subnets);
  assert.deepEqual(unfinished(imported), []);
});

test('how the cloud is reached goes into the ControllerConfig', () => {
  const imported = importOf('aws-node', daemonSet({ VPC_ID: 'vpc-1', AWS_VPC_ENI_MTU: '1500', CLUSTER_NAME: 'a' }), subnets);
  assert.deepEqual(specOf(imported.made, 'ControllerConfig'), { cluster: 'a', cloud: { type: 'aws', vpc: 'vpc-1', mtu: 1500 } });
  assert.deepEqual(unfinished(imported), []);
});

test('the ENIConfig "default" is for nodes without the label', () => {
  const config = { kind: 'ENIConfig', metadata: { name: 'default' }, spec: { subnet: 'subnet-1' } };
  const imported = importOf('aws-node', daemonSet({ AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: 'true' }), config);
  assert.deepEqual(specOf(imported.made, 'PodSubnet')['nodeSelector'], {
    matchExpressions: [{ key: 'k8s.amazonaws.com/eniConfig', operator: 'DoesNotExist' }],
  });
  assert.deepEqual(unfinished(imported), []);
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
