/** Servers of a test listen on a socket in the file system or on loopback here; programs in a namespace that cannot reach them get a port that leads there. */
import { once } from 'node:events';
import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net';
import { openNetns } from '../../src/kernel/netns.ts';

/** Leads every connection to the port, on any address of the namespace at that path, to the unix socket or other place, until it is disposed of. */
export async function forward(netnsPath: string, port: number, to: string | NetConnectOpts): Promise<AsyncDisposable> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const api = connect(typeof to === 'string' ? { path: to } : to);
    for (const [one, other] of [
      [client, api],
      [api, client],
    ] as const) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
    }
    client.pipe(api).pipe(client);
  });
  using netns = openNetns(netnsPath, true);
  // Without a host name the socket is made inside of this very call, so inside of the visit.
  netns.run(() => server.listen(port));
  await once(server, 'listening');
  return {
    async [Symbol.asyncDispose]() {
      for (const one of open) one.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
