/** The CNI executable against agents that behave, and agents that do not. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeFrame, encodeReply, frameReader, type RequestFrame } from '../../src/cni/frame.ts';
import { eventually } from '../life/lab.ts';
import { built, type Ending, errorIn, type Holding, holding, run, scratch, scriptedAgent } from './executable.ts';

let files: ReturnType<typeof built>;
before(() => {
  files = built();
});
after(() => files[Symbol.dispose]());

const config = '{"cniVersion":"1.0.0","name":"vpc","type":"flatpod"}';
/** RESTART_MS of src/cni/shim.c. */
const LOOKS_ms = 2000;
const add = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'c1', CNI_NETNS: '/run/netns/x', CNI_IFNAME: 'eth0' };

/** Reads one request, then hands it and the connection to `answer`. */
function onRequest(answer: (client: Socket, request: RequestFrame) => unknown): (client: Socket) => void {
  return (client) => {
    const reader = frameReader();
    client.on('data', (bytes) => {
      const frame = reader.take(Buffer.from(bytes));
      if (frame !== undefined) answer(client, decodeFrame(frame));
    });
  };
}

/** One call against an agent with that script. */
async function call(
  script: (client: Socket) => void,
  env: Record<string, string> = add,
  stdin: string | Uint8Array | Holding = config,
): Promise<Ending> {
  using dir = scratch();
  const FLATPOD_SOCKET = join(dir.path, 's');
  await using _agent = await scriptedAgent(FLATPOD_SOCKET, script);
  return await run(join(files.path, 'flatpod'), { FLATPOD_SOCKET, FLATPOD_STATE: dir.path, ...env }, stdin);
}

/** The same with a deadline, which is for stdin too: that is there from the beginning. */
async function callUntil(
  ms: number,
  script: (client: Socket) => void,
  env: Record<string, string>,
  text: string | Uint8Array,
): Promise<Ending> {
  using stdin = holding(text);
  return await call(script, { ...env, FLATPOD_TIMEOUT_MS: String(ms) }, stdin);
}

test('the agent gets every CNI variable, the trace context, the name of the plugin and stdin, and nothing else of the environment', async () => {
  let seen: RequestFrame | undefined;
  const env = { ...add, CNI_ARGS: 'A=B;C=D', CNI_PATH: '/opt/cni/bin', TRACEPARENT: '00-a-b-01', TRACESTATE: 'x=y', BAGGAGE: 'k=v' };
  const script = onRequest((client, request) => {
    seen = request;
    client.end(encodeReply({ status: 0, stdout: '' }));
  });
  const { status } = await call(script, { ...env, SECRET: 'no', FLATPOD_PLUGIN: 'forged', TRACEPARENTS: 'no' });
  assert.equal(status, 0);
  assert.deepEqual(Object.fromEntries(seen?.variables ?? []), { ...env, FLATPOD_PLUGIN: 'flatpod' });
  assert.equal(Buffer.from(seen?.stdin ?? []).toString(), config);
});

for (const status of [0, 1, 77, 255]) {
  test(`stdout and exit status ${status} are the agent's`, async () => {
    const script = onRequest((client) => client.end(encodeReply({ status, stdout: '{"ü":1}\n' })));
    assert.deepEqual(await call(script), { status, stdout: '{"ü":1}\n', stderr: '' });
  });
}

test('an ADD finds an agent that comes back while it looks for it', async () => {
  const round = async (): Promise<Ending | false> => {
    using dir = scratch();
    const FLATPOD_SOCKET = join(dir.path, 's');
    const begun = performance.now();
    const asking = run(join(files.path, 'flatpod'), { FLATPOD_SOCKET, ...add }, config);
    await sleep(300);
    await using _agent = await scriptedAgent(
      FLATPOD_SOCKET,
      onRequest((client) => client.end(encodeReply({ status: 0, stdout: '{}' }))),
    );
    const ending = await asking;
    // It looks for so long. Where one of the two was held up for that time nobody came while it looked, and it says so rightly.
    return (ending.status === 0 || performance.now() - begun < LOOKS_ms) && ending;
  };
  assert.deepEqual(await eventually('an agent came in time', round, 60), { status: 0, stdout: '{}', stderr: '' });
});

test('an answer that comes byte by byte is put together', async () => {
  const script = onRequest(async (client) => {
    client.setNoDelay();
    for (const byte of encodeReply({ status: 3, stdout: 'slow' })) {
      client.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
  });
  assert.deepEqual(await call(script), { status: 3, stdout: 'slow', stderr: '' });
});

test('the answer counts as soon as it is whole, though the connection stays open', async () => {
  const script = onRequest((client) => client.write(encodeReply({ status: 0, stdout: 'x' })));
  assert.deepEqual(await call(script), { status: 0, stdout: 'x', stderr: '' });
});

test('10 MiB on stdin reach the agent whole', async () => {
  const stdin = Buffer.alloc(10 * 2 ** 20, 'abcdefg');
  const script = onRequest((client, request) =>
    client.end(encodeReply({ status: Buffer.compare(request.stdin, stdin), stdout: 'got it' })),
  );
  assert.deepEqual(await call(script, add, stdin), { status: 0, stdout: 'got it', stderr: '' });
});

test('an answer of 8 MiB is printed whole', async () => {
  const stdout = 'x'.repeat(8 * 2 ** 20);
  const ending = await call(onRequest((client) => client.end(encodeReply({ status: 0, stdout }))));
  assert.equal(ending.status, 0);
  assert.ok(ending.stdout === stdout);
});

test('an agent that refuses a large request before it has read it is heard', async () => {
  const script = (client: Socket): void => void client.write(encodeReply({ status: 9, stdout: 'too large' }), () => client.destroy());
  assert.deepEqual(await call(script, add, Buffer.alloc(12 * 2 ** 20, ' ')), { status: 9, stdout: 'too large', stderr: '' });
});

test('more than 16 MiB on stdin is an error, not a hang', async () => {
  const ending = await call(() => assert.fail('the agent was asked'), add, Buffer.alloc(17 * 2 ** 20, ' '));
  assert.equal(ending.status, 1);
  assert.equal(errorIn(ending).code, 5);
  assert.match(errorIn(ending).msg, /FP103/);
});

const unusable: Record<string, (client: Socket) => void> = {
  'hangs up without a word': (client) => client.destroy(),
  'hangs up after the request': onRequest((client) => client.destroy()),
  'closes its side only': onRequest((client) => client.end()),
  'hangs up inside the length': onRequest((client) => client.end(Buffer.from([9, 0]))),
  'hangs up inside the answer': onRequest((client) => client.end(encodeReply({ status: 0, stdout: 'whole' }).subarray(0, 7))),
  'speaks HTTP': onRequest((client) => client.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
  'announces nothing': onRequest((client) => client.end(Buffer.alloc(4))),
  'announces more than the limit': onRequest((client) => client.write(Buffer.from([1, 0, 0, 1]))),
};
for (const [what, script] of Object.entries(unusable)) {
  test(`an agent that ${what}: ADD says to try again, code 11`, async () => {
    const ending = await call(script);
    const { code, msg, cniVersion, details } = errorIn(ending);
    assert.deepEqual([ending.status, code, cniVersion], [1, 11, '1.0.0']);
    assert.match(msg, /no usable answer \(FP115\)/);
    assert.match(details, /\/s: .+; look into its log/);
  });
}

test('an agent that accepts and never answers: each verb ends at the deadline', async () => {
  const endings = await Promise.all(
    ['ADD', 'CHECK', 'GC', 'STATUS', 'DEL'].map((CNI_COMMAND) => callUntil(200, () => undefined, { ...add, CNI_COMMAND }, config)),
  );
  const codes = endings.map((ending) => (ending.stdout === '' ? ending.status : errorIn(ending).code));
  assert.deepEqual(codes, [11, 11, 11, 50, 0]);
  for (const ending of endings.slice(0, 4)) assert.match(errorIn(ending).details, /no answer in time/);
});

test('an agent that accepts and does not read: a large request ends at the deadline', async () => {
  const ending = await callUntil(300, (client) => client.pause(), add, Buffer.alloc(4 * 2 ** 20, ' '));
  assert.match(errorIn(ending).details, /it does not take the request/);
});

test('stdin that never ends ends at the deadline', async () => {
  const ending = await run(join(files.path, 'flatpod'), { ...add, FLATPOD_TIMEOUT_MS: '200' });
  assert.equal(errorIn(ending).code, 5);
  assert.match(errorIn(ending).details, /stdin: .* after 0 bytes/);
});

test('stdin that cannot be read is code 5', async () => {
  const directory = openSync('/', 'r');
  try {
    const child = spawn(join(files.path, 'flatpod'), { env: add, stdio: [directory, 'pipe', 'inherit'] });
    const printed: string[] = [];
    child.stdout?.on('data', (part: Buffer) => printed.push(part.toString()));
    await new Promise((resolve) => child.once('close', resolve));
    assert.match(printed.join(''), /"code":5,.*FP103.*Is a directory/);
  } finally {
    closeSync(directory);
  }
});

test('a socket path longer than sun_path is reached all the same', async () => {
  using dir = scratch();
  const deep = join(dir.path, 'd'.repeat(100), 'e'.repeat(100));
  mkdirSync(deep, { recursive: true });
  // Node cannot listen on such a path either: listen through the directory's short name, as the executable connects.
  const handle = openSync(deep, 'r');
  using _handle = { [Symbol.dispose]: () => closeSync(handle) };
  await using _agent = await scriptedAgent(
    `/proc/self/fd/${handle}/s`,
    onRequest((client) => client.end(encodeReply({ status: 0, stdout: 'deep' }))),
  );
  const reached = await run(join(files.path, 'flatpod'), { ...add, FLATPOD_SOCKET: join(deep, 's') }, config);
  assert.deepEqual(reached, { status: 0, stdout: 'deep', stderr: '' });
  const hopeless = await run(join(files.path, 'flatpod'), { ...add, FLATPOD_SOCKET: join(deep, 'f'.repeat(120)) }, config);
  assert.match(errorIn(hopeless).details, /file ?name too long/i);
});

test('a full queue of connections is waited for, and given up at the deadline', async () => {
  using dir = scratch();
  const FLATPOD_SOCKET = join(dir.path, 's');
  const program = `require('net').createServer((c) => c.on('error', () => {}).once('data', () => c.end(Buffer.from([1, 0, 0, 0, 42])))).listen({ path: process.argv[1], backlog: 1 }, () => console.log('up'))`;
  const agent = spawn(process.execPath, ['-e', program, FLATPOD_SOCKET], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await new Promise((resolve) => agent.stdout.once('data', resolve));
    agent.kill('SIGSTOP');
    const shim = join(files.path, 'flatpod');
    const given = await Promise.all(
      Array.from({ length: 6 }, async () => {
        using stdin = holding(config);
        return await run(shim, { ...add, FLATPOD_SOCKET, FLATPOD_TIMEOUT_MS: '300' }, stdin);
      }),
    );
    assert.ok(
      given.some((ending) => /queue of connections stays full/.test(errorIn(ending).details)),
      'none met a full queue',
    );
    const patient = Array.from({ length: 6 }, () => run(shim, { ...add, FLATPOD_SOCKET }, config));
    await new Promise((resolve) => setTimeout(resolve, 200));
    agent.kill('SIGCONT');
    for (const ending of await Promise.all(patient)) assert.equal(ending.status, 42, ending.stdout);
  } finally {
    const gone = new Promise((resolve) => agent.once('exit', resolve));
    if (agent.exitCode === null && agent.kill('SIGKILL')) await gone;
  }
});
