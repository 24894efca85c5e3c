/** Flatpod's processes on the nodes of a cluster, to be killed and stopped; and who leads. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { eventually } from './eventually.ts';
import type { KubeObject } from './admin.ts';
import type { PodObject } from './checker-views.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterNode } from './node.ts';

/** A controller that leads. */
export interface Leader {
  /** As it stands in the Lease. */
  readonly identity: string;
  readonly node: ClusterNode;
  /** As this process sees it. */
  readonly pid: number;
}

interface LeaseObject extends KubeObject {
  readonly spec: { readonly holderIdentity?: string };
}

/** The process of the agent or controller on a node. @throws AssertionError when there is none, or several. */
export function processOn(node: ClusterNode, what: 'agent' | 'controller'): number {
  const network = statSync(node.netns).ino;
  const found = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && isProcess(name, what) && networkOf(name) === network);
  assert.equal(found.length, 1, `${found.length} processes of the ${what} on ${node.name}`);
  return Number(found[0]);
}

/** Who leads now, as the Lease says. @throws when nobody does, or it is gone. */
export async function leaderOf(cluster: Cluster): Promise<Leader> {
  const identity = await holderOf(cluster);
  const pods = await cluster.admin.list<PodObject>('/api/v1/namespaces/kube-system/pods');
  const pod = pods.find(({ metadata }) => identity.startsWith(`${metadata.name}_`));
  const node = cluster.nodes.find(({ name }) => name === pod?.spec.nodeName);
  assert.ok(node, `${identity} runs on a node`);
  return { identity, node, pid: processOn(node, 'controller') };
}

/** Waits until another one leads; how long it took, in seconds. */
export async function untilAnotherLeads(cluster: Cluster, than: Leader): Promise<number> {
  const began = performance.now();
  await eventually('another one leads', async () => ![than.identity, ''].includes(await holderOf(cluster)), 60);
  return (performance.now() - began) / 1000;
}

async function holderOf(cluster: Cluster): Promise<string> {
  const path = '/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/flatpod-controller';
  return (await cluster.admin.ask<LeaseObject>('GET', path)).spec.holderIdentity ?? '';
}

function isProcess(pid: string, what: string): boolean {
  const words = commandOf(pid);
  return words.includes(what) && words.some((word) => word.startsWith('--config=/etc/flatpod/'));
}

function commandOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // it ended
  }
}

function networkOf(pid: string): number | undefined {
  try {
    return statSync(`/proc/${pid}/ns/net`).ino;
  } catch {
    return undefined; // it ended, which is not always told as no entry
  }
}
