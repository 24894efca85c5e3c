/** Network namespaces: made, entered, left, refused. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFailure } from '../../src/errors/failure.ts';
import { createNetns, deleteNetns, isNetns, openNetns } from '../../src/kernel/netns.ts';
import { decodeLink, dumpLinks, newLink } from '../../src/kernel/netlink/link.ts';
import { testNetns } from './namespace.ts';

/** The namespaces that the threads of this process are in. */
function namespacesOfThreads(): Set<string> {
  return new Set(readdirSync('/proc/self/task').map((thread) => readlinkSync(`/proc/self/task/${thread}/ns/net`)));
}

function openFiles(): number {
  return readdirSync('/proc/self/fd').length;
}

test('a visit leaves every thread of the process at home, also when it throws', async () => {
  using ns = testNetns('visit');
  const home = namespacesOfThreads();
  assert.equal(home.size, 1);
  const inside = ns.netns.run(() => readlinkSync('/proc/thread-self/ns/net'));
  assert.ok(!home.has(inside));
  for (let i = 0; i < 200; i++) ns.netns.run(() => statSync('/proc/thread-self/ns/net'));
  const fail = (): never => {
    throw new RangeError('inside');
  };
  assert.throws(() => ns.netns.run(fail), /inside/);
  // Has the pool's threads started, whichever they are.
  await Promise.all(Array.from({ length: 16 }, () => readFile('/proc/self/stat')));
  assert.deepEqual(namespacesOfThreads(), home);
});

test('a socket belongs to its namespace after the visit', () => {
  using ns = testNetns('socket');
  const socket = ns.netns.socket();
  try {
    socket.request(newLink({ name: 'fpt-inside' }, 'bridge'));
    assert.deepEqual(
      socket.dump(dumpLinks(), decodeLink).map(({ name }) => name),
      ['lo', 'fpt-inside'],
    );
    assert.ok(!readdirSync('/sys/class/net').includes('fpt-inside'));
  } finally {
    socket.close();
  }
});

test('names made before the first ip netns add, and by it, can be deleted: it does not mount their folder over itself', () => {
  const room = join(import.meta.dirname, '../../src/kernel/netns.ts');
  const program = `import { execFileSync } from 'node:child_process';
    import { createNetns, deleteNetns } from ${JSON.stringify(room)};
    createNetns('a');
    execFileSync('ip', ['netns', 'add', 'b']);
    for (const name of ['a', 'b']) deleteNetns(name);
    console.log(execFileSync('ip', ['netns'], { encoding: 'utf8' }) === '' ? 'none is left' : 'some are left');`;
  // A machine on which nobody has made any yet.
  const fresh = ['--mount', '--propagation', 'private', 'sh', '-ec', 'mount -t tmpfs tmpfs /run; exec "$@"', 'sh'];
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--input-type=module-typescript', '-e', program];
  assert.equal(execFileSync('unshare', [...fresh, ...node], { encoding: 'utf8' }), 'none is left\n');
});

test('an open namespace outlives its name, and its deletion twice is fine', () => {
  const name = `fpt-${process.pid}-outlives`;
  const path = createNetns(name);
  using netns = openNetns(path);
  assert.ok(isNetns(path));
  deleteNetns(name);
  deleteNetns(name);
  assert.ok(!isNetns(path));
  const socket = netns.socket();
  assert.equal(socket.dump(dumpLinks(), decodeLink).length, 1);
  socket.close();
  assert.throws(() => openNetns(path), { kind: 'netnsMissing' });
});

test('a namespace is known to ip netns by its name, and a taken name is refused', () => {
  using ns = testNetns('named');
  assert.match(ns.exec('ip netns identify'), new RegExp(`^${ns.name}$`, 'm'));
  assert.throws(() => createNetns(ns.name), { kind: 'kernelRefused', details: /EEXIST/ });
  assert.ok(isNetns(ns.path), 'the refusal must not take away what is there');
});

for (const [what, path, kind] of [
  ['a path to nothing', '/run/netns/fpt-nosuch', 'netnsMissing'],
  ['an empty path', '', 'netnsMissing'],
  ['a plain file', '/etc/passwd', 'notNetns'],
  ['a directory', '/run', 'notNetns'],
  ["the process's own namespace", '/proc/self/ns/net', 'hostNetns'],
] as const)
  test(`${what} is refused as ${kind}, and no file stays open`, () => {
    const before = openFiles();
    assert.throws(() => openNetns(path), { kind });
    assert.equal(openFiles(), before);
    assert.equal(isNetns(path), kind === 'hostNetns');
  });

test('a namespace of another kind is refused when it is entered', () => {
  using netns = openNetns('/proc/self/ns/mnt');
  assert.throws(() => netns.run(() => assert.fail('entered')), { kind: 'notNetns', details: 'EINVAL' });
});

test('the own namespace can be opened on purpose', () => {
  using netns = openNetns('/proc/self/ns/net', true);
  assert.deepEqual(new Set([netns.run(() => readlinkSync('/proc/thread-self/ns/net'))]), namespacesOfThreads());
});

test('opening, visiting and closing leaves no file open', () => {
  using ns = testNetns('files');
  const before = openFiles();
  for (let i = 0; i < 50; i++) {
    using netns = openNetns(ns.path);
    netns.socket().close();
  }
  assert.equal(openFiles(), before);
});

test('a FIFO for a namespace is refused, and nobody waits for its other end', () => {
  const dir = mkdtempSync('/tmp/fpt-netns-');
  try {
    execFileSync('mkfifo', [`${dir}/fifo`]);
    assert.throws(
      () => openNetns(`${dir}/fifo`),
      (error) => isFailure(error, 'notNetns'),
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
});
