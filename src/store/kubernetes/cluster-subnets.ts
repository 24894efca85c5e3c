/** The PodSubnets of a cluster, kept up to date. */
import * as z from 'zod';
import type { KubeApi } from '../../kube/api.ts';
import { watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import { matches } from '../label-selector.ts';
import { type PodSubnet, podSubnet } from '../pod-subnet.ts';
import { tolerant } from '../tolerant.ts';
import { resources } from './resources.ts';

/** PodSubnets there are. */
export interface ClusterSubnets {
  /** All of them, by name. */
  list(): PodSubnet[];
  /** Those that a node with these labels may use. */
  forNode(labels: Readonly<Record<string, string>>): PodSubnet[];
  /** Resolves when all there are have been read. */
  readonly synced: Promise<void>;
  /** Follows nothing any more. */
  stop(): void;
}

/** Starts following; `changed` is called after each change of a spec. */
export function clusterSubnets(api: KubeApi, log: Log, changed: () => void): ClusterSubnets {
  const cache = watchObjects(
    api,
    { at: resources.podSubnets, parse: readPodSubnet },
    {
      log,
      changed(change) {
        const [before, after] = [change.before, change.kind === 'set' ? change.object : undefined];
        if (JSON.stringify(before) !== JSON.stringify(after)) changed();
      },
    },
  );
  const list = (): PodSubnet[] => cache.list().toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name));
  return {
    list,
    forNode: (labels) => list().filter(({ spec: { nodeSelector } }) => nodeSelector === undefined || matches(nodeSelector, labels)),
    synced: cache.synced,
    stop: () => cache.stop(),
  };
}

const envelope = z.object({ apiVersion: z.unknown(), kind: z.unknown(), metadata: z.object({ name: z.unknown() }), spec: z.unknown() });

/** Fields of a newer Flatpod are left out, not refused. */
const tolerated = tolerant(podSubnet);

/** @throws ZodError */
function readPodSubnet(value: unknown): PodSubnet {
  const { apiVersion, kind, metadata, spec } = envelope.parse(value);
  return tolerated.parse({ apiVersion, kind, metadata, spec });
}
