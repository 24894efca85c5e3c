/** The HTTP server: where it listens, and its limits. */
import { createServer, type RequestListener, type Server } from 'node:http';
import { failure } from '../../errors/failure.ts';

const HEADERS_DEADLINE_ms = 5_000;
const REQUEST_DEADLINE_ms = 10_000;
const IDLE_ms = 30_000;
const MOST_CONNECTIONS = 1024;

/** A server that answers. `url` is http://HOST:PORT with the port it really got, or unix:/PATH. */
export interface Listening {
  readonly url: string;
  /** Takes no more requests and closes the connections there are. */
  close(): Promise<void>;
}

/**
 * Listens on `HOST:PORT` (port 0: any; an IPv6 host in brackets) or `unix:/PATH`.
 * @throws Failure vpcOptions when that is not an address, vpcListen when it cannot be had.
 */
export async function listen(address: string, handler: RequestListener): Promise<Listening> {
  const server = createServer(
    { headersTimeout: HEADERS_DEADLINE_ms, requestTimeout: REQUEST_DEADLINE_ms, keepAliveTimeout: IDLE_ms },
    handler,
  );
  server.maxConnections = MOST_CONNECTIONS;
  server.on('clientError', (error, socket) => {
    if (socket.writable) socket.end(notHttp(error.message));
    else socket.destroy();
  });
  await bound(server, address);
  const got = server.address();
  return {
    url:
      got === null || typeof got === 'string'
        ? `unix:${got}`
        : `http://${got.family === 'IPv6' ? `[${got.address}]` : got.address}:${got.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function bound(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => reject(failure('vpcListen', { address, text: cause.message }, cause)));
    const path = /^unix:(\/.+)$/.exec(address)?.[1];
    const [, host, port] = /^(.+):(\d{1,5})$/.exec(address) ?? [];
    if (path !== undefined) server.listen(path, resolve);
    else if (host !== undefined && port !== undefined && Number(port) < 65_536)
      server.listen({ host: host.replace(/^\[|\]$/g, ''), port: Number(port) }, resolve);
    else {
      reject(
        failure('vpcOptions', {
          option: '--listen',
          value: address,
          text: 'it is not an address to listen on',
          remedy: 'use HOST:PORT, [IPV6]:PORT or unix:/PATH',
        }),
      );
    }
  });
}

/** What the parser refuses, or what took too long, in the shape of every other refusal. */
function notHttp(why: string): string {
  const error = {
    reason: 'InvalidParameter',
    message: `not a request that can be read: ${why}`,
    remedy: 'send HTTP/1.1, all of it within 10 s',
    requestId: 'r-0',
  };
  const body = JSON.stringify({ error });
  return `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;
}
