/** A proxy between the driver and the bed that loses what it is told to lose: the request, or the answer to what was done. */
import { createServer, request as send, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** See the head of this file. */
export interface FaultProxy extends AsyncDisposable {
  /** Of Keystone, through the proxy; its catalogue leads through it too. */
  readonly authUrl: string;
  /** `METHOD /path` of each changing request since the last plan. */
  readonly changes: string[];
  /** How many reading requests came since then. */
  readonly reads: number;
  /** Loses the n-th changing request from now on, or its answer; none when absent. Whether it did: `lost`. */
  plan(lose?: { readonly nth: number; readonly what: 'request' | 'answer' }): void;
  readonly lost: boolean;
}

/** Listens on a port of the kernel's choice. */
export async function faultProxy(keystone: string): Promise<FaultProxy> {
  const routes = new Map<string, string>([['keystone', keystone.replace(/\/v3$/, '')]]);
  const changes: string[] = [];
  let plan: { readonly nth: number; readonly what: 'request' | 'answer' } | undefined;
  let isLost = false;
  let reads = 0;
  const server = createServer((request, response) => {
    void pass(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const [, name = '', path = ''] = /^\/([^/]+)(.*)$/.exec(url) ?? [];
    const body = await textOf(request);
    const isLogin = path.endsWith('/auth/tokens');
    if (method === 'GET') reads++;
    const isHit = method !== 'GET' && !isLogin && changes.push(`${method} ${path}`) === plan?.nth;
    if (isHit) isLost = true;
    if (isHit && plan?.what === 'request') return void response.destroy();
    const headers = { ...request.headers, host: new URL(routes.get(name) ?? keystone).host };
    const answer = await forwarded(`${routes.get(name) ?? ''}${path}`, method, headers, body);
    if (isHit) return void response.destroy();
    const { 'content-length': _, ...kept } = answer.headers;
    response.writeHead(answer.status, kept).end(isLogin ? throughUs(answer.text) : answer.text);
  }
  /** The catalogue's addresses, with ours in their place. */
  function throughUs(text: string): string {
    const parsed = JSON.parse(text) as { token?: { catalog?: { type: string; endpoints: { url: string }[] }[] } };
    for (const { type, endpoints } of parsed.token?.catalog ?? [])
      for (const endpoint of endpoints) {
        routes.set(type, endpoint.url);
        endpoint.url = `${base}/${type}${type === 'compute' ? '/v2.1' : ''}`;
        if (type === 'compute') routes.set(type, routes.get(type)?.replace(/\/v2\.1$/, '') ?? '');
      }
    return JSON.stringify(parsed);
  }
  return {
    authUrl: `${base}/keystone`,
    changes,
    plan(lose) {
      plan = lose;
      changes.length = 0;
      reads = 0;
      isLost = false;
    },
    get reads() {
      return reads;
    },
    get lost() {
      return isLost;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function textOf(stream: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function forwarded(
  url: string,
  method: string,
  headers: IncomingMessage['headers'],
  body: string,
): Promise<{ status: number; headers: IncomingMessage['headers']; text: string }> {
  return new Promise((resolve, reject) => {
    const call = send(url, { method, headers, agent: false }, (answer) => {
      textOf(answer).then((text) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }), reject);
    });
    call.on('error', reject);
    call.end(body);
  });
}
