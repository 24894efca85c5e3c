/** A way to the double that is cut: after one call was carried out its answer is lost, and perhaps nothing comes through any more. */
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Cut extends AsyncDisposable {
  readonly origin: string;
  /** Actions that were carried out, in their order; DescribeJobs and other reads are left out. */
  readonly changes: string[];
}

/** Loses the answer of the change of that number, counted from 0. `forGood`: whoever asked is dead from then on. */
export async function cutAt(target: string, number: number, forGood: boolean): Promise<Cut> {
  const changes: string[] = [];
  const sockets = new Set<import('node:http').ClientRequest>();
  let isDead = false;
  const server = createServer((incoming, outgoing) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      if (isDead) return outgoing.destroy();
      const body = Buffer.concat(chunks);
      const action = /[?&]action=(\w+)/.exec(`${incoming.url ?? ''}&${body.toString()}`)?.[1] ?? '';
      const isCut = !action.startsWith('Describe') && changes.push(action) - 1 === number;
      const { method, headers } = incoming;
      const forwarded = request(`${target}${incoming.url ?? ''}`, { method, agent: false, headers }, (answer) => {
        sockets.delete(forwarded);
        if (isCut) isDead = forGood;
        if (isCut || isDead) {
          answer.resume();
          return outgoing.destroy();
        }
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        return answer.pipe(outgoing);
      });
      sockets.add(forwarded);
      forwarded.on('error', () => outgoing.destroy());
      forwarded.end(body);
      return undefined;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    changes,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
