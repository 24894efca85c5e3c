/** The VPC's API is a socket in the file system; programs that cannot reach it get a port that leads there. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { openNetns } from '../../src/kernel/netns.ts';

/** Leads every connection to the port, on any address of the namespace at that path, to the unix socket, until it is disposed of. */
export async function forward(netnsPath: string, port: number, socket: string): Promise<AsyncDisposable> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const api = connect(socket);
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
