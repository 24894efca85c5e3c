/** Good requests: what is read out of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { releaseIn, versionForAnswer } from '../../src/cni/asked.ts';
import { type AddRequest, parseRequest } from '../../src/cni/request.ts';
import { cniVersions, isAtLeast, verbSince } from '../../src/cni/versions.ts';

const env = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1', CNI_NETNS: '/run/netns/x', CNI_IFNAME: 'eth0' };
const config = { cniVersion: '1.1.0', name: 'vpc', type: 'flatpod' };

function parse(variables: Record<string, string>, stdin: object = {}): ReturnType<typeof parseRequest> {
  return parseRequest(new Map(Object.entries({ ...env, ...variables })), Buffer.from(JSON.stringify({ ...config, ...stdin })));
}

function add(variables: Record<string, string>, stdin: object = {}): AddRequest {
  const request = parse(variables, stdin);
  assert.ok(request.verb === 'add');
  return request;
}

test('the least ADD has its names and nothing else', () => {
  assert.deepEqual(add({}), {
    verb: 'add',
    cniVersion: '1.1.0',
    trace: { traceparent: undefined, tracestate: undefined, baggage: undefined },
    container: 'c1',
    ifname: 'eth0',
    calledAs: 'eth0',
    netns: '/run/netns/x',
    config: { name: 'vpc', interface: undefined, subnet: undefined, mtu: undefined, dns: {}, ignored: [] },
    pod: {},
    ips: [],
    mac: undefined,
    runtime: { portMappings: [], ingress: undefined, egress: undefined, ips: [], mac: undefined, annotations: new Map() },
    prevResult: undefined,
  });
});

test('each verb is accepted in exactly the versions that have it', () => {
  for (const verb of ['add', 'del', 'check', 'gc', 'status'] as const) {
    for (const cniVersion of cniVersions) {
      const request = (): unknown => parse({ CNI_COMMAND: verb.toUpperCase() }, { cniVersion, prevResult: { cniVersion: '1.0.0' } });
      if (isAtLeast(cniVersion, verbSince[verb])) assert.doesNotThrow(request, `${verb} ${cniVersion}`);
      else assert.throws(request, { kind: 'verbNeedsVersion' }, `${verb} ${cniVersion}`);
    }
  }
});

test('a configuration without cniVersion is one of 0.1.0', () => {
  for (const cniVersion of [undefined, null, '']) assert.equal(add({}, { cniVersion }).cniVersion, '0.1.0');
});

test('names may use every letter they may, up to the limit', () => {
  const request = add({ CNI_CONTAINERID: '0_.-Z', CNI_IFNAME: 'x'.repeat(15), CNI_NETNS: '/proc/1/ns/net' });
  assert.deepEqual([request.container, request.ifname, request.netns], ['0_.-Z', 'x'.repeat(15), '/proc/1/ns/net']);
});

test('our keys are read; standard keys are no concern; foreign ones are ignored and listed', () => {
  const standard = {
    type: 'flatpod',
    capabilities: { ips: true },
    ipam: {},
    args: {},
    disableCheck: true,
    'cni.dev/attachments': [],
    prevResult: null,
  };
  const { config: read } = add(
    {},
    { ...standard, subnet: 'pods-a', interface: 'net1', mtu: 1400, dns: { nameservers: ['10.0.0.2'] }, ipMasq: true, 'x/y': 1, mut: 1 },
  );
  assert.deepEqual(read, {
    name: 'vpc',
    interface: 'net1',
    subnet: 'pods-a',
    mtu: 1400,
    dns: { nameservers: ['10.0.0.2'] },
    ignored: ['ipMasq', 'x/y', 'mut'],
  });
  assert.equal(add({}, { mtu: 0, ipam: null }).config.mtu, undefined, 'mtu 0 means whatever fits');
});

test('a key called __proto__ is a foreign key like any other', () => {
  const stdin = Buffer.from('{"cniVersion":"1.0.0","name":"vpc","__proto__":{"subnet":"evil"},"dns":{"__proto__":{"domain":"evil"}}}');
  const request = parseRequest(new Map(Object.entries(env)), stdin);
  assert.ok(request.verb === 'add');
  assert.deepEqual([request.config.subnet, request.config.dns, request.config.ignored], [undefined, {}, ['__proto__']]);
});

test('the Pod is known from CNI_ARGS, in any order, whatever else is there', () => {
  const args = 'K8S_POD_UID=u-1;IgnoreUnknown=1;COLOUR=red;K8S_POD_INFRA_CONTAINER_ID=c1;K8S_POD_NAME=web-0;K8S_POD_NAMESPACE=shop';
  assert.deepEqual(add({ CNI_ARGS: args }).pod, { namespace: 'shop', name: 'web-0', uid: 'u-1' });
  assert.deepEqual(add({ CNI_ARGS: args.split(';').reverse().join(';') }).pod, { namespace: 'shop', name: 'web-0', uid: 'u-1' });
  assert.deepEqual(add({ CNI_ARGS: 'IgnoreUnknown=TRUE;K8S_POD_NAME=box;' }).pod, { name: 'box' }, 'podman');
  assert.deepEqual(add({ CNI_ARGS: 'K8S_POD_NAMESPACE=;K8S_POD_NAME=' }).pod, {}, 'an empty name is none');
});

test('the address and MAC asked for come from the most specific place', () => {
  const variables = { CNI_ARGS: 'IP=10.0.0.1/24,fd00::1;MAC=02:00:00:00:00:01' };
  const args = { cni: { ips: ['10.0.0.2'], mac: '02:00:00:00:00:02', labels: [] } };
  const runtimeConfig = { IPs: ['10.0.0.3/16', 'FD00::3'], MAC: '02:00:00:00:00:AA' };
  const wish = ({ ips, mac }: AddRequest): unknown => [ips, mac];
  assert.deepEqual(wish(add(variables)), [['10.0.0.1', 'fd00::1'], '02:00:00:00:00:01']);
  assert.deepEqual(wish(add(variables, { args })), [['10.0.0.2'], '02:00:00:00:00:02']);
  assert.deepEqual(wish(add(variables, { args, runtimeConfig })), [['10.0.0.3', 'fd00::3'], '02:00:00:00:00:aa']);
  assert.deepEqual(wish(add(variables, { runtimeConfig: { mac: '', ips: [] } })), [['10.0.0.1', 'fd00::1'], '02:00:00:00:00:01']);
});

test("runtimeConfig reads the same in containerd's spelling and in everybody else's", () => {
  const others = {
    portMappings: [
      { hostPort: 8080, containerPort: 80, protocol: 'udp', hostIP: '10.0.0.9' },
      { hostPort: 1, containerPort: 2 },
    ],
    bandwidth: { ingressRate: 1_000_000, ingressBurst: 4_294_967_295, egressRate: 5, egressBurst: 6 },
    cgroupPath: '/kubepods',
  };
  const containerd = {
    portMappings: [
      { HostPort: 8080, ContainerPort: 80, Protocol: 'UDP', HostIP: '10.0.0.9' },
      { HostPort: 1, ContainerPort: 2, Protocol: 'TCP', HostIP: '' },
    ],
    bandwidth: { IngressRate: 1_000_000, IngressBurst: 4_294_967_295, EgressRate: 5, EgressBurst: 6 },
    'io.kubernetes.cri.pod-annotations': { 'flatpod.dev/x': 'y' },
  };
  const expected = {
    portMappings: [
      { hostPort: 8080, containerPort: 80, protocol: 'udp', hostIp: '10.0.0.9' },
      { hostPort: 1, containerPort: 2, protocol: 'tcp', hostIp: undefined },
    ],
    ingress: { rate: 1_000_000, burst: undefined },
    egress: { rate: 5, burst: 6 },
    ips: [],
    mac: undefined,
  };
  assert.deepEqual(add({}, { runtimeConfig: others }).runtime, { ...expected, annotations: new Map() });
  assert.deepEqual(add({}, { runtimeConfig: containerd }).runtime, { ...expected, annotations: new Map([['flatpod.dev/x', 'y']]) });
});

test('DEL goes on without namespace, with nonsense in every key and variable that it does not need', () => {
  const nonsense = { mtu: 'x', subent: 1, ipam: { type: 'host-local' }, prevResult: 7, runtimeConfig: [], args: 1, dns: 1 };
  for (const CNI_NETNS of ['', 'relative', '/gone']) {
    const request = parse({ CNI_COMMAND: 'DEL', CNI_NETNS, CNI_ARGS: 'no sense' }, nonsense);
    assert.ok(request.verb === 'del');
    assert.deepEqual([request.container, request.ifname, request.netns], ['c1', 'eth0', CNI_NETNS === '/gone' ? '/gone' : undefined]);
  }
});

test('a release out of the spool needs its two names only; an interface that the configuration names goes before CNI_IFNAME', () => {
  const names = new Map(Object.entries({ ...env, CNI_NETNS: '' }));
  const of = (stdin: string): string => releaseIn(names, Buffer.from(stdin)).ifname;
  assert.deepEqual(['', '{', '{"interface":7}', '{"interface":"a/b"}', '{"interface":"net1"}'].map(of), [
    'eth0',
    'eth0',
    'eth0',
    'eth0',
    'net1',
  ]);
  assert.throws(() => releaseIn(new Map([['CNI_IFNAME', 'eth0']]), Buffer.from('{}')), { kind: 'variablesMissing' });
});

test('GC tells a list, also an empty one, from no list; both spellings count', () => {
  const valid = (stdin: object): unknown => {
    const request = parse({ CNI_COMMAND: 'GC', CNI_CONTAINERID: '', CNI_IFNAME: '', CNI_NETNS: '' }, stdin);
    assert.ok(request.verb === 'gc');
    return request.validAttachments;
  };
  const [one, two] = [
    { containerID: 'c1', ifname: 'eth0' },
    { containerID: 'c2', ifname: 'eth0' },
  ];
  const read = [{ container: 'c1', ifname: 'eth0' }];
  assert.equal(valid({}), undefined);
  assert.equal(valid({ 'cni.dev/valid-attachments': null }), undefined);
  assert.deepEqual(valid({ 'cni.dev/valid-attachments': [] }), []);
  assert.deepEqual(valid({ 'cni.dev/valid-attachments': [one] }), read);
  assert.deepEqual(valid({ 'cni.dev/attachments': [one], 'cni.dev/valid-attachments': null }), read);
  assert.deepEqual(valid({ 'cni.dev/attachments': [one], 'cni.dev/valid-attachments': [two] }), [
    { container: 'c2', ifname: 'eth0' },
    ...read,
  ]);
});

test('GC, STATUS and VERSION do not look at names that libcni leaves in the environment', () => {
  for (const CNI_COMMAND of ['GC', 'STATUS', 'VERSION']) {
    assert.doesNotThrow(() => parse({ CNI_COMMAND, CNI_CONTAINERID: '', CNI_NETNS: 'dummy', CNI_IFNAME: 'a/b' }));
  }
});

test('the trace context is handed on', () => {
  const { trace } = add({ TRACEPARENT: '00-a-b-01', TRACESTATE: 's', BAGGAGE: 'b' });
  assert.deepEqual(trace, { traceparent: '00-a-b-01', tracestate: 's', baggage: 'b' });
});

test("an error's version is the configuration's where that can be read and spoken, else the newest", () => {
  const cases: Record<string, string> = {
    '{"cniVersion":"0.3.1"}': '0.3.1',
    '{"cniVersion":"7"}': '1.1.0',
    '{': '1.1.0',
    '': '1.1.0',
    '[]': '1.1.0',
    '{}': '1.1.0',
  };
  for (const [stdin, version] of Object.entries(cases)) assert.equal(versionForAnswer(Buffer.from(stdin)), version, stdin);
});
