/**
 * The agent's socket: frames in, frames out, one request a connection.
 *
 * Invariants
 * - the socket is root's alone (0600), and is never taken over from a live agent; what is no socket is never removed
 * - at most CONNECTIONS at once, each bounded in size by the frame's limit and until its request is complete by IDLE_ms of silence that we listened to
 * - a socket that a service manager holds for us (systemd) is taken as it is, and outlives us: who connects while no agent runs waits in its queue
 * - a socket of ours that somebody removes is made again: without it a live agent could not be told from a dead one
 * - a client that goes away does not stop its verb: DEL follows, and finds what ADD made
 */
import { chmodSync, existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { failure, isFailure } from '../errors/failure.ts';

const CONNECTIONS = 2048;
const BACKLOG = 1024;
const IDLE_ms = 10_000;
/** Well within the time for which an ADD looks for a socket that is not there (RESTART_MS of shim.c). */
const LOOK_ms = 500;
const SUN_PATH = 107;
const FIRST_INHERITED = 3; // SD_LISTEN_FDS_START

/** One request and its reply. */
export interface Exchange {
  /** Takes what arrived; once the request is complete, resolves with the reply, and rejects never. Undefined while it needs more. */
  take(bytes: Buffer): Promise<Uint8Array> | undefined;
  /** The reply is out, as far as we can tell. */
  answered(): void;
}

/** A socket that is listened on. */
export interface Listening {
  /** Ends that, and calls back when all connections are done with. */
  close(closed: () => void): void;
}

/**
 * Listens; each connection gets an exchange of its own. Closing removes the socket, unless a service manager holds it. `lost` is told each time the
 * socket had to be made again, or could not be.
 * @throws Failure socketTaken, socketUnusable.
 */
export async function listen(
  path: string,
  open: () => Exchange,
  lost: (what: string) => void = () => undefined,
  idle_ms = IDLE_ms,
): Promise<Listening> {
  const server = createServer({ allowHalfOpen: true }, (client) => serve(client, open(), idle_ms));
  server.maxConnections = CONNECTIONS;
  try {
    const inherited = inheritedSocket();
    if (inherited === undefined) await makeRoom(path);
    const where = inherited === undefined ? { path } : { fd: inherited };
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ ...where, backlog: BACKLOG }, resolve));
    if (inherited === undefined) {
      chmodSync(path, 0o600);
      return keptInPlace(server, path, lost);
    }
  } catch (cause) {
    server.close();
    if (isFailure(cause)) throw cause;
    throw failure('socketUnusable', { socket: path, reason: cause instanceof Error ? cause.message : String(cause) }, cause);
  }
  return server;
}

/** Makes the socket again when it is gone. What others have put in its place is left alone. */
function keptInPlace(server: Server, path: string, lost: (what: string) => void): Listening {
  let failing = '';
  server.on('error', ({ message }) => {
    if (message !== failing) lost(`the socket ${path} is gone and cannot be made again: ${message}`);
    failing = message;
  });
  const timer = setInterval(() => {
    if (existsSync(path)) return;
    // Connections that are open stay so.
    server.close();
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    } catch {
      // listen() says what is wrong.
    }
    server.listen({ path, backlog: BACKLOG }, () => {
      chmodSync(path, 0o600);
      failing = '';
      lost(`the socket ${path} was removed by somebody, and is there again`);
    });
  }, LOOK_ms);
  return {
    close(closed) {
      clearInterval(timer);
      server.close(closed);
    },
  };
}

/**
 * The descriptor of the socket that a service manager opened for this very process, if it did (sd_listen_fds(3)): descriptors begin at 3.
 * The variables may have come down from another process, which is what LISTEN_PID is for.
 */
function inheritedSocket(): number | undefined {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = process.env;
  if (pid !== String(process.pid)) return undefined;
  if (count !== '1') throw new RangeError(`the service manager hands over ${count ?? 'no'} sockets instead of one`);
  return FIRST_INHERITED;
}

/** Takes a leftover away and makes the folder. @throws Failure socketTaken, socketUnusable, or the system's error. */
async function makeRoom(path: string): Promise<void> {
  if (Buffer.byteLength(path) > SUN_PATH)
    throw failure('socketUnusable', { socket: path, reason: `the path has more than ${SUN_PATH} bytes` });
  const there = statSync(path, { throwIfNoEntry: false });
  if (there?.isSocket() === false) throw failure('socketUnusable', { socket: path, reason: 'something that is no socket lies there' });
  if (there !== undefined && (await isAlive(path))) throw failure('socketTaken', { socket: path });
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  rmSync(path, { force: true });
}

function serve(client: Socket, exchange: Exchange, idle_ms: number): void {
  client.setTimeout(idle_ms, () => endUnlessHeard(client));
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

/** It is we who may have been busy for so long: then its request has arrived, and is read in this turn of the event loop, before what setImmediate() asks for. */
function endUnlessHeard(client: Socket): void {
  const read = client.bytesRead;
  setImmediate(() => {
    if (client.bytesRead === read) client.destroy();
  });
}

/** Whether somebody accepts connections there; a socket file without a listener is a leftover. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.setTimeout(2000, () => (probe.destroy(), resolve(true)));
    probe.once('connect', () => (probe.destroy(), resolve(true)));
    // Anything else, such as EAGAIN from a full queue, comes from somebody who listens.
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'));
  });
}
