/** A client that asks a Service over and over, by a new connection each time. What it loses is told with the times of everything that had a part in it. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { eventually } from './eventually.ts';
import type { KubeObject } from './admin.ts';
import { addressesOf, type PodObject } from './checker-views.ts';
import type { Cluster } from './cluster.ts';
import { heard, inPod, manifest, onePod, shellPod } from './life-parts.ts';

/** It asks. Disposing ends it, without a verdict. */
export interface Asking extends AsyncDisposable {
  /** Ends it. @returns all its requests. @throws AssertionError when one of them was not answered: each with its times and its connection, what became of Pods and endpoints around then, and how late kube-proxy was */
  end(): Promise<readonly Request[]>;
}

/** One request; times in seconds. */
export interface Request {
  /** Since 1970. */
  readonly began: number;
  /** What curl ended with: 0 is well, 28 is too late. */
  readonly ended: number;
  /** Until then, from its begin: the name was known, there was a connection, the first byte of the answer came, all of it; 0 where it never came to that. */
  readonly name: number;
  readonly connected: number;
  readonly answered: number;
  readonly total: number;
  readonly port: number;
}

interface Slice extends KubeObject {
  readonly endpoints?: readonly {
    readonly addresses: readonly string[];
    readonly conditions: { readonly ready?: boolean; readonly terminating?: boolean };
  }[];
}

/** So long a request may take: whoever is lost is lost for good by then, after three tries of the resolver, or five of TCP. */
const PATIENCE_s = 30;
/** Around a request that was lost, what happened so long before and after it is told. */
const AROUND_s = 15;
const NAME = 'client';

/** Starts a Pod that asks `http://SERVICE/hostname` of its namespace twenty times a second; it was answered some times when this returns. */
export async function askWithoutEnd(cluster: Cluster, namespace: string, service: string): Promise<Asking> {
  const times = '%{exitcode} %{time_namelookup} %{time_connect} %{time_starttransfer} %{time_total} %{local_port}';
  const ask = `curl -sf -o /dev/null --max-time ${PATIENCE_s} -w '${times}\\n' http://${service}/hostname`;
  // Its shell knows no finer clock.
  const booted = Date.now() / 1000 - Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]);
  const script = `while [ ! -e /tmp/end ]; do read up idle </proc/uptime; echo "$up $(${ask})"; sleep 0.05; done; echo end; sleep 100000`;
  const events = await follow(cluster, namespace, service);
  const said = async (): Promise<string> => await cluster.kubectl('-n', namespace, 'logs', NAME);
  const requests = async (): Promise<Request[]> => requestsIn(await said(), booted);
  await cluster.apply(manifest(onePod(namespace, NAME, shellPod(script, {}, { resources: heard }))));
  await eventually('the client is served', async () => (await requests()).filter(({ ended }) => ended === 0).length > 5, 60);
  const remove = async (): Promise<void> => {
    await events[Symbol.asyncDispose]();
    await cluster.tryKubectl(['-n', namespace, 'delete', 'pod', NAME, '--now']);
  };
  return {
    async end() {
      await inPod(cluster, namespace, NAME, 'touch /tmp/end');
      await eventually('the last request has ended', async () => /^end$/m.test(await said()), 2 * PATIENCE_s);
      const all = await requests();
      const lost = all.filter(({ ended }) => ended !== 0);
      if (lost.length > 0) {
        const why = [
          ...lost.map(requestLine),
          ...(await connectionsOf(cluster, lost)),
          ...around(events.lines, lost),
          ...(await lateness(cluster)),
        ];
        assert.fail(`of ${all.length} requests ${lost.length} were lost\n${why.join('\n')}`);
      }
      return all;
    },
    [Symbol.asyncDispose]: remove,
  };
}

/** One sentence about how long requests took. */
export function slowest(requests: readonly Request[]): string {
  const late = requests.filter(({ total }) => total >= 1);
  const worst = requests.toSorted((a, b) => b.total - a.total)[0];
  return `${requests.length} requests were answered, ${late.length} of them after more than a second; the slowest: ${worst === undefined ? 'none' : requestLine(worst)}`;
}

function requestsIn(log: string, booted: number): Request[] {
  return log
    .trim()
    .split('\n')
    .map((line) => line.split(' ').map(Number))
    .filter((fields) => fields.length === 7)
    .map(([up = 0, ended = 0, name = 0, connected = 0, answered = 0, total = 0, port = 0]) => ({
      began: booted + up,
      ended,
      name,
      connected,
      answered,
      total,
      port,
    }));
}

function requestLine({ began, ended, name, connected, answered, total, port }: Request): string {
  const result = ended === 0 ? 'answered' : `lost (curl ${ended})`;
  return `${clock(began)} request from port ${port} ${result}: name ${name} s, connected ${connected} s, first byte ${answered} s, all ${total} s`;
}

/** Changes of the Service's endpoints and of the namespace's Pods, each when it was heard of. */
async function follow(
  cluster: Cluster,
  namespace: string,
  service: string,
): Promise<AsyncDisposable & { readonly lines: readonly Line[] }> {
  const lines: Line[] = [];
  const told = new Map<string, string>();
  const tell = (who: string, what: string): void => {
    if (told.get(who) !== what) lines.push({ at: Date.now() / 1000, text: `${who} ${what}` });
    told.set(who, what);
  };
  const pods = await cluster.admin.watch<PodObject>(`/api/v1/namespaces/${namespace}/pods`, ({ type, object }) => {
    const { metadata, spec, status } = object;
    const ready = status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true ? 'ready' : 'not ready';
    const state = type === 'DELETED' ? 'is gone' : metadata.deletionTimestamp === undefined ? ready : `ends, ${ready}`;
    tell(`Pod ${metadata.name} on ${spec.nodeName ?? '?'}`, `${addressesOf(object).join(' ')} ${state}`);
  });
  const slices = await cluster.admin.watch<Slice>(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`, ({ object }) => {
    if (object.metadata.labels?.['kubernetes.io/service-name'] !== service) return;
    const state = (object.endpoints ?? []).map(
      ({ addresses, conditions }) =>
        `${addresses[0] ?? ''}${conditions.ready === true ? '' : conditions.terminating === true ? ' (ends)' : ' (not ready)'}`,
    );
    tell(`endpoints ${object.metadata.name}:`, state.toSorted().join(', '));
  });
  return {
    lines,
    async [Symbol.asyncDispose]() {
      await Promise.all([pods[Symbol.asyncDispose](), slices[Symbol.asyncDispose]()]);
    },
  };
}

interface Line {
  readonly at: number;
  readonly text: string;
}

function around(lines: readonly Line[], lost: readonly Request[]): string[] {
  const near = ({ at }: Line): boolean => lost.some(({ began, total }) => at > began - AROUND_s && at < began + total + AROUND_s);
  return lines.filter(near).map(({ at, text }) => `${clock(at)} ${text}`);
}

/** What the nodes' connection tracking has of them: where they were led to, and whether anything came back. */
async function connectionsOf(cluster: Cluster, lost: readonly Request[]): Promise<string[]> {
  const ports = new Set(lost.map(({ port }) => `sport=${port} dport=80`));
  const all = cluster.nodes.map(async (node) => {
    const { stdout } = await node.run(['cat', '/proc/net/nf_conntrack']);
    const lines = stdout.split('\n').filter((line) => [...ports].some((port) => line.includes(`${port} `)));
    return lines.map((line) => `conntrack of ${node.name}: ${line.replaceAll(/ +/g, ' ')}`);
  });
  return (await Promise.all(all)).flat();
}

/** How long kube-proxies took to do what they were told, since they started. */
async function lateness(cluster: Cluster): Promise<string[]> {
  const all = cluster.nodes.map(async (node) => {
    const { stdout } = await node.run(['curl', '-s', '--max-time', '5', 'http://127.0.0.1:10249/metrics']);
    const wanted = /^kubeproxy_(network_programming_duration_seconds|sync_(full|partial)_proxy_rules_duration_seconds)_(bucket|count)/;
    return stdout
      .split('\n')
      .filter((line) => wanted.test(line))
      .map((line) => `kube-proxy of ${node.name}: ${line}`);
  });
  return (await Promise.all(all)).flat();
}

function clock(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(11, 23);
}
