/** Configuration files: what is wrong is said by line, field and remedy, all at once. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Failure, isFailure } from '../../src/errors/failure.ts';
import { checkConfig } from '../../src/store/check-config.ts';
import { readConfigFile } from '../../src/store/config-file.ts';
import { sayProblem } from '../../src/store/config-problem.ts';

const node = (spec = '') => `apiVersion: flatpod.dev/v1alpha1
kind: NodeConfig
metadata: {name: n1}
spec:
  instance: i-1
  cloud: {type: vpc, endpoint: "http://127.0.0.1:1"}
${spec}`;
const subnet = (name: string, spec = '') => `---
apiVersion: flatpod.dev/v1alpha1
kind: PodSubnet
metadata: {name: ${name}}
spec:
  cloudSubnet: s-1
${spec}`;
const said = (text: string) => checkConfig(text).map(sayProblem);

function withFile(t: { after(clean: () => void): void }, content: string | Uint8Array): string {
  const dir = mkdtempSync(join(tmpdir(), 'flatpod-config-'));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, 'node.yaml'), content);
  return join(dir, 'node.yaml');
}
function failureOf(run: () => unknown): Failure {
  try {
    run();
  } catch (error) {
    if (isFailure(error)) return error;
    throw error;
  }
  return assert.fail('nothing was thrown');
}

test('a right file gives its objects, with defaults filled in and addresses in canonical text', (t) => {
  const path = withFile(t, node() + subnet('a', '  exclude: ["2001:DB8::0/64", 10.0.0.1]\n') + subnet('b', '  namespaces: [web]\n'));
  const { config, subnets } = readConfigFile(path);
  assert.equal(config.spec.cooldown_s, 180);
  assert.deepEqual(subnets[0]?.spec.exclude, ['2001:db8::/64', '10.0.0.1/32']);
  assert.deepEqual(
    subnets.map((one) => one.metadata.name),
    ['a', 'b'],
  );
});

const mistakes: [promise: string, text: string, expected: RegExp[]][] = [
  [
    'an unknown key comes with the one that was meant',
    node('  cooldowns: 3\n'),
    [/^7:3 NodeConfig n1: spec\.cooldowns: is not a known key; did you mean cooldown_s\?$/],
  ],
  [
    'a key in the wrong place is told where it belongs',
    node() + subnet('a', '  spare: 3\n'),
    [/spec\.spare: is not a known key; it belongs to spec\.warm$/],
  ],
  [
    'a missing field is reported at the mapping that lacks it',
    node().replace('  instance: i-1\n', ''),
    [/^5:3 NodeConfig n1: spec\.instance: is missing; a standalone node needs it/],
  ],
  [
    'a missing field of a PodSubnet',
    node() + subnet('a').replace('  cloudSubnet: s-1\n', '  priority: 1\n'),
    [/^12:3 PodSubnet a: spec\.cloudSubnet: is missing; name a subnet of the cloud, or write range for a network without one$/],
  ],
  [
    'fixed IPs of prefixes',
    node() + subnet('a', '  unit: prefix\n  addressing: fixed-ips\n'),
    [/spec\.addressing: fixed-ips goes with single addresses of a subnet of the cloud; leave it out, or write unit: address$/],
  ],
  [
    'a port for each address of a prefix',
    node() + subnet('a', '  unit: prefix\n  addressing: ports\n'),
    [/spec\.addressing: ports goes with single addresses of a subnet of the cloud; leave it out, or write unit: address$/],
  ],
  [
    'one subnet in two ways',
    node() + subnet('a', '  datapath: branch\n') + subnet('b', '  addressing: ports\n') + subnet('c'),
    [/PodSubnet c: spec\.addressing: subnet s-1 has addressing ports by PodSubnet b, and blocks by this one; write the same in both$/],
  ],
  ['a number in quotes', node('  cooldown_s: "3"\n'), [/^7:15 .*must be a number, not "3"; leave the quotes out: 3$/]],
  ['a name without quotes that YAML reads as a number', node().replace('i-1', '17'), [/must be a text, not 17; put it in quotes: "17"$/]],
  ['a value outside of its range', node('  cooldown_s: -1\n'), [/spec\.cooldown_s: must be at least 0, not -1$/]],
  ['a value that is none of the list', node('  log: warning\n'), [/spec\.log: must be debug or info or warn or error, not "warning"$/]],
  ['a value close to one of the list', node('  log: Info\n'), [/did you mean info\?$/]],
  [
    'a cloud that is not known',
    node().replace('type: vpc', 'type: moon'),
    [/^6:17 .*spec\.cloud\.type: must be vpc or openstack or aws or qingcloud or none, not "moon"$/],
  ],
  ['a URL that is none', node().replace('"http://127.0.0.1:1"', 'here'), [/"here" is no URL; write it like http:/]],
  ...[
    'https://127.0.0.1',
    'ftp://cloud',
    'http://me:secret@cloud',
    'http://cloud/v2',
    'http://cloud/?zone=a',
    'unix:run/vpc.sock',
    'foo:bar',
  ].map((url): (typeof mistakes)[number] => [
    `an endpoint that would not be used as it is: ${url}`,
    node().replace('http://127.0.0.1:1', url),
    [/spec\.cloud\.endpoint: an endpoint is http:\/\/HOST:PORT or unix:\/PATH, with nothing behind it$/],
  ]),
  [
    'an element of a list, by its index',
    node('  serviceCidrs: [10.96.0.0/12, 10.0.0.1/8]\n'),
    [/^7:32 .*spec\.serviceCidrs\[1\]: "10\.0\.0\.1\/8" is no CIDR block/],
  ],
  ['a key that stands twice', node('  log: info\n  log: info\n'), [/^8:3 the key "log" stands here twice; remove one of them$/]],
  ['a tag that means nothing', node('  log: !secret x\n'), [/YAML: Unresolved tag: !secret/, /spec\.log/]],
  ['broken YAML', 'kind: [', [/^1:\d+ YAML: /]],
  ['an empty file', '', [/^1:1 holds no document; docs\/configuration\.md/]],
  ['an empty document', `${node()}---\n`, [/is an empty document; remove the ---/]],
  ['a PodSubnet first', subnet('a'), [/kind: is "PodSubnet"; the first document is the NodeConfig$/]],
  ['two NodeConfigs', `${node()}---\n${node()}`, [/^9:7 .*kind: is "NodeConfig"; every document after the first is a PodSubnet$/]],
  ['an object of another kind', `${node()}---\nkind: Pod\n`, [/^8:7 Pod: kind: is "Pod"/]],
  ['two subnets of one name', node() + subnet('a') + subnet('a'), [/^16:18 PodSubnet a: metadata\.name: the name a is given twice/]],
  [
    'a namespace that stands twice',
    node() + subnet('a', '  namespaces: [x, y, x]\n'),
    [/^13:22 PodSubnet a: spec\.namespaces\[2\]: the namespace x stands here twice; remove one of them$/],
  ],
  [
    'fields that work in a cluster only',
    node() +
      subnet(
        'a',
        '  podSelector: {}\n  nodeSelector: {matchLabels: {a: b}}\n  assignable: true\n  perCluster: {maximum: 900}\n  serviceAccountSelector: {}\n',
      ),
    [
      /^13:16 .*spec\.podSelector: does not go with assignable.*; remove it, or assignable$/,
      /^13:16 .*spec\.podSelector: works in a cluster only; remove it: a standalone agent knows no labels; namespaces can be named$/,
      /^14:17 .*spec\.nodeSelector: works in a cluster only; remove it: a standalone agent serves its own node$/,
      /^15:15 .*spec\.assignable: works in a cluster only; remove it: a standalone agent sees no annotations/,
      /^16:15 .*spec\.perCluster: works in a cluster only; write perNode: a standalone agent knows no other nodes$/,
      /^17:27 .*spec\.serviceAccountSelector: does not go with assignable.*; remove it, or assignable$/,
      /^17:27 .*spec\.serviceAccountSelector: works in a cluster only; remove it: a standalone agent knows no labels/,
    ],
  ],
  [
    'a label selector with a wrong operator, wrong values, a wrong key',
    node() +
      subnet(
        'a',
        '  podSelector:\n    matchLabels: {"a b": c}\n    matchExpressions: [{key: a, operator: in}, {key: a, operator: Exists, values: [x]}, {key: a, operator: In}]\n',
      ),
    [
      /spec\.podSelector\.matchLabels.*: is no label key: write it like app or example\.com\/app$/,
      /matchExpressions\[0\]\.operator: must be In or NotIn or Exists or DoesNotExist, not "in"; did you mean In\?$/,
      /matchExpressions\[1\]\.values: must be empty with operator Exists: leave it out$/,
      /matchExpressions\[2\]\.values: must have at least one entry with operator In$/,
    ],
  ],
  [
    'less for the cluster than for a node',
    node() + subnet('a', '  perCluster: {maximum: 20}\n'),
    [
      /spec\.perCluster: works in a cluster only/,
      /spec\.perCluster\.maximum: 20 is less than perNode\.maximum, which is 250; raise it, or lower/,
    ],
  ],
  [
    'a PodSubnet in the file of a node of a cluster',
    'apiVersion: flatpod.dev/v1alpha1\nkind: NodeConfig\nmetadata: {name: n1}\nspec: {cluster: {}}\n' + subnet('a', '  podSelector: {}\n'),
    [/^7:7 PodSubnet a: kind: is not read from the file of a node of a cluster; kubectl apply it/],
  ],
  ['marks that share bits', node('  numbers: {snatMark: 0x4}\n'), [/spec\.numbers\.snatMark: 0x4 shares the bits 0x4 with markMask 0x6e/]],
  ['a mask of all bits', node('  numbers: {markMask: 0xffffffff, snatMark: 0x80000000}\n'), [/shares the bits 0x80000000/]],
  ['a mask with too few bits', node('  numbers: {markMask: 0x6}\n'), [/spec\.numbers\.markMask: 0x6 has 2 bits, 4 are the least/]],
  [
    'a prefix that real interfaces have',
    node('  numbers: {linkPrefix: et}\n'),
    [/spec\.numbers\.linkPrefix: names of real interfaces begin/],
  ],
  ['a prefix longer than that of real interfaces', node('  numbers: {linkPrefix: ensp}\n'), [/spec\.numbers\.linkPrefix/]],
  [
    'priorities out of order',
    node('  numbers: {priorityMark: 700}\n'),
    [/spec\.numbers\.priorityMark: 700 must be above priorityToPod, which is 700/],
  ],
  [
    'the last priority too low',
    node('  numbers: {priorityFromPod: 710}\n'),
    [/priorityFromPod: 710 must be above priorityToServiceVeth, which is 730/],
  ],
  [
    'a floor above the ceiling',
    node() + subnet('a', '  warm: {minimum: 9}\n  perNode: {maximum: 8}\n'),
    [/^13:19 .*spec\.warm\.minimum: 9 is more than perNode\.maximum, which is 8/],
  ],
  [
    'prefixes that can never fit',
    node() + subnet('a', '  unit: prefix\n  perNode: {maximum: 15}\n'),
    [/15 leaves no room for a \/28 prefix/],
  ],
  ['one family twice', node() + subnet('a', '  families: [4, 4]\n'), [/spec\.families: names a family twice/]],
];

for (const [promise, text, expected] of mistakes) {
  test(`is reported: ${promise}`, () => {
    const problems = said(text);
    assert.equal(problems.length, expected.length, problems.join('\n'));
    for (const [i, pattern] of expected.entries()) assert.match(problems[i] ?? '', pattern);
  });
}

test('a namespace and being the default may be of several subnets: they have an order', () => {
  const both = '  default: true\n  namespaces: [x]\n';
  assert.deepEqual(said(node() + subnet('a', both) + subnet('b', both)), []);
});

test('all mistakes are reported together, in the order of the file', (t) => {
  const failed = failureOf(() => readConfigFile(withFile(t, node('  logg: info\n  cooldown_s: x\n') + subnet('A!', '  unit: pfx\n'))));
  assert.equal(failed.kind, 'configFileInvalid');
  assert.match(failed.message, /has 4 mistakes$/);
  assert.deepEqual(
    failed.details.match(/node\.yaml:\d+:\d+/g)?.map((place) => place.slice(10)),
    ['7:3', '8:15', '12:18', '15:9'],
  );
});

const hostile: [what: string, text: string, expected: RegExp][] = [
  [
    'aliases that multiply',
    `${node()}x: &a [1,1,1,1,1,1,1,1,1]\ny: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nz: &c [*b,*b,*b,*b,*b,*b]\nw: [*c,*c,*c,*c,*c]\n`,
    /Excessive alias count/,
  ],
  ['200 000 open brackets', '['.repeat(200_000), /nested too deeply/],
  ['50 000 unknown keys', `kind: NodeConfig\nspec:\n${Array.from({ length: 50_000 }, (_, i) => `  k${i}: 1\n`).join('')}`, /is missing/],
  ['200 000 documents', '---\n'.repeat(200_000), /holds 200000 documents, at most 1000 are read/],
];

for (const [what, text, expected] of hostile) {
  test(`a hostile file ends in at most 50 mistakes, not in a hang: ${what}`, () => {
    const problems = said(text);
    assert.ok(problems.length > 0 && problems.length <= 50);
    assert.match(problems[0] ?? '', expected);
  });
}

test('a file that is missing, a directory, a FIFO, too large or no text is refused with its own reason', (t) => {
  const path = withFile(t, '');
  assert.equal(failureOf(() => readConfigFile(`${path}.not`)).code, 191);
  assert.match(failureOf(() => readConfigFile(join(path, '..'))).details, /not a regular file/);
  execFileSync('mkfifo', [`${path}.fifo`]);
  assert.match(failureOf(() => readConfigFile(`${path}.fifo`)).details, /not a regular file/);
  assert.match(failureOf(() => readConfigFile(`${path}/x`)).details, /ENOTDIR/);
  assert.match(failureOf(() => readConfigFile(withFile(t, 'x'.repeat(2 ** 20 + 1)))).details, /1048577 bytes/);
  const latin1 = Buffer.from('a: 1\nb: caf\u00e9\n', 'latin1');
  assert.match(failureOf(() => readConfigFile(withFile(t, latin1))).details, /line 2 is not UTF-8/);
});

test('where a controller listens is an address and a port, or a port', () => {
  const config = (listen: string): string => `apiVersion: flatpod.dev/v1alpha1
kind: ControllerConfig
metadata: {name: c}
spec:
  cluster: lab
  cloud: {type: vpc, endpoint: "http://127.0.0.1:1"}
  listen: "${listen}"
`;
  for (const right of [':9412', '127.0.0.1:1', '[::1]:65535']) assert.deepEqual(said(config(right)), [], right);
  for (const wrong of ['9412', '', ':', ':0', ':65536', 'localhost:1', '::1:9412', '[]:1', '[127.0.0.1:1', '1.2.3:4', '127.0.0.1'])
    assert.match(said(config(wrong)).join(), /listen.*is neither ADDRESS:PORT nor :PORT/, wrong);
});
