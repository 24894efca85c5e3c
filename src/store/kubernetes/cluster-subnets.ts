/** The PodSubnets of a cluster, kept up to date, and the only way to change their status. */
import * as z from 'zod';
import { failure } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import { addressedOtherwise } from '../addressing.ts';
import { type Labels, matches } from '../label-selector.ts';
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
  /** Those that the node may use. */
  forNode(node: Marks): PodSubnet[];
  /** Replaces those fields of the status, over the version that `get` answers with. @throws Failure kubeConflict, kubeNotFound and the like */
  writeStatus(name: string, fields: Partial<PodSubnetStatus>): Promise<void>;
  /** Resolves when all there are have been read. */
  readonly synced: Promise<void>;
  /** Follows nothing any more. */
  stop(): void;
}

/** Who is told of changes. */
export interface SubnetsHeed {
  /** Of a spec. */
  readonly changed: (name: string) => void;
  /** Of the blocks that the cloud tells. */
  readonly blocksChanged: () => void;
}

/** Starts following. */
export function clusterSubnets(api: KubeApi, log: Log, { changed, blocksChanged }: SubnetsHeed): ClusterSubnets {
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
        if (blocksIn(before) !== blocksIn(after)) blocksChanged();
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
    forNode: (node) => list().flatMap(({ subnet }) => (servesNode(subnet, node) ? subnet : [])),
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

function blocksIn(stored: StoredPodSubnet | undefined): string {
  return JSON.stringify([stored?.status.cidrs, stored?.status.cloudSubnets]);
}

/** Why a PodSubnet gives nothing more, for the sake of one that was made before it. */
export interface SubnetClash {
  readonly reason: 'BlocksOverlap' | 'AddressingDiffers';
  readonly text: string;
  readonly remedy: string;
}

/** undefined: it is in nobody's way. */
export function clashAmong(subnet: PodSubnet, all: readonly StoredPodSubnet[]): SubnetClash | undefined {
  const inOrder = inOrderOfMaking(all);
  const at = inOrder.findIndex(({ metadata }) => metadata.name === subnet.metadata.name);
  const earlier = inOrder.slice(0, Math.max(at, 0));
  const found = new Map(all.map((one) => [one.subnet.metadata.name, one.status.cloudSubnets]));
  const taken = takenBefore(subnet, earlier, found);
  if (taken !== undefined) return { reason: 'BlocksOverlap', text: taken, remedy: 'give each block to one PodSubnet' };
  const text = addressedOtherwise(subnet, earlier);
  return text === undefined ? undefined : { reason: 'AddressingDiffers', text, remedy: 'write the same spec.addressing in both' };
}

/** Those first that were made first. */
export function inOrderOfMaking(all: readonly StoredPodSubnet[]): PodSubnet[] {
  const before = (one: string, other: string): number => (one < other ? -1 : Number(one > other));
  return all
    .toSorted((a, b) => before(a.created, b.created) || before(a.subnet.metadata.name, b.subnet.metadata.name))
    .map(({ subnet }) => subnet);
}

/** What PodSubnets select nodes by. */
export interface Marks {
  readonly labels: Labels;
  readonly annotations: Labels;
}

/** Whether the node may use it. */
export function servesNode({ spec }: PodSubnet, { labels, annotations }: Marks): boolean {
  const { nodeSelector, nodeAnnotationSelector } = spec;
  return (
    (nodeSelector === undefined || matches(nodeSelector, labels)) &&
    (nodeAnnotationSelector === undefined || matches(nodeAnnotationSelector, annotations))
  );
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
