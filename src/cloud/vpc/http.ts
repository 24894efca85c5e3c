/** One JSON exchange over HTTP/1.1 with keep-alive, a deadline and a size limit. No fetch: it costs the agent 20 MiB. */
import type { Agent, IncomingMessage } from 'node:http';

// By getBuiltinModule: an import of node:http from an ES module loads undici as well (nodejs/node#59686).
const http = process.getBuiltinModule('node:http');

/** What came back. `body` is undefined when there was none (204). */
export interface HttpAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** An answer that is no JSON, or too long. Anything else that goes wrong rejects with the error of the socket. */
export class Unreadable extends Error {}

/** One call, before it is made. */
export interface HttpCall {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `http://HOST:PORT` or `unix:/PATH` (which works across network namespaces). */
  readonly endpoint: string;
  /** With its query. */
  readonly path: string;
  readonly body?: unknown;
}

/** The longest answer that is read: a page of 1000 interfaces with 256 blocks each is 8 MiB. */
const longest = 16 << 20;

/** Idle connections to one server; `destroy` it when done. */
export function connections(): Agent {
  return new http.Agent({ keepAlive: true, maxSockets: 16, maxFreeSockets: 16 });
}

/** Makes the call once. @throws Unreadable, or the socket's error; when it throws, the server may have done what was asked. */
export function exchange(agent: Agent, call: HttpCall, deadline_ms: number): Promise<HttpAnswer> {
  const text = call.body === undefined ? undefined : JSON.stringify(call.body);
  return new Promise((resolve, reject) => {
    const request = http.request({
      ...addressOf(call),
      method: call.method,
      agent,
      signal: AbortSignal.timeout(deadline_ms),
      headers: text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
    });
    request.on('error', (error) => reject(error.name === 'AbortError' ? new Error(`no answer within ${deadline_ms} ms`) : error));
    request.on('response', (response) => {
      read(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    request.end(text);
  });
}

function addressOf({ endpoint, path }: HttpCall): { socketPath: string; path: string } | { hostname: string; port: string; path: string } {
  if (endpoint.startsWith('unix:')) return { socketPath: endpoint.slice('unix:'.length), path };
  const { hostname, port, pathname, search } = new URL(path, endpoint);
  // Brackets are part of the URL, not of an IPv6 address.
  return { hostname: hostname.replace(/^\[(.*)\]$/, '$1'), port, path: pathname + search };
}

async function read(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > longest) throw new Unreadable(`more than ${longest} bytes`);
    chunks.push(chunk);
  }
  if (length === 0) return undefined;
  const text = Buffer.concat(chunks).toString('utf8');
  try {
    return JSON.parse(text);
  } catch {
    throw new Unreadable(`no JSON: ${JSON.stringify(text.slice(0, 80))}`);
  }
}
