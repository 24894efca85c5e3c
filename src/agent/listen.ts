/**
 * The agent's socket: frames in, frames out, one request a connection.
 *
 * Invariants
 * - the socket is root's alone (0600), and is never taken over from a live agent
 * - at most CONNECTIONS at once, each bounded in size by the frame's limit and in time by IDLE_ms until its request is complete
 * - a client that goes away does not stop its verb: DEL follows, and finds what ADD made
 */
import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { failure } from '../errors/failure.ts';

const CONNECTIONS = 2048;
const BACKLOG = 1024;
const IDLE_ms = 10_000;
const SUN_PATH = 107;

/** One request and its reply. */
export interface Exchange {
  /** Takes what arrived; once the request is complete, resolves with the reply, and rejects never. Undefined while it needs more. */
  take(bytes: Buffer): Promise<Uint8Array> | undefined;
  /** The reply is out, as far as we can tell. */
  answered(): void;
}

/** Listens; each connection gets an exchange of its own. @throws Failure socketTaken, socketUnusable. */
export async function listen(path: string, open: () => Exchange): Promise<Server> {
  if (Buffer.byteLength(path) > SUN_PATH)
    throw failure('socketUnusable', { socket: path, reason: `the path has more than ${SUN_PATH} bytes` });
  if (existsSync(path) && (await isAlive(path))) throw failure('socketTaken', { socket: path });
  const server = createServer({ allowHalfOpen: true }, (client) => serve(client, open()));
  server.maxConnections = CONNECTIONS;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    rmSync(path, { force: true });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ path, backlog: BACKLOG }, resolve));
    chmodSync(path, 0o600);
  } catch (cause) {
    server.close();
    throw failure('socketUnusable', { socket: path, reason: cause instanceof Error ? cause.message : String(cause) }, cause);
  }
  return server;
}

function serve(client: Socket, exchange: Exchange): void {
  client.setTimeout(IDLE_ms, () => client.destroy());
  client.on('error', () => client.destroy());
  let asked = false;
  // Who hangs up before its request is complete wants no answer.
  client.on('end', () => (asked ? client.setTimeout(0) : client.destroy()));
  client.on('data', (bytes: Buffer) => {
    const reply = exchange.take(bytes);
    if (reply === undefined) return;
    asked = true;
    client.setTimeout(0);
    client.removeAllListeners('data').resume();
    void reply.then((frame) => client.end(frame, () => exchange.answered()));
  });
}

/** Whether somebody accepts connections there; a socket file without a listener is a leftover. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.setTimeout(2000, () => (probe.destroy(), resolve(true)));
    probe.once('connect', () => (probe.destroy(), resolve(true))).once('error', () => resolve(false));
  });
}
