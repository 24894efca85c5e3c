/** The API server as the cluster's administrator sees it, for assertions: plain requests and watches from this process, whatever network it is in. */
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { Socket } from 'node:net';
import { connect } from 'node:tls';
import { native } from '../../src/kernel/native.ts';
import { openNetns } from '../../src/kernel/netns.ts';
import type { Pki } from './pki.ts';

/** A Kubernetes object, as far as all of them are alike. The rest is looked at by whoever knows the kind. */
export interface KubeObject {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
  };
}

/** What a watch tells. */
export interface WatchEvent<T> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: T;
}

/** A connection of the administrator. */
export interface Admin extends Disposable {
  /** One request; the answer's body. @throws Error with the server's message when it refuses. */
  ask<T>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T>;
  /** The answer's body as text, such as `/metrics`. */
  text(path: string): Promise<string>;
  /** The objects at a path such as `/api/v1/pods`. */
  list<T extends KubeObject>(path: string): Promise<T[]>;
  /** Every change from now on, until it is disposed of or the connection ends; `ended` resolves then. */
  watch<T extends KubeObject>(
    path: string,
    heard: (event: WatchEvent<T>) => void,
  ): Promise<AsyncDisposable & { readonly ended: Promise<void> }>;
}

const DEADLINE_ms = 30_000;
const [AF_INET, SOCK_STREAM_NONBLOCK_CLOEXEC] = [2, 1 | 0o4000 | 0o2000000];

/** `netns`: where the API server is reached from. */
export function admin(netns: string, address: string, pki: Pki): Admin {
  const identity = {
    ca: readFileSync(pki.file('ca.crt')),
    cert: readFileSync(pki.file('admin.crt')),
    key: readFileSync(pki.file('admin.key')),
  };
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  agent.createConnection = () =>
    connect({ ...identity, socket: socketIn(netns).connect({ host: address, port: 6443 }), servername: 'kubernetes' });
  const send = (method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<AsyncIterable<Buffer>> => {
    const { promise, resolve, reject } = Promise.withResolvers<AsyncIterable<Buffer>>();
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const limit = signal ?? AbortSignal.timeout(DEADLINE_ms);
    const sent = request({
      agent,
      method,
      path,
      host: address,
      headers: { 'content-type': type, accept: 'application/json' },
      signal: limit,
    });
    sent.on('error', reject).on('response', (answer) => {
      if ((answer.statusCode ?? 0) < 300) return resolve(answer);
      void textOf(answer).then((text) => reject(new Error(`${method} ${path}: ${answer.statusCode} ${messageOf(text)}`)), reject);
    });
    sent.end(body === undefined ? undefined : JSON.stringify(body));
    return promise;
  };
  // Whoever asks knows the kind: the shapes are Kubernetes' own.
  const ask = async <T>(method: string, path: string, body?: unknown): Promise<T> =>
    JSON.parse(await textOf(await send(method, path, body))) as T;
  return {
    ask,
    text: async (path) => textOf(await send('GET', path)),
    list: async <T extends KubeObject>(path: string) => (await ask<{ items: T[] }>('GET', path)).items,
    async watch<T extends KubeObject>(path: string, heard: (event: WatchEvent<T>) => void) {
      const now = await ask<{ metadata: { resourceVersion: string } }>('GET', `${path}?limit=1`);
      const stop = new AbortController();
      const answer = await send('GET', `${path}?watch=true&resourceVersion=${now.metadata.resourceVersion}`, undefined, stop.signal);
      const ended = readLines(answer, (line) => heard(JSON.parse(line) as WatchEvent<T>)).catch(() => undefined);
      return { ended, [Symbol.asyncDispose]: () => (stop.abort(), ended) };
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

function socketIn(path: string): Socket {
  using netns = openNetns(path);
  const fd = netns.run(() => native.socket(AF_INET, SOCK_STREAM_NONBLOCK_CLOEXEC, 0));
  if (fd < 0) throw new Error(`no socket in ${path}: errno ${-fd}`);
  return new Socket({ fd });
}

async function textOf(parts: AsyncIterable<Buffer>): Promise<string> {
  const all: Buffer[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all).toString();
}

async function readLines(parts: AsyncIterable<Buffer>, heard: (line: string) => void): Promise<void> {
  let rest = Buffer.alloc(0);
  for await (const part of parts) {
    rest = Buffer.concat([rest, part]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      heard(rest.subarray(0, end).toString());
      rest = rest.subarray(end + 1);
    }
  }
}

/** The sentence of a Status object, or the text itself. */
function messageOf(text: string): string {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : text;
  } catch {
    return text;
  }
}
