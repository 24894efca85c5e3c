/** Requests without an agent, several at once: they share a process. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { built, run, scratch } from '../cni/executable.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { eventually } from '../life/lab.ts';
import { type Told, toldIn } from './books.ts';

const home = resolve(import.meta.dirname, '../..');
const MANY = 24;
/** For what starts as many processes of Node, again and again, on a machine with other work. */
const LIMIT_s = 60;
let files: ReturnType<typeof built>;
before(() => (files = built()));
after(() => files[Symbol.dispose]());

/** Asks as a runtime would on a node without an agent. */
function nodeIn(dir: string) {
  const state = join(dir, 'state');
  const places = { FLATPOD_SOCKET: join(dir, 'nobody'), FLATPOD_STATE: state, FLATPOD_HOME: home, PATH: process.env['PATH'] ?? '' };
  const stdin = JSON.stringify({ cniVersion: '1.1.0', name: 'net', ipam: { pool: '10.0.0.0/24', cooldown: 0 } });
  const ask = async (verb: string, container: string, more: Record<string, string> = {}): Promise<Told> => {
    const env = { ...places, ...more, CNI_COMMAND: verb, CNI_CONTAINERID: container, CNI_IFNAME: 'eth0', CNI_NETNS: '/run/netns/none' };
    const ended = await run(join(files.path, 'flatpod-ipam'), env, stdin);
    return toldIn(ended.status ?? -1, ended.stdout);
  };
  const all = (verb: string): Promise<Told[]> => Promise.all(Array.from({ length: MANY }, (_, i) => ask(verb, `c${i}`)));
  const sockets = (): string[] => readdirSync(state).filter((name) => name.endsWith('.sock'));
  return { state, ask, all, sockets, shared: () => existsSync(join(state, 'crowd.log')) };
}

/** The processes that answer a crowd in this state. */
function answerers(state: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0crowd\0${state}/`);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** The network namespace of a process; empty when the process is gone. */
function networkOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return '';
  }
}

test('who is alone is answered by a process of its own; many at once share one, get an address each, and leave nothing behind', async () => {
  using dir = scratch();
  const node = nodeIn(dir.path);
  await node.ask('STATUS', 'first');
  assert.equal(node.shared(), false);
  const told = await node.all('ADD');
  assert.deepEqual(
    told.filter(({ addresses }) => addresses.length !== 1),
    [],
  );
  assert.equal(new Set(told.flatMap(({ addresses }) => addresses)).size, MANY);
  assert.equal(node.shared(), true);
  const shared = answerers(node.state);
  assert.ok(shared.length <= 1);
  for (const pid of shared) assert.notEqual(networkOf(pid), networkOf(process.pid), 'it keeps no namespace of others');
  for (const { stdout } of await node.all('DEL')) assert.equal(stdout, '');
  await eventually('their process ends', () => node.sockets().length === 0 && answerers(node.state).length === 0, LIMIT_s);
  assert.equal((await node.ask('ADD', 'last')).addresses.length, 1);
});

test('a crowd whose process was killed starts another one', async () => {
  using dir = scratch();
  const node = nodeIn(dir.path);
  await node.ask('STATUS', 'first');
  let killed = 0;
  const kill = async (): Promise<boolean> => {
    await node.all('STATUS');
    for (const pid of answerers(node.state)) {
      process.kill(pid, 'SIGKILL');
      killed++;
    }
    return killed > 0;
  };
  await eventually('a process was killed while its socket was there', kill, LIMIT_s);
  await eventually('it is gone', () => answerers(node.state).length === 0);
  const told = await node.all('ADD');
  assert.equal(new Set(told.flatMap(({ addresses }) => addresses)).size, MANY);
  await eventually('the next one ends', () => node.sockets().length === 0 && answerers(node.state).length === 0, LIMIT_s);
});

test('who takes the folder away ends the process', async () => {
  let state = '';
  {
    using dir = scratch();
    const node = nodeIn(dir.path);
    ({ state } = node);
    await node.ask('STATUS', 'first');
    await node.all('STATUS');
  }
  await eventually('it ends', () => answerers(state).length === 0);
});

test('DELs whose shared process is killed in the middle are carried out all the same', async () => {
  using dir = scratch();
  const node = nodeIn(dir.path);
  await node.all('ADD');
  let [killed, isHeld, isOver] = [0, true, false];
  // Somebody holds the database until the first is killed: none has carried out a DEL before.
  using database = openDatabase(node.state);
  database.exec('BEGIN IMMEDIATE');
  const deleted = node.all('DEL').finally(() => (isOver = true));
  const kill = (): boolean => {
    for (const pid of answerers(node.state)) {
      process.kill(pid, 'SIGKILL');
      killed++;
    }
    if (killed > 0 && isHeld) database.exec('COMMIT');
    isHeld &&= killed === 0;
    return isOver;
  };
  await eventually('all are answered', kill, LIMIT_s);
  assert.ok(killed > 0, 'a process was killed');
  for (const { stdout } of await deleted) assert.equal(stdout, '');
  const again = await node.all('ADD');
  assert.equal(new Set(again.flatMap(({ addresses }) => addresses)).size, MANY, 'nobody has an address from before');
  await eventually('their process ends', () => node.sockets().length === 0 && answerers(node.state).length === 0, LIMIT_s);
});

test('a DEL that nobody could carry out is by whoever answers next, and takes nothing that was given after it', async () => {
  using dir = scratch();
  const node = nodeIn(dir.path);
  const [first] = (await node.ask('ADD', 'c1')).addresses;
  const kept = (): string[] => readdirSync(join(node.state, 'spool')).filter((name) => name.endsWith('.del'));
  assert.equal((await node.ask('DEL', 'c1', { FLATPOD_HOME: '/nowhere' })).status, 0);
  assert.equal(kept().length, 1);
  assert.deepEqual((await node.ask('ADD', 'c1')).addresses.length, 1, `${first} was given back first`);
  assert.deepEqual(kept(), []);
  assert.equal((await node.ask('ADD', 'c1')).fp, 'FP307');
  await eventually('their process ends', () => node.sockets().length === 0 && answerers(node.state).length === 0, LIMIT_s);
});
