/** `flatpod import`: files are read whole or named by line and key, and nothing is written over. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { chartValues } from '../../src/cli/import/chart-values.ts';
import { textOf } from '../../src/cli/import/check-made.ts';
import { importFrom } from '../../src/cli/import/import.ts';
import { writeFiles } from '../../src/cli/import/write-files.ts';
import { checkConfig } from '../../src/store/check-config.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { fixture, folder, importOf, textOfFixture } from './import-support.ts';

const main = resolve(import.meta.dirname, '../../src/main.ts');
const run = (...args: string[]) =>
  spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', main, 'import', ...args], { encoding: 'utf8' });
const rubble = ['rubble.json', '10-rubble.conf', 'pods.json', 'ports.json'].map((name) => fixture(`rubble/${name}`));

/** What is refused, all of it in one sentence. */
function refusal(system: 'rubble' | 'aws-node' | 'hostnic', ...contents: (string | object)[]): string {
  try {
    importOf(system, ...contents);
  } catch (error) {
    assert.ok(isFailure(error, 'importMistaken'), String(error));
    return error.details;
  }
  return assert.fail('nothing was refused');
}

test('documents go to stdout, one stream of YAML, and the account in aligned lists to stderr', () => {
  const { status, stdout, stderr } = run('rubble', ...rubble);
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^# .*\napiVersion: flatpod\.dev\/v1alpha1\nkind: NodeConfig\n/);
  assert.equal(stdout.split('\n---\n').length, 6);
  assert.match(stderr, /^TAKEN OVER\nFROM +SETTING +VALUE +TO\n/);
  for (const title of ['THERE UNDER ANOTHER NAME, OR BY ITSELF', 'NO EQUAL', 'LEFT FOR YOU', 'ADDRESSES OF PODS THAT RUN'])
    assert.match(stderr, new RegExp(`\n\n${title}\n[A-Z]`));
});

test('with --json all of it is one object, a failure too', () => {
  const { status, stdout, stderr } = run('rubble', '--json', ...rubble);
  assert.deepEqual([status, stderr], [0, '']);
  const answer: unknown = JSON.parse(stdout);
  assert.ok(typeof answer === 'object' && answer !== null);
  assert.deepEqual(Object.keys(answer), ['system', 'documents', 'kept', 'account']);
  const failed = run('rubble', '--json', '/nowhere.json');
  assert.equal(failed.status, 1);
  assert.match(failed.stdout, /^\{"error":\{"code":500,/);
});

test('with --output each kind has a file of its own in a new folder; one that holds anything is left alone: FP503', () => {
  using files = folder();
  const out = join(files.path, 'flatpod');
  assert.equal(run('rubble', ...rubble, '--output', out).status, 0);
  assert.deepEqual(readdirSync(out).sort(), [
    'controller.yaml',
    'ipclaims.yaml',
    'kept.json',
    'node.yaml',
    'podsubnets.yaml',
    'values.yaml',
  ]);
  assert.deepEqual(checkConfig(readFileSync(join(out, 'node.yaml'), 'utf8')), []);
  for (const taken of [out, files.write('file', '')])
    assert.throws(() => writeFiles(taken, { made: [], kept: [] }), { kind: 'importOutputTaken' }, taken);
});

test('values of the chart say the same as NodeConfig and ControllerConfig', () => {
  const { made } = importOf('aws-node', textOfFixture('aws-node/daemonset.yaml'), textOfFixture('aws-node/eniconfigs.yaml'));
  assert.deepEqual(parse(chartValues(made)), {
    cluster: 'shop-prod',
    cloud: { type: 'aws', vpc: 'vpc-0b1c2d3e4f5a60718' },
    log: 'debug',
    agent: { config: { snat: { exclude: ['192.168.0.0/16', '10.99.3.0/24'] } } },
  });
  const hostnic = importOf('hostnic', { type: 'hostnic', serviceCIDR: '10.233.0.0/18' });
  assert.deepEqual(parse(chartValues(hostnic.made)), { cloud: { type: 'qingcloud' }, agent: { serviceCidrs: ['10.233.0.0/18'] } });
});

test('texts that one YAML or the other would take for a number or a truth are in quotes', () => {
  for (const cluster of ['on', 'no', '1e3', '0o17', '017', '1_000', 'null', '12:30:45', '~']) {
    const { made } = importOf('hostnic', { clusterID: cluster });
    const config = made.find(({ kind }) => kind === 'ControllerConfig') ?? assert.fail();
    assert.match(textOf(config), /\n {2}cluster: "[^"]+"\n/, cluster);
  }
});

test('an unknown system is wrong use', () => {
  assert.equal(run('calico', ...rubble).status, 2);
});

test('a file that is not there, no regular file, or no text: FP500 importFileUnreadable, with its name', () => {
  using files = folder();
  mkdirSync(join(files.path, 'folder'));
  for (const name of ['absent', 'folder']) {
    const path = join(files.path, name);
    assert.throws(
      () => importFrom('rubble', [path]),
      (error) => isFailure(error, 'importFileUnreadable') && error.message.includes(path),
    );
  }
});

test('files without anything of the system: FP502 importNothing says what to give', () => {
  assert.throws(() => importOf('aws-node', textOfFixture('aws-node/eniconfigs.yaml')), { kind: 'importNothing' });
});

test('what is neither JSON nor YAML is named by line, and all such files at once', () => {
  const said = refusal('rubble', '{"subnet_id": "a",\n "net_id" }', 'a: 1\nb: [\n', '');
  assert.match(said, /\/0:2: is no JSON: "}" does not belong here/);
  assert.match(said, /\/1:\d: is no YAML/);
  assert.match(said, /\/2:1: is empty/);
});

test('a key that stands twice is named with its line, in JSON and in YAML', () => {
  assert.match(refusal('rubble', '{\n"period": 1,\n"period": 2}'), /\/0:3: period: stands there twice/);
  assert.match(refusal('rubble', 'period: 1\nperiod: 2\n'), /\/0:2: period: stands there twice/);
});

test('a file that belongs to something else is refused, not passed over', () => {
  assert.match(refusal('rubble', { kind: 'Secret', metadata: { name: 'os' } }), /\/0:1: is Secret os, which this import does not read/);
});

test('mistakes in a file within a ConfigMap are named by the line of the outer file', () => {
  const text = textOfFixture('hostnic/configmaps.yaml').replace('"maxNic": 60', '"maxNic": "many"').replace('"Default": [', '"Default": ');
  const said = refusal('hostnic', text);
  assert.match(said, /\/0:10: hostnic-cfg-cm\.hostnic\.pool\.maxNic: must be a whole number from 0 to 63, not "many"/);
  assert.match(said, /\/0:5\d: hostnic-ipam-config\.ipam: is no JSON/);
});

test('names in any script, and keys of any spelling, are read as they are', () => {
  const { account } = importOf('rubble', { größe: 1, __proto__: null, 名前: 'x', 'a b.c': {} });
  assert.deepEqual(
    account.entries.filter(({ fate }) => fate === 'none').map(({ key }) => key),
    ['größe', '名前', 'a b.c'],
  );
});
