/** Calls of the CRI against a real HTTP/2 server, with all that may go wrong on the way. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { call } from '../../src/cri/call.ts';
import { runtimeStatus, runtimeVersion, sandboxes } from '../../src/cri/runtime.ts';
import { decodeMessage, integerField, integerIn, mapField, messageField, textField, textIn, bytesIn } from '../../src/cri/wire.ts';
import { type Failure, isFailure, sentence } from '../../src/errors/failure.ts';
import { refuse, reply, runtimeServer, sandboxList, type ServedCall } from './server.ts';

const VERSION = 'RuntimeService/Version';
const nothing = new Uint8Array();

test('version, conditions, info and sandboxes are read as the runtime sent them', async () => {
  const seen: ServedCall[] = [];
  await using server = await runtimeServer((one) => {
    seen.push(one);
    const { method, stream, request } = one;
    const condition = messageField(1, textField(1, 'NetworkReady'), integerField(2, false), textField(3, 'Why'), textField(4, 'no plugin'));
    const ready = messageField(1, textField(1, 'RuntimeReady'), integerField(2, true));
    const info = mapField(2, { lastCNILoadStatus: 'OK', cniconfig: '{}' });
    const verbose = method === 'RuntimeService/Status' && integerIn(decodeMessage(request), 1) === 1n;
    if (method === VERSION) reply(stream, Buffer.concat([textField(2, 'containerd'), textField(3, '1.6.20'), textField(4, 'v1')]));
    else if (method === 'RuntimeService/Status')
      reply(stream, Buffer.concat([messageField(1, ready, condition), verbose ? info : nothing]));
    else reply(stream, sandboxList(['a'], ['b']));
  });
  assert.deepEqual(await runtimeVersion(server.socket), { name: 'containerd', version: '1.6.20', api: 'v1' });
  const conditions = [
    { type: 'RuntimeReady', status: true, reason: '', message: '' },
    { type: 'NetworkReady', status: false, reason: 'Why', message: 'no plugin' },
  ];
  assert.deepEqual(await runtimeStatus(server.socket, false), { conditions, info: new Map() });
  assert.deepEqual((await runtimeStatus(server.socket, true)).info.get('lastCNILoadStatus'), 'OK');
  assert.deepEqual(await sandboxes(server.socket, 'a'), [
    { id: 'a', ready: true, name: 'pod-a', uid: 'uid-a', namespace: 'default', attempt: 1 },
    { id: 'b', ready: false, name: 'pod-b', uid: 'uid-b', namespace: 'default', attempt: 1 },
  ]);
  const filter = bytesIn(decodeMessage(seen.at(-1)?.request ?? nothing), 1)[0];
  assert.equal(textIn(decodeMessage(filter ?? nothing), 1), 'a');
  const { ':authority': authority, 'content-type': type, te } = seen[0]?.headers ?? {};
  assert.deepEqual([authority, type, te], ['localhost', 'application/grpc', 'trailers']);
});

test('a refusal has the name of its status and the text of the runtime, with or without a message before it', async () => {
  let early = true;
  await using server = await runtimeServer(({ stream }) => {
    if (early) return refuse(stream, 12, 'unknown service runtime.v1.RuntimeService: 100 % größer');
    stream.respond({ ':status': 200 }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '5', 'grpc-message': 'not %zz found' }));
    return stream.end();
  });
  const first = await failureOf(() => runtimeVersion(server.socket));
  assert.equal(first.kind, 'runtimeRefused');
  assert.match(sentence(first), /refused RuntimeService\/Version: UNIMPLEMENTED \(FP206\): unknown service .*: 100 % größer;/);
  early = false;
  assert.match(sentence(await failureOf(() => runtimeVersion(server.socket))), /NOT_FOUND \(FP206\): not %zz found;/);
});

/** What a server may answer that is no answer. */
const nonsense: readonly (readonly [string, RegExp, (call: ServedCall) => void])[] = [
  ['HTTP 404', /HTTP status 404/, ({ stream }) => stream.respond({ ':status': 404 }, { endStream: true })],
  ['OK without a message', /0 bytes are not one message/, ({ stream }) => refuse(stream, 0, '')],
  ['a message that is longer than it says', /8 bytes are not one message/, (one) => raw(one, Buffer.from([0, 0, 0, 0, 1, 1, 1, 1]))],
  ['a message that is shorter than it says', /6 bytes are not one message/, (one) => raw(one, Buffer.from([0, 255, 255, 255, 255, 1]))],
  ['a compressed message', /compressed/, (one) => raw(one, Buffer.from([1, 0, 0, 0, 1, 1]))],
  ['bytes that are no protobuf', /ends in the middle of a number/, ({ stream }) => reply(stream, Buffer.from([255]))],
  ['more than the limit', /more than 1005 bytes/, ({ stream }) => reply(stream, Buffer.alloc(1_000_000))],
];
for (const [what, text, answer] of nonsense)
  test(`${what} is an answer that cannot be read`, async () => {
    await using server = await runtimeServer(answer);
    const failed = await failureOf(() => runtimeVersion(server.socket, { reply_bytes: 1000 }));
    assert.equal(failed.kind, 'runtimeUnclear');
    assert.match(failed.details, text);
  });

test('a runtime that dies in the middle, or says nothing, is one that does not answer; the next call finds it back', async () => {
  let ill: 'half' | 'hangs' | 'no' = 'half';
  await using server = await runtimeServer(({ stream }) => {
    if (ill === 'no') return reply(stream, textField(2, 'cri-o'));
    if (ill === 'hangs') return undefined;
    stream.respond({ ':status': 200 });
    stream.write(Buffer.from([0, 0, 0]), () => stream.session?.destroy());
    return undefined;
  });
  const half = await failureOf(() => call(server.socket, VERSION, nothing));
  assert.deepEqual([half.kind, half.details], ['runtimeSilent', `the connection ended in the middle of ${VERSION}`]);
  ill = 'hangs';
  const hangs = await failureOf(() => call(server.socket, VERSION, nothing, { deadline_ms: 50 }));
  assert.deepEqual([hangs.kind, hangs.details], ['runtimeSilent', `no answer to ${VERSION} within 50 ms`]);
  const given = new AbortController();
  const up = failureOf(() => call(server.socket, VERSION, nothing, { signal: given.signal }));
  given.abort();
  assert.equal((await up).details, 'the call was given up');
  await server.stop();
  const gone = await failureOf(() => call(server.socket, VERSION, nothing));
  assert.match(sentence(gone), /no container runtime answers on .*cri\.sock \(FP205\): connect (ENOENT|ECONNREFUSED)/);
  await server.start();
  ill = 'no';
  assert.equal((await runtimeVersion(server.socket)).name, 'cri-o');
});

test('a socket behind which nobody speaks HTTP/2 is told from one that is silent', async () => {
  await using http1 = await rawServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n'));
  assert.match((await failureOf(() => call(http1.socket, VERSION, nothing))).details, /it does not speak HTTP\/2/);
  await using closes = await rawServer((socket) => socket.destroy());
  assert.equal((await failureOf(() => call(closes.socket, VERSION, nothing))).kind, 'runtimeSilent');
  await using mute = await rawServer(() => undefined);
  assert.equal((await failureOf(() => call(mute.socket, VERSION, nothing, { deadline_ms: 50 }))).kind, 'runtimeSilent');
});

test('a long reply arrives whole, and many calls at once do not mix', async () => {
  const ids = Array.from({ length: 5000 }, (_, i) => `${i}`.padStart(64, 'f'));
  await using server = await runtimeServer(({ stream, method, request }) =>
    method === 'echo/It' ? reply(stream, request) : reply(stream, sandboxList(ids)),
  );
  assert.deepEqual(
    (await sandboxes(server.socket)).map(({ id }) => id),
    ids,
  );
  const sent = Array.from({ length: 50 }, (_, i) => textField(i + 1, `call ${i}`));
  const back = await Promise.all(sent.map((bytes) => call(server.socket, 'echo/It', bytes)));
  assert.deepEqual(
    back.map((bytes) => Buffer.from(bytes).toString('hex')),
    sent.map((bytes) => Buffer.from(bytes).toString('hex')),
  );
});

/** The failure it ends with. */
async function failureOf(run: () => Promise<unknown>): Promise<Failure> {
  try {
    await run();
  } catch (error) {
    if (isFailure(error)) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

function raw({ stream }: ServedCall, bytes: Buffer): void {
  stream.respond({ ':status': 200 }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(bytes);
}

async function rawServer(serve: (socket: Socket) => void): Promise<AsyncDisposable & { readonly socket: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'fpt-cri-'));
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined); // a client that has gone
    serve(socket);
  });
  const path = join(dir, 'raw.sock');
  await new Promise<void>((ready) => server.listen(path, ready));
  return {
    socket: path,
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      for (const socket of sockets) socket.destroy();
      await closed;
      rmSync(dir, { recursive: true });
    },
  };
}
