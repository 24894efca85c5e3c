/** An API server that has one Lease and nothing else, and tells of that nothing when it is asked to; a controller as a process beside it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createSecureServer, type Http2SecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { authority } from '../kube/certificates.ts';

const LEASES = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases';

/** The Lease, as far as the tests look at it. */
interface Lease {
  readonly metadata: object;
  readonly spec: { readonly holderIdentity?: string | null; readonly leaseTransitions?: number; readonly renewTime?: string };
}

/** It at work. */
export interface SmallCluster extends AsyncDisposable {
  /** From now on what is asked besides the Lease waits for its answer, until `answer`. */
  keepWaiting(): void;
  answer(): void;
  /** Objects there are besides, by resource. */
  readonly objects: Map<string, object[]>;
  /** Where the cloud would be. */
  readonly cloudSocket: string;
  /** As it stands there; undefined: there is none. */
  lease(): Lease['spec'] | undefined;
  /** Somebody else's hand. */
  give(holder: string | null): void;
  /** Whoever asks gets no connection, until `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** A controller; with `listen` it tells how it stands. */
  controller(name: string, listen?: string): Controller;
}

/** A controller process. */
export interface Controller {
  readonly process: ChildProcess;
  /** What it has logged. */
  readonly log: () => string;
  /** Its exit code, once it has ended. */
  readonly ended: Promise<number | null>;
}

export async function smallCluster(): Promise<SmallCluster> {
  const ca = authority();
  const dir = mkdtempSync(join(tmpdir(), 'fp-controller-'));
  const children: Controller[] = [];
  const sockets = new Set<Socket>();
  let server: Http2SecureServer | undefined;
  /** Nobody is given it while the server is away. */
  const port = await freePort();
  let version = 1;
  let lease: Lease | undefined;
  /** Answers that wait; undefined: none has to. */
  let waiting: (() => void)[] | undefined;
  const write = (body: Lease): Lease => (lease = { ...body, metadata: { ...body.metadata, resourceVersion: String(++version) } });

  async function serve(request: Http2ServerRequest, response: Http2ServerResponse): Promise<void> {
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const answer = (status: number, value: object): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    };
    const refuse = (code: number, reason: string): void =>
      answer(code, {
        kind: 'Status',
        status: 'Failure',
        message: reason,
        reason,
        code,
        details: { name: 'flatpod-controller', kind: 'leases' },
      });
    const url = new URL(request.url, 'https://server');
    if (url.pathname.startsWith(LEASES)) {
      if (request.method === 'GET') return lease === undefined ? refuse(404, 'NotFound') : answer(200, lease);
      const body = JSON.parse(Buffer.concat(chunks).toString()) as Lease; // what our own client sends
      if (request.method === 'POST') return lease === undefined ? answer(201, write(body)) : refuse(409, 'AlreadyExists');
      const seen = (body.metadata as { resourceVersion?: string }).resourceVersion; // of every object
      return seen === String(version) ? answer(200, write(body)) : refuse(409, 'Conflict');
    }
    const give = (): void => {
      if (url.searchParams.has('watch')) response.stream.respond({ ':status': 200, 'content-type': 'application/json' });
      else if (request.method === 'GET')
        answer(200, {
          kind: 'List',
          metadata: { resourceVersion: '1' },
          items: one.objects.get(url.pathname.split('/').at(-1) ?? '') ?? [],
        });
      else refuse(405, 'MethodNotAllowed');
    };
    if (waiting === undefined) give();
    else waiting.push(() => void (!response.destroyed && give()));
  }

  const one: SmallCluster = {
    objects: new Map(),
    cloudSocket: join(dir, 'cloud'),
    keepWaiting: () => void (waiting ??= []),
    answer() {
      for (const give of waiting ?? []) give();
      waiting = undefined;
    },
    lease: () => lease?.spec,
    give(holder) {
      const { leaseTransitions = 0 } = lease?.spec ?? {};
      const renewTime = `2026-01-01T00:00:00.${String(version).padStart(6, '0')}Z`;
      write({
        metadata: {},
        ...lease,
        spec: { ...lease?.spec, holderIdentity: holder, leaseTransitions: leaseTransitions + 1, renewTime },
      });
    },
    async start() {
      const { certificate, key } = ca.issue('server', '127.0.0.1');
      server = createSecureServer({ cert: certificate, key });
      server.on('session', (session) => void session.on('error', () => undefined));
      // Also those in the middle of a handshake.
      server.on('connection', (socket: Socket) => {
        sockets.add(socket);
        socket.on('close', () => sockets.delete(socket));
      });
      server.on('tlsClientError', () => undefined);
      server.on('sessionError', () => undefined);
      server.on('request', (request, response) => void serve(request, response));
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
    },
    async stop() {
      const present = server;
      server = undefined;
      if (present === undefined) return;
      const closed = once(present, 'close');
      present.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    controller(name, listen) {
      const kubeconfig = join(dir, 'kubeconfig');
      const cluster = {
        server: `https://127.0.0.1:${port}`,
        'certificate-authority-data': Buffer.from(ca.certificate).toString('base64'),
      };
      writeFileSync(
        kubeconfig,
        stringify({
          apiVersion: 'v1',
          kind: 'Config',
          clusters: [{ name: 'c', cluster }],
          users: [{ name: 'u', user: { token: 'nobody' } }],
          contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
          'current-context': 'x',
        }),
      );
      const config = join(dir, `${name}.yaml`);
      const cloud = { type: 'vpc', endpoint: `unix:${one.cloudSocket}` };
      const spec = { cluster: 'small', cloud, kubeconfig, ...(listen !== undefined && { listen }) };
      writeFileSync(config, stringify({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'ControllerConfig', metadata: { name: 'c' }, spec }));
      const main = resolve(import.meta.dirname, '../../src/main.ts');
      const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, 'controller', '--config', config], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, POD_NAME: name },
      });
      let said = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (said += bytes.toString()));
      const ended = once(child, 'close').then(([code]) => code as number | null); // nodejs.org/api/child_process.html, event close
      const started = { process: child, log: () => said, ended };
      children.push(started);
      return started;
    },
    async [Symbol.asyncDispose]() {
      for (const { process: child } of children) child.kill('SIGKILL');
      await Promise.all(children.map(({ ended }) => ended));
      await one.stop();
      rmSync(dir, { recursive: true });
    },
  };
  await one.start();
  return one;
}

/** Below those of test/openstack/bed/servers.ts, and below those that the kernel gives to whoever asks for any. */
const PORTS = { first: 12_000, count: 8000 } as const;
let nextPort = randomInt(PORTS.count);

/** A port nobody has at the moment: nobody who asks for any gets it while the program that it is for is still loading. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + (nextPort++ % PORTS.count);
    const server = createServer().listen(port, '127.0.0.1');
    try {
      await once(server, 'listening');
    } catch {
      continue;
    }
    server.close();
    await once(server, 'close');
    return port;
  }
}
