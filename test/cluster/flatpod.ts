/** Flatpod on a cluster, as its users install it: the image on every node, the Helm chart by helm. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { chart, helmProgram, type Values } from '../../scripts/helm.ts';
import { eventually } from './eventually.ts';
import type { KubeObject } from './admin.ts';
import type { Cluster } from './cluster.ts';

const root = resolve(import.meta.dirname, '../..');
const NAMESPACE = 'kube-system';

/** How it is installed. */
export interface FlatpodOptions {
  /** Specs of PodSubnets by name; the default one is `pods`, in the VPC's subnet of that name, if there is a VPC. */
  readonly subnets?: Readonly<Record<string, object>>;
  /** Over the test's own values, one level deep. */
  readonly values?: Values;
  /** How many nodes have an agent; all unless told otherwise. */
  readonly agents?: number;
}

interface NodeNetworkObject extends KubeObject {
  readonly status?: { readonly subnets?: readonly { readonly name: string }[] };
}

interface Rollout extends KubeObject {
  readonly metadata: KubeObject['metadata'] & { readonly generation: number };
  readonly status: Readonly<
    Partial<
      Record<'observedGeneration' | 'updatedNumberScheduled' | 'numberReady' | 'replicas' | 'updatedReplicas' | 'readyReplicas', number>
    >
  >;
}

/** Builds the image and installs the chart; every node is ready when this returns. */
export async function installFlatpod(cluster: Cluster, options: FlatpodOptions = {}): Promise<void> {
  const tar = join(cluster.dir, 'flatpod-image.tar');
  if (!existsSync(tar)) {
    execFileSync(process.execPath, [join(root, 'scripts/image.ts'), tar], { stdio: ['ignore', 'ignore', 'inherit'] });
    await cluster.importImage(tar);
  }
  const { subnets = {}, values = {}, agents } = options;
  await upgradeFlatpod(cluster, values);
  // The chart leaves PodSubnets out while the API server does not know the kind.
  const pods = cluster.isOnBridge ? {} : { pods: { cloudSubnet: cluster.vpc.lab.subnets.get('pods')?.id, default: true } };
  // helm waits for no CRD, and the API server takes objects of a kind some time after the kind.
  await eventually('the API server takes PodSubnets', () => applySubnets(cluster, { ...pods, ...subnets }), 60);
  for (const node of cluster.nodes) await node.untilReady(cluster.admin, 90);
  await untilRolledOut(cluster, 60, agents);
}

/** helm upgrade --install with those values over the test's own. */
export async function upgradeFlatpod(cluster: Cluster, values: Values = {}): Promise<void> {
  const own: Values = {
    cluster: cluster.name,
    cloud: cluster.isOnBridge ? { type: 'none' } : { type: 'vpc', endpoint: cluster.vpc.endpoint },
    agent: { serviceCidrs: ['10.96.0.0/16'], chain: ['portmap'], config: { cooldown_s: 5 }, maxUnavailable: '100%' },
    apiServer: { host: cluster.apiAddress, port: 6443 },
  };
  const file = join(cluster.dir, 'values.json');
  writeFileSync(file, JSON.stringify({ ...own, ...values }));
  const command = [helmProgram(), 'upgrade', '--install', 'flatpod', chart, '--namespace', NAMESPACE, '--values', file];
  const env = { HOME: cluster.dir, KUBECONFIG: cluster.kubeconfig };
  const { status, stdout, stderr } = await cluster.control.run(command, { env, limit_s: 120 });
  if (status !== 0) throw new Error(`helm: ${stderr}${stdout}`);
}

/** Makes PodSubnets those of the specs, by name. */
export async function applySubnets(cluster: Cluster, specs: Readonly<Record<string, object>>): Promise<void> {
  const objects = Object.entries(specs).map(([name, spec]) => ({
    apiVersion: 'flatpod.dev/v1alpha1',
    kind: 'PodSubnet',
    metadata: { name },
    spec,
  }));
  await cluster.apply(objects.map((one) => `---\n${JSON.stringify(one)}\n`).join(''));
}

/** Waits until the controller has told every node of the PodSubnet, or those named and no others: a Pod that is made earlier gets an address of what its node knew before. */
export async function untilNodesKnow(
  cluster: Cluster,
  subnet: string,
  nodes: readonly string[] = cluster.nodes.map(({ name }) => name),
): Promise<void> {
  await eventually(
    `${nodes.join(' and ')} know PodSubnet ${subnet}`,
    async () => {
      const networks = await cluster.admin.list<NodeNetworkObject>('/apis/flatpod.dev/v1alpha1/nodenetworks');
      const told = networks.filter(({ status }) => status?.subnets?.some(({ name }) => name === subnet) === true);
      assert.deepEqual(
        told.map(({ metadata }) => metadata.name).toSorted(),
        nodes.toSorted(),
        JSON.stringify(networks.map(({ status }) => status?.subnets)),
      );
    },
    60,
  );
}

/** Waits until all agents, so many of them, and controllers are ready, and of the newest template: numbers from before a change say nothing. */
export async function untilRolledOut(cluster: Cluster, limit_s = 60, count = cluster.nodes.length): Promise<void> {
  await eventually(
    'agents and controllers are ready',
    async () => {
      const apps = `/apis/apps/v1/namespaces/${NAMESPACE}`;
      const agents = await cluster.admin.ask<Rollout>('GET', `${apps}/daemonsets/flatpod-agent`);
      const controllers = await cluster.admin.ask<Rollout>('GET', `${apps}/deployments/flatpod-controller`);
      if ([agents, controllers].some(({ metadata, status }) => status.observedGeneration !== metadata.generation)) return false;
      const { replicas, updatedReplicas, readyReplicas } = controllers.status;
      return (
        agents.status.numberReady === count &&
        agents.status.updatedNumberScheduled === count &&
        [replicas, updatedReplicas, readyReplicas].every((number) => number === 2)
      );
    },
    limit_s,
  );
}
