/** Namespaces, manifests and waits that tests of Pods' lives share. */
import { execFile } from 'node:child_process';
import { basename } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { machineOf } from '../../src/cli/demo/lab.ts';
import { eventually } from './eventually.ts';
import { nameOf, type PodObject } from './checker-views.ts';
import type { Cluster } from './cluster.ts';
import { images } from './images.ts';

/** What tests have no use for, and a Pod starts sooner without. */
export const plainPod = { automountServiceAccountToken: false, enableServiceLinks: false } as const;

/** Makes a namespace, which goes after the test with everything in it; the next one does not wait for that. */
export async function namespaceFor(t: TestContext, cluster: Cluster, name: string): Promise<void> {
  await cluster.kubectl('create', 'namespace', name);
  t.after(() => cluster.tryKubectl(['delete', 'namespace', name, '--wait=false']));
  await eventually('its service account is there', () => cluster.kubectl('-n', name, 'get', 'serviceaccount', 'default'), 30);
}

/** Objects as one manifest, for apply(). */
export function manifest(...objects: readonly object[]): string {
  return objects.map((object) => `---\n${JSON.stringify(object)}\n`).join('');
}

/** Of Pods that somebody waits for an answer of: those that ask for nothing get no processor while others want it. */
export const heard = { requests: { cpu: '10m' } } as const;

/** spec of a Pod that answers HTTP on port 8080: /hostname, /clientip. What `more` gives comes on top. */
export function webPod(more: object = {}, container: object = {}): object {
  const probe = { httpGet: { path: '/hostname', port: 8080 }, periodSeconds: 1, timeoutSeconds: 5 };
  const args = ['netexec', '--http-port=8080', '--udp-port=-1'];
  const web = { name: 'web', image: images.agnhost, args, readinessProbe: probe, resources: heard };
  return { ...plainPod, terminationGracePeriodSeconds: 1, ...more, containers: [{ ...web, ...container }] };
}

/** spec of a Pod that does nothing but run the shell's words. */
export function shellPod(script: string, more: object = {}, container: object = {}): object {
  const containers = [{ name: 'c', image: images.agnhost, command: ['sh', '-c', script], ...container }];
  return { ...plainPod, terminationGracePeriodSeconds: 1, ...more, containers };
}

/** A Deployment, DaemonSet or StatefulSet whose Pods have the label `app` with its name. */
export function workload(
  kind: 'Deployment' | 'DaemonSet' | 'StatefulSet',
  namespace: string,
  name: string,
  pod: object,
  more: object = {},
): object {
  const labels = { app: name };
  const spec = { selector: { matchLabels: labels }, template: { metadata: { labels }, spec: pod }, ...more };
  return { apiVersion: 'apps/v1', kind, metadata: { namespace, name }, spec };
}

/** A Job. */
export function job(namespace: string, name: string, pod: object, completions: number, parallelism: number): object {
  const template = { metadata: { labels: { app: name } }, spec: { restartPolicy: 'Never', ...pod } };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { namespace, name },
    spec: { completions, parallelism, backoffLimit: 20, template },
  };
}

/** A Pod by itself, labelled like a workload of its name. */
export function onePod(namespace: string, name: string, spec: object): object {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name, labels: { app: name } }, spec };
}

/** A Service of the Pods labelled so. */
export function service(namespace: string, name: string, spec: object): object {
  return { apiVersion: 'v1', kind: 'Service', metadata: { namespace, name }, spec };
}

/** Pods of a namespace; with `app`, those labelled so. */
export async function podsIn(cluster: Cluster, namespace: string, app?: string): Promise<PodObject[]> {
  const pods = await cluster.admin.list<PodObject>(`/api/v1/namespaces/${namespace}/pods`);
  return pods.filter(({ metadata }) => app === undefined || metadata.labels?.['app'] === app);
}

/** Waits until so many Pods of the app are ready, and no others of it are there. */
export async function untilReady(cluster: Cluster, namespace: string, app: string, count: number, limit_s = 90): Promise<PodObject[]> {
  return await eventually(
    `${count} Pods of ${namespace}/${app} are ready`,
    async () => {
      const pods = await podsIn(cluster, namespace, app);
      const others = pods.filter((pod) => !isReady(pod));
      if (pods.length === count && others.length === 0) return pods;
      throw new Error(`${pods.length} of ${count} Pods of ${app}, not ready: ${others.map(nameOf).join(' ')}`);
    },
    limit_s,
  );
}

function isReady({ status, metadata }: PodObject): boolean {
  return (
    metadata.deletionTimestamp === undefined && (status.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') ?? false)
  );
}

/** Runs the shell's words in a Pod; what it said. @throws Error */
export async function inPod(cluster: Cluster, namespace: string, pod: string, script: string): Promise<string> {
  return (await cluster.kubectl('-n', namespace, 'exec', pod, '--', 'sh', '-c', script)).trim();
}

/** What each of the URLs answers a Pod, in their order, asked by one program in it; '' where nobody does. */
export async function answersIn(cluster: Cluster, namespace: string, pod: string, urls: readonly string[]): Promise<string[]> {
  const script = urls.map((url) => `echo "$(curl -s --max-time 20 '${url}')"`).join('; ');
  return (await cluster.kubectl('-n', namespace, 'exec', pod, '--', 'sh', '-c', script)).split('\n').slice(0, urls.length);
}

/** What a URL answers the machine outside of the cluster. @throws Error when nobody answers in time: shorter for who is to be refused. */
export async function outside(cluster: Cluster, url: string, limit_s = 20): Promise<string> {
  const { netns } = cluster.isOnBridge ? cluster.host('desk') : machineOf(cluster.vpc.lab, 'outside');
  const { stdout } = await promisify(execFile)('ip', ['netns', 'exec', basename(netns), 'curl', '-s', '--max-time', String(limit_s), url]);
  return stdout.trim();
}

/** Of `HOST:PORT`. */
export function hostIn(text: string): string {
  return text.replace(/:\d+$/, '');
}
