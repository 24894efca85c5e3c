/** `flatpod ipam`, and what host-local and whereabouts left, taken over. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { run, scratch } from '../cni/executable.ts';
import { type Books, openBooks } from './books.ts';

const launcher = resolve(import.meta.dirname, '../../bin/flatpod');

/** Runs `flatpod ipam …` on the books. */
function ipam(books: Pick<Books, 'path'>, args: string, stdin = ''): Promise<{ status: number | null; stdout: string; stderr: string }> {
  return run(launcher, { PATH: process.env['PATH'] ?? '' }, stdin, ['ipam', ...args.split(' '), '--state', books.path]);
}

/** A folder as host-local keeps it, with one file of an old version. */
function directoryIn(path: string): string {
  const folder = join(path, 'lan');
  mkdirSync(folder);
  const files = { '10.1.0.2': 'c1\r\neth0', '10.1.0.3': 'c2\r\nnet1', '10.1.0.9': 'old', 'last_reserved_ip.0': '10.1.0.9', lock: '' };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

const pool = `apiVersion: v1
kind: List
items:
- apiVersion: whereabouts.cni.cncf.io/v1alpha1
  kind: IPPool
  metadata: {name: 10.9.0.0-24, namespace: kube-system}
  spec:
    range: 10.9.0.0/24
    allocations: {"1": {id: c1, podref: shop/web-0, ifname: net1}, "17": {id: c2, podref: shop/web-1, ifname: net1}}
- {kind: IPPool, metadata: {name: blue-fd00---64}, spec: {range: 'fd00::/64', allocations: {"5": {id: c3, podref: shop/db, ifname: net1}}}}
`;

test('list and show tell who has an address, release takes it away, and again says that nobody has it', async () => {
  using books = openBooks();
  const args = 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0';
  await books.ask('ADD', { pool: ['10.0.0.0/24', 'fd00::/64'] }, { args });
  const list = await ipam(books, 'list');
  assert.match(list.stdout, /^ADDRESS +POD .*\n10\.0\.0\.2 +shop\/web-0 +c1 +eth0 +net +\d{4}-.*Z +flatpod:net\nfd00::2 /);
  assert.match(
    (await ipam(books, 'list --json --scope flatpod:net')).stdout,
    /^\{"leases":\[\{"scope":"flatpod:net","address":"10\.0\.0\.2",/,
  );
  assert.match((await ipam(books, 'list --scope other')).stdout, /\(none\)/);
  assert.match(
    (await ipam(books, 'show 10.0.0.2')).stdout,
    /^10\.0\.0\.2 in flatpod:net: shop\/web-0 \(container c1, eth0\) of network net since /,
  );
  assert.equal((await ipam(books, 'release 10.0.0.2')).stdout, 'released 10.0.0.2 of c1 eth0 in flatpod:net\n');
  assert.match((await ipam(books, 'show 10.0.0.2')).stdout, /nobody; it rests until /);
  const again = await ipam(books, 'release 10.0.0.2');
  assert.deepEqual([again.status, again.stderr.slice(0, 43)], [1, 'flatpod: nobody has 10.0.0.2 (FP313): no le']);
  assert.equal((await ipam(books, 'release c1 --ifname eth0 --rest 0 --json')).status, 0);
  assert.deepEqual(books.leases.list(), []);
  assert.equal((await ipam(books, 'show 10.0.0')).status, 1);
});

test('an address of two scopes is released only in the one that is named', async () => {
  using books = openBooks();
  for (const name of ['a', 'b']) await books.ask('ADD', { pool: '10.0.0.0/24' }, {}, { name });
  assert.match((await ipam(books, 'release 10.0.0.2')).stderr, /FP314.*flatpod:a, flatpod:b/);
  assert.equal((await ipam(books, 'release 10.0.0.2 --scope flatpod:b')).status, 0);
  assert.deepEqual(
    books.leases.list().map(({ scope }) => scope),
    ['flatpod:a'],
  );
});

test('where there is no database there are no leases, and looking makes none', async () => {
  using dir = scratch();
  assert.match((await ipam(dir, 'list')).stdout, /\(none\)/);
  assert.match((await ipam(dir, 'show 10.0.0.1')).stderr, /FP313/);
  assert.deepEqual(readdirSync(dir.path), []);
});

test('what host-local gave is taken over at the first request, so that nobody gets it twice; its containers are released', async () => {
  using dir = scratch();
  using books = openBooks();
  directoryIn(dir.path);
  const section = { dataDir: dir.path, ranges: [[{ subnet: '10.1.0.0/28' }]], cooldown: 0 };
  const ask = (verb: string, container: string, ifname = 'eth0') => books.ask(verb, section, { container, ifname }, { name: 'lan' });
  assert.equal((await ask('DEL', 'c1')).status, 0);
  assert.equal((await ask('CHECK', 'c2', 'net1')).status, 0);
  // Round robin goes on where host-local was.
  const got: string[] = [];
  for (let i = 0; i < 12; i++) got.push((await ask('ADD', `n${i}`)).addresses[0] ?? 'none');
  assert.deepEqual(got.map((address) => address.replace(/^10\.1\.0\.(\d+)\/28$/, '$1')).join(' '), '10 11 12 13 14 2 4 5 6 7 8 none');
  assert.match(books.log.join(''), /took over 3 leases that host-local kept in .*lan/);
});

test('a container that an old host-local recorded without its interface is released by its id', async () => {
  using dir = scratch();
  using books = openBooks();
  directoryIn(dir.path);
  const section = { dataDir: dir.path, subnet: '10.1.0.0/28' };
  await books.ask('DEL', section, { container: 'old' }, { name: 'lan' });
  assert.deepEqual(
    books.leases.list().map(({ address }) => address),
    ['10.1.0.2', '10.1.0.3'],
  );
});

test('import takes a folder of host-local by hand, tells what others have by now, and is repeated without harm', async () => {
  using dir = scratch();
  using books = openBooks();
  const folder = directoryIn(dir.path);
  assert.deepEqual(await ipam(books, `import ${folder}`), { status: 0, stdout: '3 leases taken over, 0 known before\n', stderr: '' });
  assert.equal((await ipam(books, `import ${folder} --json`)).stdout, '{"taken":0,"known":3,"conflicts":[]}\n');
  writeFileSync(join(folder, '10.1.0.3'), 'other\r\neth0');
  const conflict = await ipam(books, `import ${folder}`);
  assert.equal(conflict.status, 1);
  assert.match(conflict.stdout, /left alone: 10\.1\.0\.3 of container other, eth0 is container c2, net1's/);
});

test('import takes IPPools of whereabouts, from a file or stdin, by the offsets they keep; the Pod gets its address again', async () => {
  using books = openBooks();
  assert.equal((await ipam(books, 'import -', pool)).stdout, '3 leases taken over, 0 known before\n');
  assert.deepEqual(
    books.leases.list().map(({ scope, address, pod }) => `${scope} ${address} ${pod}`),
    ['whereabouts 10.9.0.1 shop/web-0', 'whereabouts 10.9.0.17 shop/web-1', 'whereabouts:blue fd00::5 shop/db'],
  );
  const told = await books.ask(
    'ADD',
    { range: '10.9.0.0/24' },
    { container: 'new', ifname: 'net1', args: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-1' },
  );
  assert.deepEqual(told.addresses, ['10.9.0.17/24']);
});

test('what cannot be imported is told, and nothing of it is', async () => {
  using books = openBooks();
  const wrong: Record<string, RegExp> = {
    '{kind: Pod}': /of kind "Pod", not IPPool/,
    '{kind: IPPool, metadata: {}, spec: {range: 10.9.0.0}}': /spec\.range is "10\.9\.0\.0", not a block/,
    '{kind: IPPool, metadata: {}, spec: {range: 10.9.0.0/24, allocations: {"256": {id: a}}}}': /256 is no offset within/,
    '{kind: [': /FP315/,
    '{items: []}': /no IPPool in it/,
  };
  for (const [text, words] of Object.entries(wrong)) {
    const ended = await ipam(books, 'import -', text);
    assert.equal(ended.status, 1);
    assert.match(ended.stderr, words);
  }
  assert.match((await ipam(books, 'import /nonexistent')).stderr, /FP315.*ENOENT/);
});
