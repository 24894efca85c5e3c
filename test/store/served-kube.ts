/**
 * The API server in memory on the wire, for programs that run elsewhere: HTTP/2 over TLS, every kind, lists in one page, watches, Status for refusals.
 * Who asks is not looked at. What a real one does besides, such as to validate and to page, test/kube/api-server.ts and test/cluster have.
 */
import { once } from 'node:events';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { isFailure } from '../../src/errors/failure.ts';
import type { ObjectPath } from '../../src/kube/paths.ts';
import { answer, refuse } from '../kube/api-server.ts';
import { authority } from '../kube/certificates.ts';
import type { MemoryKube } from './memory-kube.ts';

export interface ServedKube extends AsyncDisposable {
  /** On 127.0.0.1. */
  readonly port: number;
  /** What a program needs to reach it there. */
  readonly kubeconfig: string;
}

const asIs = (value: unknown): unknown => value;

export async function serveKube(kube: MemoryKube): Promise<ServedKube> {
  const signer = authority();
  const { certificate, key } = signer.issue('server', '127.0.0.1');
  const sessions = new Set<ServerHttp2Session>();
  const server = createSecureServer({ cert: certificate, key });
  server.on('request', (request, response) => void serve(kube, request, response));
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session)).on('error', () => {});
  });
  server.on('sessionError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server has an address of this kind.
  const { port } = server.address() as AddressInfo;
  const named = (name: string, rest: object): object => ({ name, ...rest });
  const cluster = { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': Buffer.from(signer.certificate).toString('base64') };
  return {
    port,
    kubeconfig: JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'test',
      clusters: [named('test', { cluster })],
      users: [named('test', { user: { token: 'of-a-test' } })],
      contexts: [named('test', { context: { cluster: 'test', user: 'test' } })],
    }),
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      for (const session of sessions) session.destroy();
      await closed;
    },
  };
}

async function serve(kube: MemoryKube, request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
  const url = new URL(request.url, 'https://server');
  request.on('error', () => {});
  response.on('error', () => {});
  try {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const at = pathOf(url.pathname);
    if (at === undefined) return refuse(response, 404, 'NotFound', `${url.pathname} is no path of a kind`);
    if (url.searchParams.has('watch')) return await watch(kube, at, url.searchParams, response);
    const body: unknown = text === '' ? undefined : JSON.parse(text);
    answer(response, (await done(kube, at, { method: request.method, type: request.headers['content-type'], body, url })) ?? {});
  } catch (error) {
    const [code, reason] = statusOf(error);
    refuse(response, code, reason, error instanceof Error ? error.message : String(error));
  }
}

/** `/apis/GROUP/VERSION/[namespaces/NAMESPACE/]KIND[/NAME[/SUBRESOURCE]]`; of a collection the name is empty. undefined: something else. */
function pathOf(path: string): ObjectPath | undefined {
  const [root, ...parts] = path.split('/').slice(1).map(decodeURIComponent);
  if (root !== 'api' && root !== 'apis') return undefined;
  const group = root === 'api' ? '' : (parts.shift() ?? '');
  const version = parts.shift() ?? '';
  const namespace = parts[0] === 'namespaces' && parts.length > 2 ? parts.splice(0, 2)[1] : undefined;
  const [resource = '', name = '', subresource] = parts;
  if (resource === '') return undefined;
  return {
    group,
    version,
    resource,
    name,
    ...(namespace !== undefined && { namespace }),
    ...(subresource !== undefined && { subresource }),
  };
}

interface Asked {
  readonly method: string;
  readonly type: string | undefined;
  readonly body: unknown;
  readonly url: URL;
}

async function done(kube: MemoryKube, at: ObjectPath, { method, type, body, url }: Asked): Promise<unknown> {
  // What a program of ours sends with these methods is an object, or for a JSON patch a list.
  const given = body as object;
  const { name, ...collection } = at;
  switch (method) {
    case 'GET': {
      if (name !== '') return await kube.get(at, asIs);
      const { items, resourceVersion } = await kube.list(collection, asIs, selectionOf(url.searchParams));
      return { kind: 'List', metadata: { resourceVersion }, items };
    }
    case 'POST':
      return await kube.create(collection, given, asIs);
    case 'PUT':
      return await kube.replace(at, given, asIs);
    case 'PATCH':
      if (type === 'application/json-patch+json') return await kube.patch(at, { kind: 'json', body: given as object[] }, asIs);
      if (type === 'application/merge-patch+json') return await kube.patch(at, { kind: 'merge', body: given }, asIs);
      throw new Error(`a patch of type ${type}`);
    case 'DELETE': {
      await kube.get(at, asIs);
      const { preconditions } = given as { preconditions?: { uid?: string; resourceVersion?: string } };
      return await kube.delete(at, preconditions);
    }
    default:
      throw new Error(`the method ${method}`);
  }
}

async function watch(kube: MemoryKube, at: ObjectPath, query: URLSearchParams, response: Http2ServerResponse): Promise<void> {
  const { name: _, ...collection } = at;
  const over = new AbortController();
  response.on('close', () => over.abort());
  await kube.watch(collection, {
    ...selectionOf(query),
    resourceVersion: query.get('resourceVersion') ?? '0',
    lasts_s: Number(query.get('timeoutSeconds')),
    silence_ms: Number.POSITIVE_INFINITY,
    signal: over.signal,
    // Not writeHead: that waits for the first byte of the body.
    began: () => response.stream.respond({ ':status': 200, 'content-type': 'application/json' }),
    event: (event) => void response.write(`${JSON.stringify(event)}\n`),
  });
  response.end();
}

function selectionOf(query: URLSearchParams): { fieldSelector?: string } {
  const fieldSelector = query.get('fieldSelector');
  return fieldSelector === null ? {} : { fieldSelector };
}

function statusOf(error: unknown): readonly [number, string] {
  if (isFailure(error, 'kubeNotFound')) return [404, 'NotFound'];
  if (isFailure(error, 'kubeAlreadyExists')) return [409, 'AlreadyExists'];
  if (isFailure(error, 'kubeConflict')) return [409, 'Conflict'];
  if (isFailure(error, 'kubeInvalid')) return [422, 'Invalid'];
  return [500, 'InternalError'];
}
