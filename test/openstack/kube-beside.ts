/**
 * A real API server with its etcd beside a bed, on loopback as the bed is: no node, no controller of Kubernetes' own. In it are our kinds, and the chart's
 * rights for the controller's account.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { generateKeyPairSync } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { rendered, type Values } from '../../scripts/helm.ts';
import { eventually } from '../cluster/eventually.ts';
import { freePort } from '../cli/small-cluster.ts';
import { authority } from '../kube/certificates.ts';
import { programs } from '../programs.ts';
import { hasEnded } from '../../src/cli/demo/processes.ts';

const run = promisify(execFile);
const ACCOUNT = { name: 'flatpod-controller', namespace: 'kube-system' } as const;
const ROOT = 'the-administrator';
const crds = resolve(import.meta.dirname, '../../deploy/crds');

/** See the head of this file. */
export interface KubeBeside extends AsyncDisposable {
  /** For files; it goes with the disposal. */
  readonly dir: string;
  /** Of the account that the chart gives the controller. */
  readonly kubeconfig: string;
  /** Of the administrator. */
  readonly rootConfig: string;
  /** As administrator; its output. @throws Error with what it said */
  kubectl(...args: readonly string[]): Promise<string>;
  /** As administrator: `kubectl apply`. */
  apply(...objects: readonly object[]): Promise<void>;
}

/** Why there can be none here; undefined: there can. */
export function lacksKube(): string | undefined {
  try {
    for (const path of [programs.etcd(), programs.kube('kube-apiserver'), programs.kube('kubectl')]) assert.ok(existsSync(path));
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Starts it, about ten seconds; `values`: the chart's, which decide what the controller may. @throws Error with the end of a log */
export async function kubeBeside(values: Values): Promise<KubeBeside> {
  await using open = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'fp-kube-'));
  open.defer(() => rmSync(dir, { recursive: true, force: true }));
  const [etcd, peer, port] = [await freePort(), await freePort(), await freePort()];
  open.defer(started(dir, 'etcd', [programs.etcd(), ...etcdArguments(dir, etcd, peer)]));
  const certificate = writeKeys(dir);
  open.defer(started(dir, 'kube-apiserver', [programs.kube('kube-apiserver'), ...apiArguments(dir, etcd, port)]));
  const configOf = (name: string, token: string): string => writeKubeconfig(join(dir, `${name}.kubeconfig`), port, certificate, token);
  const root = configOf('root', ROOT);
  const kubectl = async (...args: readonly string[]): Promise<string> =>
    (await run(programs.kube('kubectl'), [`--kubeconfig=${root}`, `--cache-dir=${join(dir, 'cache')}`, ...args])).stdout;
  await eventually('the API server is ready', () => kubectl('get', '--raw', '/readyz'), 90).catch((error: unknown) => {
    throw new Error(
      `the API server is not ready; the end of its log:\n${readFileSync(join(dir, 'kube-apiserver.log'), 'utf8').slice(-2000)}`,
      {
        cause: error,
      },
    );
  });
  const apply = async (...objects: readonly object[]): Promise<void> => {
    const file = join(dir, 'objects.json');
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
    await kubectl('apply', '-f', file);
  };
  // The API server makes it itself, a moment after it is ready.
  await eventually(`namespace ${ACCOUNT.namespace}`, () => kubectl('get', 'namespace', ACCOUNT.namespace), 30);
  await kubectl('apply', '--server-side', '-f', crds);
  const rights = join(dir, 'rights.yaml');
  writeFileSync(rights, rendered(values, '--show-only', 'templates/rights.yaml'));
  await kubectl('apply', '-f', rights);
  const token = (await kubectl('create', 'token', ACCOUNT.name, '-n', ACCOUNT.namespace)).trim();
  const all = open.move();
  return {
    dir,
    kubeconfig: configOf('controller', token),
    rootConfig: root,
    kubectl,
    apply,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** Ends with this process, however that ends. Answers with the way to end it. */
function started(dir: string, name: string, argv: readonly string[]): () => Promise<void> {
  const out = openSync(join(dir, `${name}.log`), 'a');
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], { stdio: ['ignore', out, out] });
  closeSync(out);
  return () => ended(child);
}

/** Kills it, unless it has ended already, and waits for that. */
export async function ended(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** The server's own, and those of the tokens; answers with the authority's certificate. */
function writeKeys(dir: string): string {
  const signer = authority();
  const server = signer.issue('kube-apiserver', '127.0.0.1');
  const tokens = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const files = {
    'server.crt': server.certificate,
    'server.key': server.key,
    'tokens.key': tokens.privateKey.export({ type: 'sec1', format: 'pem' }),
    'tokens.pub': tokens.publicKey.export({ type: 'spki', format: 'pem' }),
    'known.csv': `${ROOT},root,root,system:masters\n`,
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content, { mode: 0o600 });
  return signer.certificate;
}

function writeKubeconfig(file: string, port: number, certificate: string, token: string): string {
  const authorityData = Buffer.from(certificate).toString('base64');
  const content = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'beside', cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': authorityData } }],
    users: [{ name: 'user', user: { token } }],
    contexts: [{ name: 'beside', context: { cluster: 'beside', user: 'user' } }],
    'current-context': 'beside',
  };
  writeFileSync(file, JSON.stringify(content), { mode: 0o600 });
  return file;
}

function etcdArguments(dir: string, port: number, peer: number): string[] {
  const [clients, peers] = [`http://127.0.0.1:${port}`, `http://127.0.0.1:${peer}`];
  return [
    `--data-dir=${join(dir, 'etcd')}`,
    `--listen-client-urls=${clients}`,
    `--advertise-client-urls=${clients}`,
    `--listen-peer-urls=${peers}`,
    `--initial-advertise-peer-urls=${peers}`,
    `--initial-cluster=default=${peers}`,
    '--log-level=warn',
    '--unsafe-no-fsync',
  ];
}

function apiArguments(dir: string, etcd: number, port: number): string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcd}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${port}`,
    // Nobody looks for it by the Service kubernetes, which may have no loopback address.
    '--endpoint-reconciler-type=none',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--authorization-mode=RBAC',
    `--tls-cert-file=${join(dir, 'server.crt')}`,
    `--tls-private-key-file=${join(dir, 'server.key')}`,
    `--token-auth-file=${join(dir, 'known.csv')}`,
    `--service-account-key-file=${join(dir, 'tokens.pub')}`,
    `--service-account-signing-key-file=${join(dir, 'tokens.key')}`,
    '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
    '--v=1',
  ];
}
