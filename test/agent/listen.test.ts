/** The agent's socket: clients that hang up before they asked, and what must not be removed to make room for it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { isFailure } from '../../src/errors/failure.ts';
import { listen } from '../../src/agent/listen.ts';
import { eventually } from '../life/lab.ts';

test('a client that hangs up before its request is complete is closed at once', async () => {
  const dir = mkdtempSync('/tmp/fpt-listen-');
  const server = await listen(`${dir}/s`, () => ({ take: () => undefined, answered: () => undefined }));
  try {
    for (const bytes of ['', 'part of a request']) {
      const client = connect(`${dir}/s`);
      client.resume().end(bytes);
      await once(client, 'close');
      assert.ok(client.destroyed);
    }
  } finally {
    await new Promise<void>((closed) => server.close(() => closed()));
    rmSync(dir, { recursive: true });
  }
});

/** Longer than it takes to see that a client was accepted. */
const IDLE_ms = 500;

test('a client that says nothing is closed; one whose request arrived while we were busy is heard', async () => {
  const dir = mkdtempSync('/tmp/fpt-listen-');
  let accepted = 0;
  const answering = () => {
    accepted++;
    return { take: () => Promise.resolve(Buffer.from('answered')), answered: () => undefined };
  };
  const server = await listen(`${dir}/s`, answering, undefined, IDLE_ms);
  try {
    const silent = connect(`${dir}/s`);
    await once(silent.resume(), 'close');

    const client = connect(`${dir}/s`);
    await eventually('it is accepted', () => accepted === 2);
    const heard = text(client);
    // Busy after this turn's look at sockets, as a callback of one of them would be: the kernel has the request, and the next thing that is due is the end of IDLE_ms.
    setImmediate(() => {
      client.write('asked');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * IDLE_ms);
    });
    assert.equal(await heard, 'answered');
  } finally {
    await new Promise<void>((closed) => server.close(() => closed()));
    rmSync(dir, { recursive: true });
  }
});

const nobody = () => ({ take: () => undefined, answered: () => undefined });

test('a file that is no socket is refused, and not removed to make room', async () => {
  const dir = mkdtempSync('/tmp/fpt-listen-');
  try {
    writeFileSync(`${dir}/node.yaml`, 'precious');
    await assert.rejects(listen(`${dir}/node.yaml`, nobody), (error) => isFailure(error, 'socketUnusable'));
    assert.equal(readFileSync(`${dir}/node.yaml`, 'utf8'), 'precious');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a socket whose queue is full belongs to somebody, and is not taken over', async () => {
  const dir = mkdtempSync('/tmp/fpt-listen-');
  const busy = spawn(process.execPath, ['-e', fullQueue, `${dir}/s`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const clients: Socket[] = [];
  try {
    await once(busy.stdout, 'data');
    // It accepts none of these: the kernel's queue takes two of them, and refuses the others with EAGAIN.
    for (let i = 0; i < 8; i++) clients.push(connect(`${dir}/s`).on('error', () => undefined));
    await Promise.race(clients.map((client) => once(client, 'error')));
    await assert.rejects(listen(`${dir}/s`, nobody), (error) => isFailure(error, 'socketTaken'));
  } finally {
    for (const client of clients) client.destroy();
    busy.kill('SIGKILL');
    rmSync(dir, { recursive: true });
  }
});

test('a socket that somebody removes, with its folder even, is made again; who is connected stays so', async () => {
  const dir = mkdtempSync('/tmp/fpt-listen-');
  const said: string[] = [];
  const server = await listen(`${dir}/run/s`, nobody, (what) => said.push(what));
  const early = connect(`${dir}/run/s`);
  try {
    await once(early, 'connect');
    for (const times of [1, 2]) {
      rmSync(`${dir}/run`, { recursive: true });
      await eventually('somebody told of it', () => said.length === times);
      const late = connect(`${dir}/run/s`);
      await once(late, 'connect');
      late.destroy();
      assert.equal(statSync(`${dir}/run/s`).mode & 0o777, 0o600);
    }
    assert.equal(early.destroyed, false);
  } finally {
    early.destroy();
    await new Promise<void>((closed) => server.close(closed));
    assert.equal(existsSync(`${dir}/run/s`), false);
    rmSync(dir, { recursive: true });
  }
});

/** Listens with the shortest queue, says so, and accepts nobody. */
const fullQueue = `require('node:net').createServer().listen({ path: process.argv[1], backlog: 1 }, () => {
  require('node:fs').writeSync(1, 'listening');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
})`;
