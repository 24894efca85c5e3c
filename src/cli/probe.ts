/** What a kubelet asks the controller: whether it is alive, and whether it could lead. Nothing else is told, and nothing is changed. */
import { createServer, type Server } from 'node:http';
import { failure } from '../errors/failure.ts';
import type { Listen } from '../store/controller-config.ts';

/** How the controller stands. */
export interface Standing {
  /** The Lease was seen or written with the last try: the API server can be reached, and we would lead if it were our turn. */
  readonly inTouch: boolean;
  /** Absent: another one leads, or nobody. */
  readonly term?: number;
  /** Leading: everything there is has been read, and the nodes are served. */
  readonly serves: boolean;
  /** Who was seen leading. */
  readonly leader?: string;
}

/** A kubelet keeps none open. */
const CONNECTIONS = 32;
const REQUEST_ms = 5_000;

/**
 * Serves `/livez` (200 as long as the process does anything) and `/readyz` (200 when it could lead, or leads and serves; else 503), both with how it stands
 * as JSON. @throws Failure probeUnusable
 */
export async function startProbe(listen: Listen, standing: () => Standing): Promise<AsyncDisposable> {
  const server = createServer(
    { requestTimeout: REQUEST_ms, headersTimeout: REQUEST_ms, connectionsCheckingInterval: 1000 },
    (request, response) => {
      const now = standing();
      const ready = now.inTouch && (now.term === undefined || now.serves);
      const path = request.url?.split('?')[0];
      const found = (request.method === 'GET' || request.method === 'HEAD') && (path === '/livez' || path === '/readyz');
      const status = !found ? 404 : path === '/livez' || ready ? 200 : 503;
      response.writeHead(status, { 'content-type': 'application/json', connection: 'close' });
      response.end(found ? `${JSON.stringify({ ready, leads: now.term !== undefined, ...now })}\n` : undefined);
    },
  );
  server.maxConnections = CONNECTIONS;
  await listening(server, listen);
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function listening(server: Server, { address, port }: Listen): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const where = `${address === undefined || !address.includes(':') ? (address ?? '') : `[${address}]`}:${port}`;
  server.once('error', (error) => reject(failure('probeUnusable', { listen: where, reason: error.message }, error)));
  server.listen({ port, ...(address !== undefined && { host: address }) }, resolve);
  await promise;
}
