/** A gRPC server on a unix socket, over node's HTTP/2, that answers as a test wants: the runtime's side of the CRI. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { integerField, messageField, textField } from '../../src/cri/wire.ts';

/** One call, its request complete. */
export interface ServedCall {
  /** `RuntimeService/Version`. */
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly request: Uint8Array;
  readonly stream: ServerHttp2Stream;
}

/** A server that listens. */
export interface RuntimeServer extends AsyncDisposable {
  readonly socket: string;
  /** Goes away with all its connections, as a runtime that is killed does; its socket's file stays. */
  stop(): Promise<void>;
  /** Comes back on the same socket. */
  start(): Promise<void>;
}

/** Starts one that leaves every answer to `answer`. Disposing removes it with its folder. */
export async function runtimeServer(answer: (call: ServedCall) => void): Promise<RuntimeServer> {
  const dir = mkdtempSync(join(tmpdir(), 'fpt-cri-'));
  const socket = join(dir, 'cri.sock');
  let running: Running | undefined;
  const stop = async (): Promise<void> => {
    await running?.stop();
    running = undefined;
  };
  const start = async (): Promise<void> => {
    rmSync(socket, { force: true });
    running = await listening(socket, answer);
  };
  await start();
  return {
    socket,
    stop,
    start,
    async [Symbol.asyncDispose]() {
      await stop();
      rmSync(dir, { recursive: true });
    },
  };
}

/** Answers with one message and status OK. */
export function reply(stream: ServerHttp2Stream, message: Uint8Array): void {
  const frame = Buffer.alloc(5 + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, 5);
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(frame);
}

/** Refuses without a message ("Trailers-Only"), as most servers do. */
export function refuse(stream: ServerHttp2Stream, status: number, text: string): void {
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(status), 'grpc-message': encodeURIComponent(text) },
    { endStream: true },
  );
}

/** A ListPodSandboxResponse of these sandboxes, all ready but those of `stopped`. */
export function sandboxList(ids: readonly string[], stopped: readonly string[] = []): Uint8Array {
  const one = (id: string, state: number): Uint8Array =>
    messageField(
      1,
      textField(1, id),
      messageField(2, textField(1, `pod-${id}`), textField(2, `uid-${id}`), textField(3, 'default'), integerField(4, 1)),
      integerField(3, state),
    );
  return Buffer.concat([...ids.map((id) => one(id, 0)), ...stopped.map((id) => one(id, 1))]);
}

interface Running {
  stop(): Promise<void>;
}

async function listening(socket: string, answer: (call: ServedCall) => void): Promise<Running> {
  const server: Http2Server = createServer();
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => undefined); // a client that has gone
  });
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    const chunks: Buffer[] = [];
    stream.on('error', () => undefined); // a client that has gone
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const method = String(headers[':path']).replace('/runtime.v1.', '');
      answer({ method, headers, request: Buffer.concat(chunks).subarray(5), stream });
    });
  });
  await new Promise<void>((ready) => server.listen(socket, ready));
  return {
    async stop() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}
