/** The executable under the IPAM plugin's names: with an agent, without one, and both at once on one database. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { type Running, start } from '../../src/cli/demo/processes.ts';
import { rangeLeases } from '../../src/store/range-leases.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { built, holding, run, scratch } from '../cni/executable.ts';
import { testNetns } from '../kernel/namespace.ts';
import { eventually } from '../life/lab.ts';
import { type Told, toldIn } from './books.ts';
import { childOf, isAlive } from './processes.ts';

const home = resolve(import.meta.dirname, '../..');
let files: ReturnType<typeof built>;
before(() => {
  files = built();
  for (const name of ['host-local', 'static', 'whereabouts']) linkSync(join(files.path, 'flatpod'), join(files.path, name));
});
after(() => files[Symbol.dispose]());

/** Where a node has its things, and how its IPAM plugin is asked. */
function nodeIn(dir: string) {
  const places = { FLATPOD_SOCKET: join(dir, 's/cni.sock'), FLATPOD_STATE: join(dir, 'state') };
  const env = { ...places, FLATPOD_HOME: home, PATH: process.env['PATH'] ?? '', CNI_IFNAME: 'eth0', CNI_NETNS: '/run/netns/none' };
  const ask = async (
    verb: string,
    ipam: object,
    container = 'c1',
    name = 'flatpod-ipam',
    more: Record<string, string> = {},
  ): Promise<Told> => {
    // All there from the beginning: the executable's deadline, where one is given, is for this too.
    using stdin = holding(JSON.stringify({ cniVersion: '1.1.0', name: 'net', ipam }));
    const ended = await run(join(files.path, name), { ...env, CNI_COMMAND: verb, CNI_CONTAINERID: container, ...more }, stdin);
    return toldIn(ended.status ?? -1, ended.stdout);
  };
  const startAgent = async (): Promise<Running & AsyncDisposable> => {
    using netns = new DisposableStack();
    const { path } = netns.use(testNetns('ipam'));
    const agent = await start(dir, { name: 'agent', args: ['agent'], netns: path, ready: places.FLATPOD_SOCKET, env: places });
    const room = netns.move();
    return {
      ...agent,
      async [Symbol.asyncDispose]() {
        await agent.stop();
        room.dispose();
      },
    };
  };
  const leases = () => {
    using database = openDatabase(places.FLATPOD_STATE);
    return rangeLeases(database).list();
  };
  return { places, ask, startAgent, leases };
}

const ipam = { pool: '10.0.0.0/24' };

test('without an agent each verb is answered by a process of its own, under every name, and nothing is left running or waiting', async () => {
  using dir = scratch();
  const node = nodeIn(dir.path);
  const host = { ranges: [[{ subnet: '10.1.0.0/24' }]] };
  assert.deepEqual((await node.ask('ADD', ipam)).addresses, ['10.0.0.2/24']);
  assert.deepEqual((await node.ask('ADD', host, 'c2', 'host-local')).addresses, ['10.1.0.2/24']);
  assert.deepEqual((await node.ask('ADD', {}, 'c3', 'static', { CNI_ARGS: 'IP=10.5.0.9/24' })).addresses, ['10.5.0.9/24']);
  assert.deepEqual((await node.ask('ADD', { range: '10.9.0.0/24' }, 'c4', 'whereabouts')).addresses, ['10.9.0.1/24']);
  assert.equal((await node.ask('ADD', ipam)).fp, 'FP307');
  for (const verb of ['CHECK', 'STATUS', 'GC', 'DEL', 'DEL']) assert.equal((await node.ask(verb, ipam)).stdout, '', verb);
  assert.match((await node.ask('VERSION', ipam)).stdout, /supportedVersions/);
  assert.deepEqual(
    node.leases().map(({ container }) => container),
    ['c2', 'c4'],
  );
  assert.deepEqual(
    readdirSync(node.places.FLATPOD_STATE).filter((name) => name === 'spool'),
    [],
  );
});

test('without agent and without the flatpod command ADD says what is missing, and DEL is kept until somebody can be asked', async () => {
  using dir = scratch();
  const node = nodeIn(dir.path);
  await node.ask('ADD', ipam);
  const nowhere = { FLATPOD_HOME: '/nonexistent' };
  const told = await node.ask('ADD', ipam, 'c2', 'flatpod-ipam', nowhere);
  assert.match(told.stdout, /FP113.*without an agent \/nonexistent\/bin\/flatpod is needed: No such file/);
  assert.equal((await node.ask('DEL', ipam, 'c1', 'flatpod-ipam', nowhere)).stdout, '');
  assert.equal(node.leases().length, 1);
  await using _agent = await node.startAgent();
  assert.deepEqual(node.leases(), []);
});

test('a kept release takes no address that was given after it', async () => {
  using dir = scratch();
  const node = nodeIn(dir.path);
  await node.ask('DEL', ipam, 'c1', 'flatpod-ipam', { FLATPOD_HOME: '/nonexistent' });
  await node.ask('ADD', ipam);
  await using _agent = await node.startAgent();
  assert.equal(node.leases().length, 1);
});

test('processes with and without an agent, all at once, never share an address, and every address is given before exhaustion is told', async () => {
  using dir = scratch();
  const node = nodeIn(dir.path);
  await using _agent = await node.startAgent();
  const alone = { FLATPOD_SOCKET: join(dir.path, 'nobody') };
  const few = { pool: '10.0.0.0/27', cooldown: 0 };
  // An agent waits for a second for one of the others to be done (FP156), which the machine may hold up for longer: its runtime asks again.
  const ask = (verb: string, i: number): Promise<Told> => {
    const answered = async (): Promise<Told | false> => {
      const told = await node.ask(verb, few, `c${i}`, 'flatpod-ipam', i % 2 === 0 ? alone : {});
      return told.fp !== 'FP156' && told;
    };
    return eventually(`${verb} of c${i} is not put off`, answered, 60);
  };
  const told = await Promise.all(Array.from({ length: 34 }, (_, i) => ask('ADD', i)));
  const given = told.flatMap(({ addresses }) => addresses);
  assert.equal(new Set(given).size, 29);
  assert.deepEqual([given.length, told.filter(({ fp }) => fp === 'FP303').length], [29, 5]);
  await Promise.all(Array.from({ length: 34 }, (_, i) => ask('DEL', i)));
  assert.deepEqual(node.leases(), []);
});

test('an ADD whose runtime is killed does not go on behind its back', async () => {
  using dir = scratch();
  const node = nodeIn(dir.path);
  mkdirSync(node.places.FLATPOD_STATE);
  // Somebody holds the database: the process that answers waits for it.
  using database = openDatabase(node.places.FLATPOD_STATE);
  database.exec('BEGIN IMMEDIATE');
  const env = { ...node.places, FLATPOD_HOME: home, PATH: process.env['PATH'] ?? '', CNI_IFNAME: 'eth0', CNI_NETNS: '/x' };
  const child = spawn(join(files.path, 'flatpod-ipam'), [], { env: { ...env, CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1' } });
  child.stdin.end(JSON.stringify({ cniVersion: '1.1.0', name: 'net', ipam }));
  const answerer = await childOf(child.pid ?? assert.fail());
  const gone = once(child, 'close');
  child.kill('SIGKILL');
  await gone;
  await eventually('the process that answers ends', () => !isAlive(answerer));
  database.exec('COMMIT');
  assert.deepEqual(node.leases(), []);
});

test('the deadline of the executable holds without an agent too', async () => {
  using dir = scratch();
  const node = nodeIn(dir.path);
  mkdirSync(node.places.FLATPOD_STATE);
  using database = openDatabase(node.places.FLATPOD_STATE);
  database.exec('BEGIN IMMEDIATE');
  const told = await node.ask('ADD', ipam, 'c1', 'flatpod-ipam', { FLATPOD_TIMEOUT_MS: '500' });
  assert.match(told.stdout, /FP115.*no answer in time/);
  database.exec('COMMIT');
  rmSync(node.places.FLATPOD_STATE, { recursive: true });
});
