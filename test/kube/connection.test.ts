/** Peers that are gone without a word. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createServer, type TLSSocket } from 'node:tls';
import type { Access } from '../../src/kube/access.ts';
import { openApi } from '../../src/kube/api.ts';
import { elapsedClock } from '../../src/kube/clock.ts';
import { openConnection, type Pings } from '../../src/kube/connection.ts';
import { authority } from './certificates.ts';

/** Whatever speaks TLS and says that it speaks HTTP/2, and then nothing, or something else: a host without power behind a switch looks like that. */
async function silentServer(speaks = 'h2', says = ''): Promise<{ access: Access; sockets: Set<TLSSocket> } & AsyncDisposable> {
  const signer = authority();
  const { certificate, key } = signer.issue('server', '127.0.0.1');
  const sockets = new Set<TLSSocket>();
  const server = createServer({ cert: certificate, key, ALPNProtocols: [speaks] }, (socket) => {
    sockets.add(socket.resume());
    socket.write(says);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    // A TCP server has an address of this kind.
    access: {
      server: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      unverified: false,
      credentials: () => ({ authority: signer.certificate }),
    },
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Resolves with what a call on that connection ends with. */
async function callOn(access: Access, pings: Pings, doubts: boolean): Promise<string> {
  const connection = openConnection(access, pings);
  const stream = connection.request({ ':path': '/' }, true);
  const { promise, resolve } = Promise.withResolvers<string>();
  stream.on('error', (error) => resolve(error.message));
  if (doubts) stream.once('ready', () => connection.doubt());
  const said = await promise;
  connection.close();
  return said;
}

test('a peer that is gone without a word is found out by pings', async () => {
  await using peer = await silentServer();
  assert.match(await callOn(peer.access, { every_ms: 30, doubt_ms: 60_000 }, false), /no sign of life within 30 ms/);
});

test('a call without an answer makes the connection prove itself at once', async () => {
  await using peer = await silentServer();
  assert.match(await callOn(peer.access, { every_ms: 60_000, doubt_ms: 30 }, true), /no sign of life within 30 ms/);
});

test('a server without HTTP/2 is told from an API server', async () => {
  await using peer = await silentServer('http/1.1');
  await using mute = await silentServer('h2', 'HTTP/1.1 200 OK\r\n\r\n');
  for (const { access } of [peer, mute]) {
    const api = openApi(access, { userAgent: 'x/1' });
    const asked = api.get({ group: '', version: 'v1', resource: 'nodes', name: 'a' }, (value) => value);
    await assert.rejects(asked, { kind: 'kubeUnreachable', details: /does not speak HTTP\/2.* is a proxy in between\?$/ });
    api.close();
  }
});

test('elapsed time is CLOCK_BOOTTIME, which counts while a process is stopped or the machine sleeps', () => {
  const uptime_ms = (): number => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]) * 1000;
  const before_ms = uptime_ms();
  const now_ms = elapsedClock.elapsed_ms();
  const after_ms = uptime_ms();
  assert.ok(before_ms <= now_ms + 1 && now_ms <= after_ms + 1, `${before_ms} ${now_ms} ${after_ms}`);
});
