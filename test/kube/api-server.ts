/**
 * What an API server does on the wire, for one kind of objects: HTTP/2 over TLS, versions, pages, watches with their history, Status. It does not
 * validate, admit or convert: that is the real one's, which test/cluster has.
 */
import { once } from 'node:events';
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Access } from '../../src/kube/access.ts';
import { type Authority, authority } from './certificates.ts';

/** An object as it is stored. */
export interface Stored {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid: string; readonly resourceVersion: string };
  readonly [field: string]: unknown;
}

/** A request that came. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: unknown;
}

/** Answers one request by itself, instead of the server; false: leaves it to the server after all. */
export type Instead = (asked: Asked, response: Http2ServerResponse) => boolean | void;

interface Event {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly version: number;
  readonly object: Stored;
}

/**
 * This process's own address of the machine to itself: a server that was stopped comes back on its port, which nobody shall have got meanwhile. (On 127.0.0.1
 * somebody's connection may leave from it, even the one of a client that tries to reach the server.)
 */
const HOST = `127.${64 + ((process.pid >> 16) & 63)}.${(process.pid >> 8) & 255}.${process.pid & 255}`;

/** A kind that the server serves. */
export const things = { group: 'test.flatpod.dev', version: 'v1', resource: 'things' } as const;
const collection = '/apis/test.flatpod.dev/v1/things';

export class ApiServer implements AsyncDisposable {
  readonly asked: Asked[] = [];
  /** Taken one by one, before the server answers. */
  readonly instead: Instead[] = [];
  /** When given, what a request's Authorization must be. */
  token: string | undefined;
  /** When given, is behind it. */
  readonly authority: Authority;
  sessions = 0;
  readonly #objects = new Map<string, Stored>();
  readonly #history: Event[] = [];
  readonly #watches = new Set<{ readonly response: Http2ServerResponse; readonly wanted: (object: Stored) => boolean }>();
  readonly #open = new Set<ServerHttp2Session>();
  readonly #sockets = new Set<TLSSocket>();
  #server: Http2SecureServer | undefined;
  #version = 100;
  #forgotten = 0;
  #port = 0;
  #pages = new Map<string, { readonly items: readonly Stored[]; readonly version: number }>();

  constructor() {
    this.authority = authority();
  }

  get access(): Access {
    return {
      server: `https://${HOST}:${this.#port}`,
      unverified: false,
      credentials: () => ({ authority: this.authority.certificate, ...(this.token === undefined ? {} : { token: this.token }) }),
    };
  }

  get watches(): number {
    return this.#watches.size;
  }

  /** The paths asked for so far, with their methods. */
  get calls(): string[] {
    return this.asked.map(({ method, path, query }) => `${method}${query.has('watch') ? ' watch' : ''} ${path.replace(collection, '')}`);
  }

  /** Listens, on the port it had before when it had one. */
  async start(...hosts: string[]): Promise<this> {
    const { certificate, key } = this.authority.issue('server', ...(hosts.length === 0 ? [HOST] : hosts));
    const server = createSecureServer({
      cert: certificate,
      key,
      ca: this.authority.certificate,
      requestCert: true,
      rejectUnauthorized: false,
    });
    server.on('request', (request, response) => void this.#serve(request, response));
    server.on('session', (session) => {
      this.sessions++;
      this.#open.add(session);
      session.on('close', () => this.#open.delete(session));
      session.on('error', () => {});
    });
    server.on('secureConnection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    server.on('sessionError', () => {});
    server.listen(this.#port, HOST);
    await once(server, 'listening');
    // A TCP server has an address of this kind.
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  /** Dies with all its connections. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = once(server, 'close');
    server.close();
    this.cut();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Ends every connection without a word. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Asks every client to go elsewhere (GOAWAY), as a server does that is about to restart. */
  sendAway(): void {
    for (const session of this.#open) session.goaway();
  }

  /** Creates or changes an object. */
  put(name: string, fields: object = {}, namespace?: string): Stored {
    const key = keyOf(namespace, name);
    const before = this.#objects.get(key);
    const version = ++this.#version;
    const uid = before?.metadata.uid ?? `uid-${version}`;
    const metadata = { name, ...(namespace === undefined ? {} : { namespace }), uid, resourceVersion: String(version) };
    const object: Stored = { apiVersion: 'test.flatpod.dev/v1', kind: 'Thing', ...fields, metadata };
    this.#objects.set(key, object);
    this.#tell({ type: before === undefined ? 'ADDED' : 'MODIFIED', version, object });
    return object;
  }

  remove(name: string, namespace?: string): void {
    const key = keyOf(namespace, name);
    const before = this.#objects.get(key);
    if (before === undefined) return;
    this.#objects.delete(key);
    const version = ++this.#version;
    this.#tell({ type: 'DELETED', version, object: { ...before, metadata: { ...before.metadata, resourceVersion: String(version) } } });
  }

  /** Forgets all that was before now: watches from there get 410. */
  compact(): void {
    this.#forgotten = this.#version;
  }

  /** Tells the present version to every watch. */
  bookmark(): void {
    this.write(
      `${JSON.stringify({ type: 'BOOKMARK', object: { kind: 'Thing', metadata: { resourceVersion: String(this.#version) } } })}\n`,
    );
  }

  /** Bytes as they are, to every watch. */
  write(bytes: string | Buffer): void {
    for (const { response } of this.#watches) response.write(bytes);
  }

  /** Ends every watch in good order. */
  endWatches(): void {
    for (const { response } of this.#watches) response.end();
  }

  #tell(event: Event): void {
    this.#history.push(event);
    for (const { response, wanted } of this.#watches) if (wanted(event.object)) response.write(lineOf(event));
  }

  async #serve(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    const url = new URL(request.url, 'https://server');
    const chunks: Buffer[] = [];
    request.on('error', () => {});
    response.on('error', () => {});
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    const asked: Asked = { method: request.method, path: url.pathname, query: url.searchParams, headers: { ...request.headers }, body };
    this.asked.push(asked);
    const instead = this.instead.shift();
    if (instead !== undefined && instead(asked, response) !== false) return;
    if (this.token !== undefined && request.headers.authorization !== `Bearer ${this.token}`) return refuse(response, 401, 'Unauthorized');
    if (!url.pathname.startsWith(collection)) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('404 page not found\n');
      return;
    }
    const name = url.pathname.slice(collection.length + 1);
    if (name !== '') {
      const object = this.#objects.get(name);
      if (object === undefined)
        return refuse(response, 404, 'NotFound', `things.test.flatpod.dev "${name}" not found`, { name, kind: 'things' });
      if (request.method === 'DELETE') this.remove(name);
      return answer(response, object);
    }
    if (url.searchParams.get('watch') !== null) return this.#watch(url.searchParams, response);
    this.#list(url.searchParams, response);
  }

  #list(query: URLSearchParams, response: Http2ServerResponse): void {
    const token = query.get('continue');
    const page =
      token === null ? { items: [...this.#objects.values()].filter(wantedBy(query)), version: this.#version } : this.#pages.get(token);
    if (page === undefined || page.version < this.#forgotten)
      return refuse(response, 410, 'Expired', 'The provided continue parameter is too old');
    const limit = Number(query.get('limit') ?? page.items.length) || page.items.length;
    const rest = page.items.slice(limit);
    const metadata = { resourceVersion: String(page.version), ...(rest.length === 0 ? {} : { continue: `c${this.#pages.size}` }) };
    if (rest.length > 0) this.#pages.set(`c${this.#pages.size}`, { items: rest, version: page.version });
    const items = page.items.slice(0, limit);
    answer(response, { kind: 'ThingList', metadata, items: items.length === 0 ? null : items });
  }

  #watch(query: URLSearchParams, response: Http2ServerResponse): void {
    const from = Number(query.get('resourceVersion'));
    const wanted = wantedBy(query);
    // Not writeHead: that waits for the first byte of the body.
    response.stream.respond({ ':status': 200, 'content-type': 'application/json' });
    if (from < this.#forgotten) {
      const object = { kind: 'Status', status: 'Failure', code: 410, reason: 'Expired', message: `too old resource version: ${from}` };
      response.end(`${JSON.stringify({ type: 'ERROR', object })}\n`);
      return;
    }
    const watch = { response, wanted };
    this.#watches.add(watch);
    response.on('close', () => this.#watches.delete(watch));
    for (const event of this.#history) if (event.version > from && wanted(event.object)) response.write(lineOf(event));
  }
}

/** A Status, as every refusal is. */
export function refuse(
  response: Http2ServerResponse,
  code: number,
  reason: string,
  message = reason,
  details: object = {},
  headers = {},
): void {
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, details, code };
  response.writeHead(code, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(status));
}

/** A success. */
export function answer(response: Http2ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** metadata.name alone, which every kind has. */
function wantedBy(query: URLSearchParams): (object: Stored) => boolean {
  const name = /^metadata\.name=(.*)$/.exec(query.get('fieldSelector') ?? '')?.[1];
  return ({ metadata }) => name === undefined || metadata.name === name;
}

function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function lineOf({ type, object }: Event): string {
  return `${JSON.stringify({ type, object })}\n`;
}
