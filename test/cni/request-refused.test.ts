/** Bad requests, one a line: which failure, and what its text must name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { parseRequest } from '../../src/cni/request.ts';
import { type Failure, isFailure, sentence } from '../../src/errors/failure.ts';

const env = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1', CNI_NETNS: '/run/netns/x', CNI_IFNAME: 'eth0' };
const config = { cniVersion: '1.0.0', name: 'vpc', type: 'flatpod' };

/** The failure of a request that differs from a good ADD by this. An undefined variable or key is taken out. */
function refusal(variables: Record<string, string | undefined>, stdin: object | string | Uint8Array): Failure {
  const all = Object.entries({ ...env, ...variables }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  const text = typeof stdin === 'string' || stdin instanceof Uint8Array ? stdin : JSON.stringify({ ...config, ...stdin });
  try {
    parseRequest(new Map(all), typeof text === 'string' ? Buffer.from(text) : text);
  } catch (error) {
    if (isFailure(error)) return error;
    throw error;
  }
  return assert.fail('it was accepted');
}

type Row = readonly [
  what: string,
  code: number,
  fp: number,
  names: string,
  variables: Record<string, string | undefined>,
  stdin?: object | string | Uint8Array,
];
const v11 = { cniVersion: '1.1.0' };
const gc = { CNI_COMMAND: 'GC' };
const runtime = (section: unknown): object => ({ runtimeConfig: section });
const prev = (result: unknown): object => ({ prevResult: result });

const rows: readonly Row[] = [
  // environment
  ['no command', 4, 101, 'CNI_COMMAND', { CNI_COMMAND: undefined }],
  ['an empty command', 4, 101, 'CNI_COMMAND', { CNI_COMMAND: '' }],
  ['an unknown command', 4, 102, 'REMOVE', { CNI_COMMAND: 'REMOVE' }],
  ['a command in lower case', 4, 102, 'add', { CNI_COMMAND: 'add' }],
  ['a container id with a path', 4, 100, '../../etc', { CNI_CONTAINERID: '../../etc' }],
  ['a container id that starts with a dot', 4, 100, '.c', { CNI_CONTAINERID: '.c' }],
  ['a container id with a newline at its end', 4, 100, 'CNI_CONTAINERID', { CNI_CONTAINERID: 'c1\n' }],
  ['a container id that is no ASCII', 4, 100, 'CNI_CONTAINERID', { CNI_CONTAINERID: 'cö' }],
  ['an interface name of 16 bytes', 4, 100, '15 bytes', { CNI_IFNAME: 'e'.repeat(16) }],
  ['an interface name of 31 bytes', 4, 100, 'CNI_IFNAME', { CNI_IFNAME: 'e'.repeat(31) }],
  ['an interface name of 8 letters and 16 bytes', 4, 100, 'CNI_IFNAME', { CNI_IFNAME: 'ö'.repeat(8) }],
  ['an interface called .', 4, 100, 'CNI_IFNAME', { CNI_IFNAME: '.' }],
  ['an interface called ..', 4, 100, 'CNI_IFNAME', { CNI_IFNAME: '..' }],
  ['an interface called as all of them are', 4, 100, 'CNI_IFNAME', { CNI_IFNAME: 'all' }],
  ['an interface name with a slash', 4, 100, 'a/b', { CNI_IFNAME: 'a/b' }],
  ['an interface name with a colon', 4, 100, 'eth0:1', { CNI_IFNAME: 'eth0:1' }],
  ['an interface name with a space', 4, 100, 'a b', { CNI_IFNAME: 'a b' }],
  ['an interface name that is a pattern to the kernel', 4, 100, 'eth%d', { CNI_IFNAME: 'eth%d' }],
  ['a relative namespace path', 4, 100, 'netns/x', { CNI_NETNS: 'netns/x' }],
  ['an endless namespace path', 4, 100, 'CNI_NETNS', { CNI_NETNS: `/${'x'.repeat(5000)}` }],
  ['no container id', 4, 101, 'CNI_CONTAINERID', { CNI_CONTAINERID: undefined }],
  ['no interface name', 4, 101, 'CNI_IFNAME', { CNI_IFNAME: '' }],
  ['no namespace', 4, 101, 'CNI_NETNS', { CNI_NETNS: '' }],
  ['nothing at all', 4, 101, 'CNI_CONTAINERID, CNI_IFNAME, CNI_NETNS', { CNI_CONTAINERID: '', CNI_IFNAME: '', CNI_NETNS: '' }],
  ['a bad name and a missing one: the bad one first', 4, 100, 'CNI_IFNAME', { CNI_CONTAINERID: '', CNI_IFNAME: 'a/b' }],
  ['DEL without a container id', 4, 101, 'CNI_CONTAINERID', { CNI_COMMAND: 'DEL', CNI_CONTAINERID: '' }],
  ['CHECK without a namespace', 4, 101, 'CNI_NETNS', { CNI_COMMAND: 'CHECK', CNI_NETNS: '' }],
  // stdin
  ['bad names and broken JSON: the names first', 4, 100, 'CNI_IFNAME', { CNI_IFNAME: 'a/b' }, '{'],
  ['10 MiB of configuration', 5, 103, '10485760', {}, Buffer.alloc(10 * 2 ** 20, ' ')],
  ['nothing on stdin', 6, 104, 'empty', {}, ''],
  ['white space on stdin', 6, 104, 'JSON', {}, ' \n'],
  ['half of a configuration', 6, 104, 'JSON', {}, '{"cniVersion":"1.0.0",'],
  ['two configurations', 6, 104, 'JSON', {}, '{}{}'],
  ['a list', 6, 104, 'an empty list', {}, '[]'],
  ['null', 6, 104, 'null', {}, 'null'],
  ['a number', 6, 104, 'the number 7', {}, '7'],
  ['a byte-order mark', 6, 104, 'JSON', {}, '\ufeff{}'],
  ['bytes that are no UTF-8', 6, 104, 'UTF-8', {}, Buffer.from([0x7b, 0xff, 0x7d])],
  ['nesting of 100 000', 6, 104, 'deeper than 64', {}, `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
  // name and version
  ['no name', 7, 105, 'absent', {}, { name: undefined }],
  ['a name that is a number', 6, 104, 'the number 7', {}, { name: 7 }],
  ['an empty name', 7, 105, 'name', {}, { name: '' }],
  ['a name with a slash', 7, 105, 'a/b', {}, { name: 'a/b' }],
  ['no name and a bad version: the name first', 7, 105, 'absent', {}, { name: undefined, cniVersion: '9' }],
  ['a version of the future', 1, 106, '0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0', {}, { cniVersion: '2.0.0' }],
  ['a version that is half of one', 1, 106, '1.0', {}, { cniVersion: '1.0' }],
  ['a version that is a number', 6, 104, 'the number 1', {}, { cniVersion: 1 }],
  ['a version with a v', 1, 106, 'v1.0.0', {}, { cniVersion: 'v1.0.0' }],
  ['CHECK in 0.3.1', 1, 107, '0.4.0 or later', { CNI_COMMAND: 'CHECK' }, { cniVersion: '0.3.1' }],
  ['CHECK in no version', 1, 107, '0.1.0', { CNI_COMMAND: 'CHECK' }, { cniVersion: undefined }],
  ['GC in 1.0.0', 1, 107, '1.1.0 or later', gc],
  ['STATUS in 1.0.0', 1, 107, 'STATUS', { CNI_COMMAND: 'STATUS' }],
  ['DEL in a version of the future', 1, 106, '2.0.0', { CNI_COMMAND: 'DEL' }, { cniVersion: '2.0.0' }],
  // our keys
  ['a subnet that is a number', 7, 108, 'subnet is the number 7', {}, { subnet: 7 }],
  ['a subnet with capitals', 7, 108, 'the name of a PodSubnet', {}, { subnet: 'Pods' }],
  ['an MTU in a text', 7, 108, 'mtu is the text "1500"', {}, { mtu: '1500' }],
  ['an MTU of 100', 7, 108, '576 to 65535', {}, { mtu: 100 }],
  ['a negative MTU', 7, 108, 'mtu', {}, { mtu: -1 }],
  ['a broken MTU', 7, 108, 'mtu', {}, { mtu: 1500.5 }],
  ['an MTU of 70000', 7, 108, 'mtu', {}, { mtu: 70_000 }],
  ['a slip of the pen', 2, 109, '"subent" with value the text "gpu"', {}, { subent: 'gpu' }],
  ['a key of ours in another case', 2, 109, 'subnet', {}, { SubNet: 'gpu' }],
  ['a key of ours in the plural', 2, 109, 'subnet', {}, { subnets: ['gpu'] }],
  ['MTU in capitals', 2, 109, 'mtu', {}, { MTU: 1500 }],
  ['an ipam section', 7, 111, '"host-local"', {}, { ipam: { type: 'host-local' } }],
  ['an ipam section without a type', 7, 111, 'an object', {}, { ipam: { subnet: '10.0.0.0/8' } }],
  ['ipam as a text', 7, 108, 'ipam is the text', {}, { ipam: 'host-local' }],
  ['dns that is a list', 7, 108, 'dns is an empty list', {}, { dns: [] }],
  ['a nameserver that is a number', 7, 108, 'dns.nameservers[1] is the number 8', {}, { dns: { nameservers: ['10.0.0.2', 8] } }],
  ['a slip in GC', 2, 109, 'subnet', gc, { ...v11, subnt: 'x' }],
  // CNI_ARGS
  ['a pair without =', 4, 110, '"A" is not KEY=VALUE', { CNI_ARGS: 'IgnoreUnknown=1;A' }],
  ['a pair with two =', 4, 110, '"A=B=C"', { CNI_ARGS: 'IgnoreUnknown=1;A=B=C' }],
  ['a pair without a key', 4, 110, '"=B"', { CNI_ARGS: '=B' }],
  ['an unknown key', 4, 110, 'unknown: COLOUR', { CNI_ARGS: 'COLOUR=red' }],
  ['an unknown key with IgnoreUnknown=0', 4, 110, 'COLOUR', { CNI_ARGS: 'COLOUR=red;IgnoreUnknown=0' }],
  ['IgnoreUnknown=maybe', 4, 110, 'maybe', { CNI_ARGS: 'COLOUR=red;IgnoreUnknown=maybe' }],
  ['IP that is none', 4, 110, 'IP=10.0.0', { CNI_ARGS: 'IP=10.0.0' }],
  ['MAC that is none', 4, 110, 'MAC=xx', { CNI_ARGS: 'MAC=xx' }],
  ['MAC of a group', 4, 110, 'MAC=01:00:5e:00:00:01 is not a unicast', { CNI_ARGS: 'MAC=01:00:5e:00:00:01' }],
  ['MAC of zeros', 4, 110, 'is not a unicast', { CNI_ARGS: 'MAC=00:00:00:00:00:00' }],
  // runtimeConfig and args
  ['runtimeConfig that is a list', 7, 108, 'runtimeConfig is an empty list', {}, runtime([])],
  ['a MAC of all', 7, 108, 'a unicast Ethernet address is expected', {}, runtime({ mac: 'ff:ff:ff:ff:ff:ff' })],
  ['ports that are no list', 7, 108, 'runtimeConfig.portMappings is an object', {}, runtime({ portMappings: {} })],
  ['a port of 0', 7, 108, 'runtimeConfig.portMappings[0].hostPort', {}, runtime({ portMappings: [{ hostPort: 0, containerPort: 1 }] })],
  ['a port that is missing', 7, 108, 'containerPort is absent', {}, runtime({ portMappings: [{ HostPort: 80 }] })],
  [
    'a protocol of another layer',
    7,
    108,
    'protocol is the text "icmp"',
    {},
    runtime({ portMappings: [{ hostPort: 1, containerPort: 1, protocol: 'icmp' }] }),
  ],
  ['a host address that is none', 7, 108, 'hostIP', {}, runtime({ portMappings: [{ hostPort: 1, containerPort: 1, hostIP: 'all' }] })],
  ['a negative rate', 7, 108, 'bandwidth.ingressRate', {}, runtime({ bandwidth: { IngressRate: -1 } })],
  ['a rate in a text', 7, 108, '"10M"', {}, runtime({ bandwidth: { egressRate: '10M' } })],
  ['an address that is none', 7, 108, 'runtimeConfig.ips[0] is the text "10.0.0.300"', {}, runtime({ ips: ['10.0.0.300'] })],
  ['an Ethernet address that is none', 7, 108, 'runtimeConfig.mac', {}, runtime({ mac: '02:00' })],
  ['an annotation that is no text', 7, 108, 'pod-annotations.a', {}, runtime({ 'io.kubernetes.cri.pod-annotations': { a: 1 } })],
  ['hinted addresses that are no list', 7, 108, 'args.cni.ips', {}, { args: { cni: { ips: '10.0.0.1' } } }],
  ['args that are a text', 7, 108, 'args is the text', {}, { args: 'x' }],
  // prevResult
  ['CHECK without prevResult', 7, 119, 'prevResult', { CNI_COMMAND: 'CHECK' }],
  ['CHECK with prevResult null', 7, 119, 'prevResult', { CNI_COMMAND: 'CHECK' }, prev(null)],
  ['prevResult that is a text', 7, 108, 'prevResult is the text "x"', {}, prev('x')],
  ['prevResult of the future', 1, 106, 'prevResult.cniVersion', {}, prev({ cniVersion: '3.0.0' })],
  ['prevResult with an interface without a name', 7, 108, 'prevResult.interfaces[0].name is absent', {}, prev({ interfaces: [{}] })],
  [
    'prevResult with an address without length',
    7,
    108,
    'prevResult.ips[0].address is the text "10.0.0.1"',
    {},
    prev({ ips: [{ address: '10.0.0.1' }] }),
  ],
  [
    'prevResult with an index to no interface',
    7,
    108,
    'list of 1 interfaces',
    {},
    prev({ interfaces: [{ name: 'a' }], ips: [{ address: '10.0.0.1/8', interface: 1 }] }),
  ],
  [
    'prevResult with a negative index',
    7,
    108,
    'prevResult.ips[0].interface',
    {},
    prev({ ips: [{ address: '10.0.0.1/8', interface: -1 }] }),
  ],
  ['prevResult with a route to nowhere', 7, 108, 'prevResult.routes[0].dst', {}, prev({ routes: [{ gw: '10.0.0.1' }] })],
  ['prevResult with a gateway that is none', 7, 108, 'prevResult.routes[0].gw', {}, prev({ routes: [{ dst: '0.0.0.0/0', gw: 'x' }] })],
  ['prevResult 0.2.0 with a family without address', 7, 108, 'prevResult.ip4.ip is absent', {}, prev({ cniVersion: '0.2.0', ip4: {} })],
  // GC
  [
    'valid attachments that are an object',
    7,
    108,
    'cni.dev/valid-attachments is an object',
    gc,
    { ...v11, 'cni.dev/valid-attachments': {} },
  ],
  ['a valid attachment that is a text', 7, 108, 'cni.dev/valid-attachments[0]', gc, { ...v11, 'cni.dev/valid-attachments': ['c1'] }],
  [
    'a valid attachment without interface',
    7,
    108,
    'containerID and ifname',
    gc,
    { ...v11, 'cni.dev/attachments': [{ containerID: 'c1' }] },
  ],
  [
    'a valid attachment with a nonsensical id',
    7,
    108,
    'containerID is the text "../x"',
    gc,
    { ...v11, 'cni.dev/attachments': [{ containerID: '../x', ifname: 'eth0' }] },
  ],
];

for (const [what, code, fp, names, variables, stdin = {}] of rows) {
  test(`${what}: code ${code}, FP${fp}`, () => {
    const failed = refusal(variables, stdin);
    assert.deepEqual([failed.cni, failed.code], [code, fp], sentence(failed));
    assert.ok(sentence(failed).includes(names), sentence(failed));
    assert.doesNotMatch(sentence(failed), /\{\w+\}|undefined/);
    assert.ok(sentence(failed).length < 700, 'an error must stay readable');
  });
}

test('arbitrary variables and arbitrary JSON give a request or a Failure, never anything else', () => {
  const key = fc.constantFrom(
    'cniVersion',
    'name',
    'prevResult',
    'runtimeConfig',
    'args',
    'ipam',
    'dns',
    'mtu',
    'subnet',
    '__proto__',
    'constructor',
    'x',
  );
  const anything = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: 'small' }, fc.jsonValue({ maxDepth: 3 }), tie('object'), fc.array(tie('object'), { maxLength: 3 })),
    object: fc.dictionary(
      fc.oneof(key, fc.constantFrom('cni', 'ips', 'interfaces', 'routes', 'ip4', 'portMappings', 'bandwidth', 'address')),
      tie('value'),
      {
        maxKeys: 5,
      },
    ),
  }));
  const verb = fc.constantFrom('ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION');
  fc.assert(
    fc.property(verb, fc.string(), anything.object, fc.boolean(), (CNI_COMMAND, CNI_ARGS, object, valid) => {
      const text = JSON.stringify(valid ? Object.assign(Object.create(null), object, v11, { name: 'vpc' }) : object);
      try {
        parseRequest(new Map(Object.entries({ ...env, CNI_COMMAND, CNI_ARGS })), Buffer.from(text));
      } catch (error) {
        if (!isFailure(error)) throw error;
      }
      assert.equal(Object.getOwnPropertyNames(Object.prototype).includes('x'), false);
    }),
    { numRuns: 3000 },
  );
});

test('arbitrary bytes on stdin give a Failure, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (stdin) => {
      assert.throws(() => parseRequest(new Map(Object.entries(env)), stdin), isFailure);
    }),
  );
});
