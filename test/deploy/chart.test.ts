/** The Helm chart, with the real helm: what it makes of several values, what it refuses, and that the files made from it are up to date. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import { test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import { chart, helm, rendered, type Values } from '../../scripts/helm.ts';
import { generated } from '../../scripts/manifest.ts';
import { checkConfig } from '../../src/store/check-config.ts';
import { sayProblem } from '../../src/store/config-problem.ts';

/** An object of the API, as far as the tests look into it. */
interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly rules?: readonly Rule[];
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: { readonly template?: { readonly spec: PodSpec }; readonly replicas?: number };
}

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

interface PodSpec {
  readonly hostPID?: boolean;
  readonly hostNetwork?: boolean;
  readonly securityContext?: { readonly runAsNonRoot?: boolean; readonly runAsUser?: number };
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly volumes: readonly { readonly name: string; readonly hostPath?: { readonly path: string } }[];
}

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string; readonly host?: string };
}

interface Container {
  readonly image: string;
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly livenessProbe?: Probe;
  readonly readinessProbe?: Probe;
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly securityContext: {
    readonly privileged: boolean;
    readonly allowPrivilegeEscalation: boolean;
    readonly readOnlyRootFilesystem: boolean;
    readonly capabilities: { readonly add?: readonly string[]; readonly drop: readonly string[] };
  };
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly mountPropagation?: string }[];
}

const least = { cluster: 'lab', cloud: { endpoint: 'http://10.20.0.2:9100' } };
const web = { name: 'web', spec: { cloudSubnet: 'subnet-1' } };
const known = ['--api-versions', 'flatpod.dev/v1alpha1/PodSubnet'];

/** Value sets that differ in what templates branch on. */
const valueSets: Readonly<Record<string, Values>> = {
  least,
  'everything said': {
    ...least,
    image: { tag: '1', digest: `sha256:${'a'.repeat(64)}`, pullSecrets: [{ name: 'registry' }] },
    apiServer: { host: '10.0.0.1', port: 6443 },
    agent: {
      serviceCidrs: ['10.96.0.0/12', '2001:db8::/112'],
      config: { cooldown_s: 30, snat: { enabled: false } },
      cniVersion: '1.1.0',
      chain: ['portmap', 'bandwidth'],
      maxUnavailable: 3,
      hostPID: true,
      takeover: 'aws-node',
      capabilities: ['NET_ADMIN', 'NET_RAW', 'SYS_ADMIN', 'SYS_PTRACE'],
      seLinuxOptions: { type: 'spc_t' },
      podAnnotations: { a: 'b' },
      affinity: { nodeAffinity: {} },
    },
    controller: { podAnnotations: { a: 'b' }, affinity: { podAffinity: {} } },
    scheduler: { enabled: true },
    podSubnets: [web],
  },
  'no cloud': { cluster: 'lab', cloud: { type: 'none' } },
  "hostnic's settings": { cluster: 'cl-1', cloud: { type: 'qingcloud' }, hostnic: { enabled: true } },
  'hostnic left out': { cluster: 'cl-1', cloud: { type: 'qingcloud', caFile: '/etc/flatpod-cloud/ca.pem' }, hostnic: null },
  openstack: {
    cluster: 'lab',
    cloud: { type: 'openstack', cloud: 'prod', cloudsFile: '/etc/flatpod-cloud/clouds.yaml', pairsPerNic: 50, branchesPerInstance: 100 },
    controller: { secret: { name: 'account', as: 'files' } },
  },
  'load balancers': {
    cluster: 'lab',
    cloud: {
      type: 'openstack',
      loadBalancers: {
        subnet: 's1+s2',
        floatingNetwork: 'n1',
        default: true,
        provider: 'ovn',
        algorithm: 'SOURCE_IP_PORT',
        monitor: false,
      },
    },
  },
  aws: {
    cluster: 'lab',
    cloud: {
      type: 'aws',
      region: 'eu-central-1',
      vpc: 'vpc-1',
      branches: { 'm5.large': 9 },
      endpoint: 'https://ec2.example:8443/path',
      pace: 3,
      caFile: '/etc/flatpod-cloud/ca.pem',
    },
    controller: { serviceAccountAnnotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/flatpod' } },
  },
  qingcloud: {
    cluster: 'lab',
    cloud: { type: 'qingcloud', zone: 'pek3a', credentials: 'environment', allowSpoofing: true, securityGroup: 'sg-1', releases: false },
    controller: { secret: { name: 'keys' } },
  },
  'everything left out': {
    ...least,
    agent: {
      runtimeSocket: '',
      chain: [],
      tolerations: [],
      nodeSelector: { 'kubernetes.io/os': null },
      resources: { requests: null, limits: null },
    },
    controller: { replicas: 1, hostNetwork: false, tolerations: [], nodeSelector: { 'kubernetes.io/os': null } },
    crds: { install: false },
  },
};

/** Parsed strictly: a key that stands twice is a mistake. */
function objectsOf(text: string): Rendered[] {
  const documents = parseAllDocuments(text);
  assert.ok(Array.isArray(documents));
  return documents.flatMap((document) => {
    assert.deepEqual(document.errors, []);
    // What the API server would read; the tests look at the parts they know.
    const value = document.toJS() as Rendered | null;
    return value === null ? [] : [value];
  });
}

function one(objects: readonly Rendered[], kind: string, name: string): Rendered {
  const found = objects.filter((object) => object.kind === kind && object.metadata.name === name);
  assert.equal(found.length, 1, `${kind} ${name}`);
  return found[0] as Rendered; // there is one
}

function podOf(objects: readonly Rendered[], kind: 'DaemonSet' | 'Deployment', name: string): PodSpec & { container: Container } {
  const spec = one(objects, kind, name).spec?.template?.spec;
  const container = spec?.containers[0];
  assert.ok(spec && container);
  return { ...spec, container };
}

test('helm lint --strict finds nothing wrong', () => {
  const said = helm(least, 'lint', '--strict', chart);
  assert.match(said, /1 chart\(s\) linted, 0 chart\(s\) failed/);
  assert.doesNotMatch(said, /\[(WARNING|ERROR)\]/);
});

for (const [name, values] of Object.entries(valueSets)) {
  test(`values "${name}": every object is there once, in the namespace it belongs to`, () => {
    const objects = objectsOf(rendered(values, ...known));
    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    assert.equal(new Set(names).size, names.length);
    const clusterWide =
      /^(ClusterRole|ClusterRoleBinding|CustomResourceDefinition|(Mutating|Validating)AdmissionPolicy(Binding)?|PodSubnet)$/;
    for (const { kind, metadata } of objects) assert.equal(metadata.namespace, clusterWide.test(kind) ? undefined : 'kube-system', kind);
  });

  test(`values "${name}": no container is privileged, each has a read-only root and no capability that is not listed`, () => {
    const objects = objectsOf(rendered(values, ...known));
    const [agent, controller] = [podOf(objects, 'DaemonSet', 'flatpod-agent'), podOf(objects, 'Deployment', 'flatpod-controller')];
    for (const { containers } of [agent, controller])
      for (const { securityContext } of containers) {
        assert.equal(securityContext.privileged, false);
        assert.equal(securityContext.allowPrivilegeEscalation, false);
        assert.equal(securityContext.readOnlyRootFilesystem, true);
        assert.deepEqual(securityContext.capabilities.drop, ['ALL']);
      }
    const extra = agent.hostPID === true ? ['SYS_PTRACE'] : [];
    assert.deepEqual(agent.container.securityContext.capabilities.add, ['NET_ADMIN', 'NET_RAW', 'SYS_ADMIN', ...extra]);
    assert.equal(controller.container.securityContext.capabilities.add, undefined);
    assert.deepEqual([controller.securityContext?.runAsNonRoot, controller.securityContext?.runAsUser], [true, 65532]);
    // Nothing of the node but what the issue is about; the controller nothing at all.
    assert.deepEqual(
      controller.volumes.flatMap(({ hostPath }) => hostPath?.path ?? []),
      [],
    );
  });

  test(`values "${name}": nobody reads Secrets or may do everything, and an agent changes nothing but NodeNetworks`, () => {
    const objects = objectsOf(rendered(values, ...known));
    const rules = objects.flatMap(({ rules: some = [] }) => some);
    assert.ok(rules.length > 0);
    for (const rule of rules) {
      for (const word of [...rule.apiGroups, ...rule.resources, ...rule.verbs]) assert.notEqual(word, '*');
      assert.ok(!rule.resources.includes('secrets'));
    }
    const changing = (one(objects, 'ClusterRole', 'flatpod-agent').rules ?? []).filter(({ verbs }) =>
      verbs.some((verb) => !['get', 'list', 'watch'].includes(verb)),
    );
    assert.deepEqual(changing, [{ apiGroups: ['flatpod.dev'], resources: ['nodenetworks'], verbs: ['get', 'list', 'watch', 'patch'] }]);
    one(objects, 'ValidatingAdmissionPolicyBinding', 'flatpod-agent-own-node-only');
  });

  test(`values "${name}": what the agent works on is mounted where its node has it, and the Pods' namespaces are followed`, () => {
    const { container, volumes } = podOf(objectsOf(rendered(values, ...known)), 'DaemonSet', 'flatpod-agent');
    for (const { name: volume, mountPath } of container.volumeMounts) {
      const host = volumes.find((one_) => one_.name === volume)?.hostPath?.path;
      if (host !== undefined) assert.equal(mountPath, host);
    }
    const followed = container.volumeMounts
      .filter(({ mountPropagation }) => mountPropagation === 'HostToContainer')
      .map(({ name: volume }) => volume);
    assert.deepEqual(followed, ['namespaces', 'runtime'].slice(0, followed.length));
    assert.ok(followed.includes('namespaces'));
  });
}

for (const [name, values] of Object.entries(valueSets))
  test(`values "${name}": agent and controller find nothing wrong with the configurations they get`, () => {
    const maps = objectsOf(rendered(values, ...known)).filter(({ kind }) => kind === 'ConfigMap');
    const texts = maps.flatMap(({ data }) => Object.entries(data ?? {}));
    assert.deepEqual(texts.map(([file]) => file).toSorted(), ['controller.yaml', 'node.yaml']);
    for (const [file, text] of texts) assert.deepEqual(checkConfig(text).map(sayProblem), [], file);
  });

test('the kubelet asks the controller where it listens, and on the network of the node nobody else can', () => {
  const controller = (values: Values): { container: Container; listen: unknown } => {
    const objects = objectsOf(rendered({ ...least, controller: values }));
    const config = parse(one(objects, 'ConfigMap', 'flatpod-controller').data?.['controller.yaml'] ?? '') as { spec: { listen?: unknown } }; // a ControllerConfig
    return { container: podOf(objects, 'Deployment', 'flatpod-controller').container, listen: config.spec.listen };
  };
  for (const [hostNetwork, listen, host] of [
    [true, '127.0.0.1:9000', { host: '127.0.0.1' }],
    [false, ':9000', {}],
  ] as const) {
    const { container, ...told } = controller({ hostNetwork, port: 9000 });
    assert.equal(told.listen, listen);
    assert.equal(container.ports?.find(({ name }) => name === 'probe')?.containerPort, 9000);
    assert.deepEqual(container.livenessProbe?.httpGet, { path: '/livez', port: 'probe', ...host });
    assert.deepEqual(container.readinessProbe?.httpGet, { path: '/readyz', port: 'probe', ...host });
  }
  const { container, listen } = controller({ port: 0 });
  assert.deepEqual(
    [listen, container.ports, container.livenessProbe, container.readinessProbe],
    [undefined, undefined, undefined, undefined],
  );
});

test('the scheduler counts addresses where the API server has the policy that it takes, or as the values say', () => {
  const counts = (values: Values, ...more: readonly string[]): [boolean, boolean] => {
    const objects = objectsOf(rendered({ ...least, ...values }, ...more));
    const config = parse(one(objects, 'ConfigMap', 'flatpod-controller').data?.['controller.yaml'] ?? '') as {
      spec: { tellScheduler: boolean }; // a ControllerConfig
    };
    return [objects.some(({ kind }) => kind === 'MutatingAdmissionPolicy'), config.spec.tellScheduler];
  };
  const has = ['--api-versions', 'admissionregistration.k8s.io/v1/MutatingAdmissionPolicy'];
  assert.deepEqual(counts({}), [false, false]);
  assert.deepEqual(counts({}, ...has), [true, true]);
  assert.deepEqual(counts({ scheduler: { enabled: false } }, ...has), [false, false]);
  assert.deepEqual(counts({ scheduler: { enabled: true } }), [true, true]);
});

test('the CRDs stay when the release goes, and change with an upgrade', () => {
  const crds = objectsOf(rendered(least)).filter(({ kind }) => kind === 'CustomResourceDefinition');
  assert.deepEqual(crds.map(({ metadata }) => metadata.name).toSorted(), [
    'addressledgers.flatpod.dev',
    'ipclaims.flatpod.dev',
    'nodenetworks.flatpod.dev',
    'podsubnets.flatpod.dev',
  ]);
  for (const { metadata } of crds) assert.equal(metadata.annotations?.['helm.sh/resource-policy'], 'keep');
});

test('PodSubnets of the values come once the API server knows the kind, and not before', () => {
  const kinds = (...more: readonly string[]): string[] =>
    objectsOf(rendered({ ...least, podSubnets: [web] }, ...more)).map(({ kind }) => kind);
  assert.ok(!kinds().includes('PodSubnet'));
  assert.ok(kinds(...known).includes('PodSubnet'));
});

test('another configuration restarts who reads it, the same does not', () => {
  const digest = (more: Values): string => /flatpod\.dev\/config: "(\w+)"/.exec(rendered({ ...least, ...more }))?.[1] ?? '';
  assert.equal(digest({}), digest({ controller: { replicas: 3 } }));
  assert.notEqual(digest({}), digest({ log: 'debug' }));
});

test('an account of the cloud reaches the controller as variables or as files, and nobody else', () => {
  const rendering = (values: Values | undefined): string => rendered(values ?? {});
  const [files, variables] = [rendering(valueSets['openstack']), rendering(valueSets['qingcloud'])];
  assert.equal(files.split('secretName: account').length, 2);
  assert.doesNotMatch(files, /envFrom/);
  assert.equal(variables.split('secretRef: { name: keys }').length, 2);
  assert.doesNotMatch(variables, /flatpod-cloud/);
  assert.match(rendering(valueSets['aws']), /eks\.amazonaws\.com\/role-arn: arn:aws:iam::1:role\/flatpod/);
});

test('Services and their endpoints are read, and Services changed, only where they get load balancers', () => {
  const rights = (values: Values | undefined): string => rendered(values ?? {});
  for (const words of [
    /resources: \[services\], verbs: \[get, list, watch, patch\]/,
    /resources: \[endpointslices\], verbs: \[get, list, watch\]/,
  ]) {
    assert.match(rights(valueSets['load balancers']), words);
    assert.match(rights({ cluster: 'lab', cloud: { type: 'openstack', loadBalancers: {} } }), words);
    assert.doesNotMatch(rights(valueSets['openstack']), words);
  }
  const namesAlone = /resources: \[services\], verbs: \[list\] \}/;
  assert.match(rights(valueSets['openstack']), namesAlone, 'those that were served before are named at start');
  for (const values of [valueSets['load balancers'], least]) assert.doesNotMatch(rights(values), namesAlone);
});

test('Pods of the AWS plugin are taken over before the agent starts, where the values say so', () => {
  const agentOf = (values: Values): PodSpec | undefined =>
    objectsOf(rendered(values)).find(({ kind, metadata }) => kind === 'DaemonSet' && metadata.name === 'flatpod-agent')?.spec?.template
      ?.spec;
  assert.equal(agentOf(least)?.initContainers, undefined);
  const spec = agentOf({ ...least, agent: { takeover: 'aws-node' } });
  const [first] = spec?.initContainers ?? [];
  assert.deepEqual(first?.args, [
    'takeover',
    'aws-node',
    '--if-any',
    '--checkpoint=/var/run/aws-node/ipam.json',
    '--veth-prefix=eni',
    '--netns-dir=/run/netns',
    '--config=/etc/flatpod/node.yaml',
  ]);
  const mountsOf = (podSpec: PodSpec | undefined): Map<string, string> => {
    const mounted = new Map((podSpec?.initContainers?.[0]?.volumeMounts ?? []).map(({ name, mountPath }) => [name, mountPath]));
    for (const name of ['state', 'namespaces', 'aws-node']) {
      const volume = podSpec?.volumes.find((other) => other.name === name);
      assert.equal(volume?.hostPath?.path, mounted.get(name), name);
    }
    return mounted;
  };
  assert.equal(mountsOf(spec).get('aws-node'), '/var/run/aws-node');
  // Where the plugin's daemon was told another file, and another prefix.
  const other = agentOf({
    ...least,
    agent: { takeover: 'aws-node', awsNode: { checkpoint: '/var/lib/cni/pods.json', vethPrefix: 'pod' } },
  });
  const given = other?.initContainers?.[0]?.args ?? [];
  for (const argument of ['--checkpoint=/var/lib/cni/pods.json', '--veth-prefix=pod']) assert.ok(given.includes(argument), argument);
  assert.equal(mountsOf(other).get('aws-node'), '/var/lib/cni');
});

test('wrong values are refused with the name of the value', () => {
  const wrong: Readonly<Record<string, Values>> = {
    '/cluster': { cloud: least.cloud },
    '/cloud/endpoint': { cluster: 'lab' },
    '/cloud/type': { ...least, cloud: { ...least.cloud, type: 'moon' } },
    zone: { ...least, cloud: { ...least.cloud, zone: 'pek3a' } },
    '/controller/secret/as': { ...least, controller: { secret: { name: 'keys', as: 'letter' } } },
    "'typo' not allowed": { ...least, typo: 1 },
    '/agent/capabilities': { ...least, agent: { capabilities: ['NET_ADMIN'] } },
    '/agent/chain/0': { ...least, agent: { chain: ['flatpod'] } },
    '/agent/runtimeSocket': { ...least, agent: { runtimeSocket: 'containerd.sock' } },
    '/agent/awsNode/checkpoint': { ...least, agent: { awsNode: { checkpoint: 'ipam.json' } } },
    '/agent/awsNode/vethPrefix': { ...least, agent: { awsNode: { vethPrefix: 'a/b' } } },
    '/agent/maxUnavailable': { ...least, agent: { maxUnavailable: 0 } },
    '/scheduler/enabled': { ...least, scheduler: { enabled: 'perhaps' } },
    '/controller/port': { ...least, controller: { port: 65_536 } },
    '/image/digest': { ...least, image: { digest: 'latest' } },
  };
  for (const [what, values] of Object.entries(wrong))
    assert.throws(
      () => rendered(values),
      (error: Error) => error.message.includes(what),
      what,
    );
});

test('deploy/flatpod.yaml and the copies of the CRDs are what node scripts/manifest.ts makes of the chart now', () => {
  const root = resolve(import.meta.dirname, '../..');
  const stale = [...generated()].filter(([path, text]) => readFileSync(path, 'utf8') !== text).map(([path]) => relative(root, path));
  assert.deepEqual(stale, [], 'run node scripts/manifest.ts');
});
