/** TCP in any network namespace from one process: a socket belongs for good to the namespace it was made in. For probes and demonstrations. */
import { createServer, type Server, Socket } from 'node:net';
import { failure } from '../errors/failure.ts';
import { type Family, familyOf, type Ip, ipToBytes } from '../net/address.ts';
import { afOf } from './netlink/address.ts';
import { errnoName } from './errno.ts';
import { native } from './native.ts';
import type { Netns } from './netns.ts';

const SOCK_STREAM_NONBLOCK_CLOEXEC = 1 | 0o4000 | 0o2000000;
/** asm-generic/socket.h */
const [SOL_SOCKET, SO_REUSEADDR] = [1, 2];
const ONE = new Uint8Array([1, 0, 0, 0]);

/** Listens on the port on all addresses of the namespace, and tells each client the address it came from, then closes. Close the server. */
export async function listenIn(netns: Netns, port: number): Promise<Server> {
  const server = createServer((client) => {
    client.on('error', () => client.destroy());
    client.end(`${(client.remoteAddress ?? '').replace(/^::ffff:/, '')}\n`);
  });
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  server.once('listening', () => resolve(server)).once('error', reject);
  // Without a host name the socket is made inside of this very call, so inside of the visit.
  netns.run(() => server.listen(port));
  return promise;
}

/**
 * Has the server listen on one IPv4 address and port of the namespace; the address must be on a link there. Close the server.
 * @throws Failure kernelRefused: the address is not there, or the port is taken.
 */
export function listenAt(netns: Netns, address: Ip, port: number, server: Server): Promise<void> {
  const fd = socketIn(netns, familyOf(address));
  const refused = native.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, ONE);
  const bound = refused < 0 ? refused : native.bindInet(fd, ipToBytes(address), port);
  if (bound < 0) {
    native.close(fd);
    const object = `TCP ${address}:${port}`;
    throw failure('kernelRefused', { action: 'listen', object, netns: netns.path, errno: errnoName(bound), text: '' });
  }
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('listening', resolve).once('error', reject);
  server.listen({ fd }); // it is the server's from here on
  return promise;
}

/** Connects from inside of the namespace and returns the address the other side saw. Rejects with the errno's name, or `timeout`. */
export async function askWhoAmI(netns: Netns, to: Ip, port: number, deadline_ms: number): Promise<string> {
  const socket = new Socket({ fd: socketIn(netns, familyOf(to)) });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let answer = '';
  socket.setTimeout(deadline_ms, () => socket.destroy(new Error('timeout')));
  socket.on('data', (part) => (answer += String(part)));
  socket.on('error', reject).on('close', () => (answer === '' ? reject(new Error('closed without an answer')) : resolve(answer.trim())));
  socket.connect({ host: to, port });
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}

function socketIn(netns: Netns, family: Family): number {
  const fd = netns.run(() => native.socket(afOf(family), SOCK_STREAM_NONBLOCK_CLOEXEC, 0));
  if (fd >= 0) return fd;
  throw failure('kernelRefused', { action: 'open', object: 'a TCP socket', netns: netns.path, errno: errnoName(fd), text: '' });
}
