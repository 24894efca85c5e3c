/** A door from a node of the lab to this machine: on a cloud the API is behind the router, here it is on loopback of another namespace. */
import { connect, createServer } from 'node:net';
import { openNetns } from '../../kernel/netns.ts';
import { listenAt } from '../../kernel/sockets.ts';
import { parseIp } from '../../net/address.ts';

const LOOPBACK = '127.0.0.1';

/** Whoever connects to that port of loopback in the namespace speaks with the same port of loopback here, until it is disposed of. @throws Failure kernelRefused. */
export async function doorInto(path: string, port: number): Promise<AsyncDisposable> {
  using netns = openNetns(path);
  const server = createServer((client) => {
    const here = connect(port, LOOPBACK);
    for (const [one, other] of [
      [client, here],
      [here, client],
    ] as const) {
      one.on('error', () => other.destroy()).on('close', () => other.destroy());
      one.pipe(other);
    }
    clients.add(client);
    client.on('close', () => clients.delete(client));
  });
  const clients = new Set<{ destroy(): void }>();
  await listenAt(netns, parseIp(LOOPBACK), port, server);
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const client of clients) client.destroy();
      await closed;
    },
  };
}
