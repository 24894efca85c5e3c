/** The table of rooms: which folder of src/ may import which. Arrows point down only. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '../src');

/** Folder → the folders it may import from, besides itself, `errors`, `net` and `log`. */
const allowed: Record<string, readonly string[]> = {
  errors: [],
  net: [],
  log: [],
  kernel: [],
  cloud: [],
  kube: [],
  store: ['cloud', 'kube'],
  import: ['store'],
  ipam: [],
  cni: [],
  cri: [],
  datapath: ['kernel', 'store'],
  vpc: ['kernel', 'cloud'],
  controller: ['cloud', 'import', 'ipam', 'kube', 'store'],
  agent: ['cni', 'cri', 'datapath', 'ipam', 'kernel', 'kube', 'store', 'cloud'],
  install: ['cri'],
  cli: ['install', 'agent', 'controller', 'vpc', 'cni', 'cri', 'datapath', 'import', 'ipam', 'kernel', 'kube', 'store', 'cloud'],
  main: ['cli'],
  'main-cni': ['cli'],
};
const ground = ['errors', 'net', 'log'];

function roomOf(file: string): string {
  const path = relative(root, file);
  return path.includes('/') ? (path.split('/')[0] ?? '') : path.replace(/\.ts$/, '');
}

test('imports follow the table of rooms', () => {
  const wrong: string[] = [];
  for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const file = join(root, name);
    const from = roomOf(file);
    assert.ok(from in allowed, `${name}: the room ${from} is not in the table`);
    for (const [, target = ''] of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s+'(\.[^']+)'/g)) {
      const to = roomOf(resolve(dirname(file), target));
      if (to === from || (ground.includes(to) && !ground.includes(from)) || allowed[from]?.includes(to)) continue;
      wrong.push(`${name} imports ${target}: ${from} may not use ${to}`);
    }
  }
  assert.deepEqual(wrong, []);
});
