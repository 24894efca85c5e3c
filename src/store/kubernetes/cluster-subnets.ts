/** The PodSubnets of a cluster, kept up to date, and the only way to change their status. */
import * as z from 'zod';
import { failure } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import { matches } from '../label-selector.ts';
import { type PodSubnet, podSubnet, type PodSubnetStatus, podSubnetStatus } from '../pod-subnet.ts';
import { takenBefore } from '../within.ts';
import { isBehind } from './own-write.ts';
import { resources } from './resources.ts';

/** One as it was read. */
export interface StoredPodSubnet {
  readonly subnet: PodSubnet;
  readonly status: PodSubnetStatus;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  /** When it was made: RFC 3339, by which it sorts. */
  readonly created: string;
}

/** PodSubnets there are. */
export interface ClusterSubnets {
  /** All of them, by name. */
  list(): StoredPodSubnet[];
  get(name: string): StoredPodSubnet | undefined;
  /** Those that a node with these labels may use. */
  forNode(labels: Readonly<Record<string, string>>): PodSubnet[];
  /** Replaces those fields of the status, over the version that `get` answers with. @throws Failure kubeConflict, kubeNotFound and the like */
  writeStatus(name: string, fields: Partial<PodSubnetStatus>): Promise<void>;
  /** Resolves when all there are have been read. */
  readonly synced: Promise<void>;
  /** Follows nothing any more. */
  stop(): void;
}

/** Starts following; `changed` is called after each change of a spec. */
export function clusterSubnets(api: KubeApi, log: Log, changed: (name: string) => void): ClusterSubnets {
  /** Our last writes that the watch has not shown yet. */
  const written = new Map<string, StoredPodSubnet>();
  const cache = watchObjects(
    api,
    { at: resources.podSubnets, parse: readPodSubnet },
    {
      log,
      changed(change) {
        const [before, after] = [change.before, change.kind === 'set' ? change.object : undefined];
        if (JSON.stringify(before?.subnet) !== JSON.stringify(after?.subnet)) changed(change.key);
      },
    },
  );
  const get = (name: string): StoredPodSubnet | undefined => {
    const [ours, watched] = [written.get(name), cache.get(name)];
    // Resource versions of one resource may be compared as numbers (KEP-5504).
    if (ours !== undefined && watched !== undefined && isBehind(watched, ours)) return ours;
    written.delete(name);
    return watched;
  };
  const list = (): StoredPodSubnet[] =>
    cache
      .list()
      .flatMap(({ subnet }) => get(subnet.metadata.name) ?? [])
      .toSorted((a, b) => a.subnet.metadata.name.localeCompare(b.subnet.metadata.name));
  return {
    list,
    get,
    forNode: (labels) => list().flatMap(({ subnet }) => (servesNode(subnet, labels) ? subnet : [])),
    async writeStatus(name, fields) {
      const found = get(name);
      if (found === undefined) throw failure('kubeNotFound', { object: `podsubnets.flatpod.dev ${name}`, text: 'it is not followed' });
      const { uid, resourceVersion } = found;
      const body = { metadata: { uid, resourceVersion }, status: fields };
      written.set(name, await api.patch({ ...resources.podSubnets, name, subresource: 'status' }, { kind: 'merge', body }, readPodSubnet));
    },
    synced: cache.synced,
    stop: () => cache.stop(),
  };
}

/** Which of its blocks a PodSubnet that was made before it has too, in a sentence; undefined: none. */
export function clashAmong(subnet: PodSubnet, all: readonly StoredPodSubnet[]): string | undefined {
  const own = all.find((one) => one.subnet.metadata.name === subnet.metadata.name);
  if (own === undefined) return undefined;
  const isEarlier = ({ created, subnet: { metadata } }: StoredPodSubnet): boolean =>
    created < own.created || (created === own.created && metadata.name < subnet.metadata.name);
  return takenBefore(
    subnet,
    all.filter(isEarlier).map((one) => one.subnet),
  );
}

/** Whether a node with these labels may use it. */
export function servesNode({ spec: { nodeSelector } }: PodSubnet, labels: Readonly<Record<string, string>>): boolean {
  return nodeSelector === undefined || matches(nodeSelector, labels);
}

const envelope = z.object({
  apiVersion: z.unknown(),
  kind: z.unknown(),
  metadata: z.object({
    name: z.unknown(),
    uid: z.string(),
    resourceVersion: z.string(),
    generation: z.int().default(0),
    creationTimestamp: z.string().default(''),
  }),
  spec: z.unknown(),
  status: podSubnetStatus.prefault({}),
});

/** @throws ZodError */
function readPodSubnet(value: unknown): StoredPodSubnet {
  const { apiVersion, kind, metadata, spec, status } = envelope.parse(value);
  const { uid, resourceVersion, generation, name, creationTimestamp: created } = metadata;
  return { subnet: podSubnet.parse({ apiVersion, kind, metadata: { name }, spec }), status, uid, resourceVersion, generation, created };
}
