/** docs/migrate/rubble.md by its word: its tables are read from the page, its commands are given to the programs as it has them. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { parse } from 'yaml';
import { writeFiles } from '../../src/cli/import/write-files.ts';
import { addTakeover } from '../../src/cli/takeover/commands.ts';
import { rendered, type Values } from '../../scripts/helm.ts';
import { folder, importOf, specOf, textOfFixture } from './import-support.ts';

const page = readFileSync(resolve(import.meta.dirname, '../../docs/migrate/rubble.md'), 'utf8');
const whole = () =>
  importOf('rubble', ...['rubble.json', '10-rubble.conf', 'pods.json', 'ports.json'].map((name) => textOfFixture(`rubble/${name}`)));

/** The words in backquotes of a line of the page that begins so. */
function quotedIn(start: string): string[] {
  const line = page.split('\n').find((one) => one.startsWith(start)) ?? assert.fail(`the page has no line ${start}`);
  return [...line.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word);
}

/** What the rows of the table with this head begin with: one word in backquotes, or several. */
function rowsOf(head: string): string[] {
  const lines = page.slice(page.indexOf(head)).split('\n');
  const firsts = lines.slice(2, lines.indexOf('')).map((row) => row.split('|')[1]?.trim() ?? '');
  return firsts.flatMap((cell) => (cell.startsWith('`') ? [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word) : []));
}

test('the files that the page lists are those that --output writes', () => {
  using files = folder();
  const out = join(files.path, 'out');
  writeFiles(out, whole());
  assert.deepEqual(readdirSync(out).toSorted(), rowsOf('| file | what it is |').toSorted());
});

test('each key of the page’s table is taken over, and those that it calls known too are, however they are written', () => {
  const { account } = importOf('rubble', textOfFixture('rubble/10-rubble.conf'), {
    subnet_id: 's1',
    security_groups: ['g1'],
    min_pool_size: 3,
    service_cidr: '10.96.0.0/12',
    kubeconfig: '/etc/rubble/kubeconfig',
  });
  const taken = new Set(account.entries.flatMap(({ fate, key }) => (fate === 'taken' ? [key] : [])));
  for (const key of rowsOf('| there | here |')) assert.ok(taken.has(key), `${key} of the page`);
  const more = quotedIn('rubble.json is read by meaning').filter((word) => /^[a-z]+(_[a-z]+)*$/.test(word));
  assert.ok(more.length >= 5, more.join());
  for (const key of more) {
    const spoken = key.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
    for (const written of [key, key.replaceAll('_', '-'), spoken, key.toUpperCase()]) {
      const value = /cidr/.test(key) ? '10.96.0.0/12' : /idle/.test(key) ? 3 : 's1';
      const { fate } = importOf('rubble', { [written]: value }).account.entries.find((one) => one.key === written) ?? {};
      assert.equal(fate, 'taken', written);
    }
  }
  assert.equal(
    specOf(importOf('rubble', { subnet: 's1' }, { type: 'rubble', master: 'eth0' }).made, 'PodSubnet')['useFirstNic'],
    undefined,
  );
});

test('helm takes the values that are written, with what the page’s command sets, and no agent comes to a node without the label', () => {
  using files = folder();
  const out = join(files.path, 'out');
  writeFiles(out, whole());
  const values = parse(readFileSync(join(out, 'values.yaml'), 'utf8')) as Values; // our own writing
  const line = page.split('\n').find((one) => one.startsWith('helm install')) ?? '';
  const set = [...line.matchAll(/--set (\S+)/g)].map(([, one = '']) => one.replace('NAME', 'office'));
  assert.deepEqual(set, ['cluster=office', 'cloud.changes=false', 'agent.nodeSelector.network=flatpod']);
  const manifests = rendered(values, ...set.flatMap((one) => ['--set', one]));
  assert.match(manifests, /kind: DaemonSet[^]*nodeSelector:\n( +kubernetes.io\/os: linux\n)? +network: flatpod\n[^]*---/);
  assert.match(manifests, /changes: false/);
  const rights = page.split('\n').find((one) => one.startsWith('helm template')) ?? '';
  const template = /-s (\S+)/.exec(rights)?.[1] ?? '';
  assert.match(rendered({ cluster: 'office', cloud: { type: 'openstack' } }, '-s', template), /name: flatpod-controller/);
});

test('the page’s take-overs are commands that there are, with options that there are', () => {
  const commands = [...page.matchAll(/flatpod takeover (rubble [^`\n<]*)/g)].map(([, args = '']) => args.trim().split(' '));
  assert.equal(commands.length, 2);
  for (const args of commands) {
    const root = new Command();
    addTakeover(root, { socket: '/run/none', state: '/run/none' });
    const command = root.commands[0] ?? assert.fail();
    let asked: unknown;
    command.exitOverride().action((_plugin: string, options: object) => void (asked = options));
    root.parse(['takeover', ...args], { from: 'user' });
    assert.deepEqual(asked, { ...(asked as object), node: 'NAME', kept: args.includes('-') ? '-' : 'kept.json' });
  }
});
