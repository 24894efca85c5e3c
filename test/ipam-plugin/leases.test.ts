/** Who gets which address, who does not, and who is told why. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Books, openBooks } from './books.ts';

const small = { pool: '10.0.0.0/29', cooldown: 0 };

/** Adds these containers, and returns what each got: an address or an error's number. */
async function addAll(books: Books, ipam: object, containers: readonly string[]): Promise<string[]> {
  const got: string[] = [];
  for (const container of containers) {
    const told = await books.ask('ADD', ipam, { container });
    got.push(told.addresses.join(' ') || told.fp);
  }
  return got;
}
const del = (books: Books, ipam: object, container: string) => books.ask('DEL', ipam, { container });

test('the next address after the last one given comes first, and freed ones when the end was reached', async () => {
  using books = openBooks();
  assert.deepEqual(await addAll(books, small, ['a', 'b']), ['10.0.0.2/29', '10.0.0.3/29']);
  await del(books, small, 'a');
  await del(books, small, 'b');
  assert.deepEqual(await addAll(books, small, ['c', 'd', 'e', 'f']), ['10.0.0.4/29', '10.0.0.5/29', '10.0.0.6/29', '10.0.0.2/29']);
});

test('lowest first gives a freed address again before any that was never used', async () => {
  using books = openBooks();
  const lowest = { ...small, order: 'lowest' };
  await addAll(books, lowest, ['a', 'b', 'c']);
  await del(books, lowest, 'b');
  assert.deepEqual(await addAll(books, lowest, ['d', 'e']), ['10.0.0.3/29', '10.0.0.5/29']);
});

test('in random order all addresses are given, and then the numbers say where they are', async () => {
  using books = openBooks();
  const random = { ...small, order: 'random' };
  const got = await addAll(books, random, ['a', 'b', 'c', 'd', 'e']);
  assert.deepEqual(got.toSorted(), ['10.0.0.2/29', '10.0.0.3/29', '10.0.0.4/29', '10.0.0.5/29', '10.0.0.6/29']);
  const told = await books.ask('ADD', random, { container: 'f' });
  assert.deepEqual([told.fp, told.json['code']], ['FP303', 11]);
  assert.match(told.stdout, /10\.0\.0\.1-10\.0\.0\.6 for f\/eth0 .*of 6 addresses 5 are leased, 0 rest, 1 are kept back/);
});

test('a freed address rests; softly: when nothing else is left the one freed first is given', async () => {
  using books = openBooks();
  const soft = { pool: '10.0.0.0/29' };
  await addAll(books, soft, ['a', 'b', 'c', 'd']);
  for (const container of ['c', 'a']) await del(books, soft, container);
  assert.deepEqual(await addAll(books, soft, ['e', 'f', 'g', 'h']), ['10.0.0.6/29', '10.0.0.4/29', '10.0.0.2/29', 'FP303']);
});

test('a strict cooldown is kept, and the error says for how long; not even who asks for the address gets it', async () => {
  using books = openBooks();
  const strict = { pool: '10.0.0.0/29', cooldown: { seconds: 60, strict: true } };
  await addAll(books, strict, ['a', 'b', 'c', 'd', 'e']);
  await del(books, strict, 'b');
  const told = await books.ask('ADD', strict, { container: 'f' });
  assert.match(told.stdout, /FP303.*4 are leased, 1 rest \(the first of them is free in (60|5\d) s\)/);
  const asked = await books.ask('ADD', strict, { container: 'f', args: 'IP=10.0.0.3' });
  assert.match(asked.stdout, /FP306.*one that rests for (60|5\d) s more/);
});

test('rests that are over end by themselves', async () => {
  using books = openBooks();
  const strict = { pool: '10.0.0.0/29', cooldown: { seconds: 60, strict: true } };
  await addAll(books, strict, ['a', 'b', 'c', 'd', 'e']);
  const [lease] = books.leases.list();
  assert.ok(lease);
  books.leases.change(() => books.leases.release(lease, Date.now() - 1));
  assert.deepEqual(await addAll(books, strict, ['f']), ['10.0.0.2/29']);
});

test('addresses are kept for whoever asks for them, or for one Pod, which gets its own', async () => {
  using books = openBooks();
  const kept = { ...small, reservations: ['10.0.0.2-10.0.0.3', { address: '10.0.0.4', pod: 'shop/web-0' }] };
  const web = { container: 'w', args: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web-0' };
  assert.deepEqual(await addAll(books, kept, ['a', 'b', 'c']), ['10.0.0.5/29', '10.0.0.6/29', 'FP303']);
  assert.deepEqual((await books.ask('ADD', kept, { container: 'd', args: 'IP=10.0.0.3' })).addresses, ['10.0.0.3/29']);
  assert.match((await books.ask('ADD', kept, { container: 'e', args: 'IP=10.0.0.4' })).stdout, /FP306.*reserved for shop\/web-0/);
  assert.deepEqual((await books.ask('ADD', kept, web)).addresses, ['10.0.0.4/29']);
});

test('an address asked for that is the gateway, excluded, somebody else’s or of no range is refused by name', async () => {
  using books = openBooks();
  const ipam = { pool: { cidr: '10.0.0.0/24', exclude: ['10.0.0.64/26'] } };
  await books.ask('ADD', ipam, { container: 'a', args: 'IP=10.0.0.9;IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=db' });
  const cases = {
    'IP=10.0.0.1': /FP306.*the gateway of 10\.0\.0\.0\/24/,
    'IP=10.0.0.70': /FP306.*excluded/,
    'IP=10.0.0.9': /FP305.*shop\/db \(container a, eth0\) has it in flatpod:net/,
    'IP=10.1.0.9': /10\.1\.0\.9 .FP304.*10\.0\.0\.1-10\.0\.0\.254/,
    'IP=10.0.0.7,10.0.0.8': /10\.0\.0\.8 .FP304/,
  };
  for (const [args, words] of Object.entries(cases)) assert.match((await books.ask('ADD', ipam, { container: 'b', args })).stdout, words);
  assert.deepEqual(
    books.leases.list().map(({ address }) => address),
    ['10.0.0.9'],
  );
});

test('two sets: when the second is exhausted the first gives nothing either', async () => {
  using books = openBooks();
  const ipam = { pool: ['10.0.0.0/24', 'fd00::/126'] };
  await addAll(books, ipam, ['a', 'b']);
  assert.deepEqual(await addAll(books, ipam, ['c']), ['FP303']);
  assert.deepEqual(
    books.leases.list().map(({ container }) => container),
    ['a', 'b', 'a', 'b'],
  );
});

test('an interface that has an address is not given another; whereabouts gives it the same, also to the next container of its Pod', async () => {
  using books = openBooks();
  assert.deepEqual(await addAll(books, small, ['a', 'a']), ['10.0.0.2/29', 'FP307']);
  const pod = (container: string) => ({ container, args: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web' });
  const range = { range: '10.9.0.0/24' };
  for (const container of ['b', 'b', 'c']) assert.deepEqual((await books.ask('ADD', range, pod(container))).addresses, ['10.9.0.1/24']);
  await books.ask('DEL', range, pod('b'));
  assert.equal(books.leases.holder('whereabouts', books.leases.list('whereabouts')[0]?.address ?? assert.fail())?.container, 'c');
  await books.ask('DEL', range, pod('c'));
  assert.deepEqual(books.leases.list('whereabouts'), []);
});

test('whereabouts: overlapping ranges share their addresses, unless they are to know nothing of each other or have another network_name', async () => {
  using books = openBooks();
  const first = async (container: string, ipam: object) => (await books.ask('ADD', ipam, { container })).addresses[0];
  assert.equal(await first('a', { range: '10.9.0.0/24' }), '10.9.0.1/24');
  assert.equal(await first('b', { range: '10.9.0.0/16' }), '10.9.0.2/16');
  assert.equal(await first('c', { range: '10.9.0.0/16', enable_overlapping_ranges: false }), '10.9.0.1/16');
  assert.equal(await first('d', { range: '10.9.0.0/24', network_name: 'blue' }), '10.9.0.1/24');
});

test('host-local: another dataDir or another network is another world', async () => {
  using books = openBooks();
  const ipam = { subnet: '10.1.0.0/24' };
  for (const [section, name] of [
    [ipam, 'net'],
    [ipam, 'other'],
    [{ ...ipam, dataDir: '/tmp/elsewhere/' }, 'net'],
  ] as const)
    assert.deepEqual((await books.ask('ADD', section, {}, { name })).addresses, ['10.1.0.2/24']);
  await books.ask('DEL', ipam);
  assert.deepEqual(
    books.leases.list().map(({ scope }) => scope),
    ['/tmp/elsewhere/net', '/var/lib/cni/networks/other'],
  );
});

test('DEL succeeds for who has nothing, twice, and with a configuration that cannot be read any more', async () => {
  using books = openBooks();
  assert.equal((await books.ask('DEL', small)).stdout, '');
  await addAll(books, small, ['c1']);
  const told = await books.ask('DEL', { pool: 'no block' });
  assert.deepEqual([told.status, told.stdout, books.leases.list()], [0, '', []]);
  assert.match(books.log.join(''), /goes on without its configuration: ipam\.pool/);
  assert.equal((await books.ask('DEL', undefined)).status, 0);
});

test('CHECK: a lease, and a result that names it, or the difference is told', async () => {
  using books = openBooks();
  assert.equal((await books.ask('CHECK', small)).fp, 'FP308');
  await addAll(books, small, ['c1']);
  const result = (address: string) => ({ prevResult: { cniVersion: '1.1.0', ips: [{ address, gateway: '10.0.0.1' }] } });
  assert.equal((await books.ask('CHECK', small)).status, 0);
  assert.equal((await books.ask('CHECK', small, {}, result('10.0.0.2/29'))).stdout, '');
  assert.match((await books.ask('CHECK', small, {}, result('10.0.0.3/29'))).stdout, /FP309.*prevResult lacks 10\.0\.0\.2/);
  const fixed = { addresses: [{ address: '10.0.0.2/29', gateway: '10.0.0.6' }] };
  assert.equal((await books.ask('CHECK', fixed)).fp, 'FP119');
  assert.match((await books.ask('CHECK', fixed, {}, result('10.0.0.2/29'))).stdout, /FP309.*says gateway 10\.0\.0\.1 .* 10\.0\.0\.6/);
});

test('GC releases what is not in the list, of this network alone, and nothing without a list', async () => {
  using books = openBooks();
  const ipam = { range: '10.9.0.0/24' };
  await addAll(books, ipam, ['a', 'b', 'c']);
  await books.ask('ADD', ipam, { container: 'd' }, { name: 'other' });
  await books.ask('GC', ipam);
  assert.equal(books.leases.list().length, 4);
  const valid = {
    'cni.dev/valid-attachments': [
      { containerID: 'b', ifname: 'eth0' },
      { containerID: 'c', ifname: 'net1' },
    ],
  };
  assert.equal((await books.ask('GC', ipam, {}, valid)).stdout, '');
  assert.deepEqual(
    books.leases.list().map(({ container }) => container),
    ['b', 'd'],
  );
});

test('STATUS is ready when the configuration can be served, however full the ranges are', async () => {
  using books = openBooks();
  await addAll(books, small, ['a', 'b', 'c', 'd', 'e']);
  assert.equal((await books.ask('STATUS', small)).stdout, '');
  assert.equal((await books.ask('STATUS', { pool: '10.0.0.1/24' })).fp, 'FP302');
  assert.match((await books.ask('VERSION', small)).stdout, /supportedVersions/);
});

test('under another plugin’s name errors about the version are in the words that callers compare', async () => {
  using books = openBooks();
  const ask = async (plugin: string) => (await books.ask('CHECK', { subnet: '10.1.0.0/24' }, { plugin }, { cniVersion: '0.3.1' })).json;
  assert.deepEqual(await ask('host-local'), { cniVersion: '0.3.1', code: 1, msg: 'config version does not allow CHECK' });
  const two = { addresses: [{ address: '10.5.0.9/24' }, { address: '10.6.0.9/24' }] };
  const told = await books.ask('ADD', two, { plugin: 'static' }, { cniVersion: '0.2.0' });
  assert.equal(told.json['msg'], 'CNI version 0.2.0 does not support more than 1 address per family');
  assert.equal((await ask('flatpod-ipam'))['msg'], 'CHECK does not exist in CNI version 0.3.1 (FP107)');
});

test('a network that was written otherwise before: DEL and GC end the leases it has from then, and those of no other network', async () => {
  using books = openBooks();
  const [before, now] = [{ pool: '10.1.0.0/24' }, { range: '10.2.0.0/24' }];
  await books.ask('ADD', before, { container: 'c1' });
  await books.ask('ADD', before, { container: 'c2' });
  await books.ask('ADD', { pool: '10.3.0.0/24' }, { container: 'c1' }, { name: 'other' });
  assert.equal((await books.ask('DEL', now, { container: 'c1' })).status, 0);
  assert.deepEqual(
    books.leases
      .list()
      .map(({ container, network }) => `${container} ${network}`)
      .toSorted(),
    ['c1 other', 'c2 net'],
  );
  assert.equal((await books.ask('GC', now, {}, { 'cni.dev/valid-attachments': [] })).status, 0);
  assert.deepEqual(
    books.leases.list().map(({ network }) => network),
    ['other'],
  );
});
