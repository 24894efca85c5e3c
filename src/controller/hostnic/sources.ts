/** The objects that hostnic is configured with, followed. */
import * as z from 'zod';
import { isFailure, asFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { type ObjectCache, watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import { CNI_CONFIG, IPAM_CONFIG, type SettingsObject } from './settings.ts';

/** By name; hostnic itself looks for no others. */
const configMaps = [IPAM_CONFIG, CNI_CONFIG, 'clusterconfig'];
const kinds = [
  ['VxNetPool', resources.vxNetPools],
  ['IPPool', resources.ipPools],
  ['IPAMBlock', resources.ipamBlocks],
] as const;

/** All of them. */
export interface Sources {
  /** undefined: not all has been read yet. */
  objects(): SettingsObject[] | undefined;
  /** Resolves when all has been read, or when it was stopped. Never rejects. */
  readonly synced: Promise<void>;
  stop(): void;
}

/** Starts following; `changed` is called after each change. Kinds that the API server does not know now are taken to have no objects. */
export async function followSources(api: KubeApi, namespace: string, log: Log, changed: () => void): Promise<Sources> {
  const caches: ObjectCache<SettingsObject>[] = configMaps.map((name) =>
    watchObjects(
      api,
      { at: { ...resources.configMaps, namespace }, parse: parseAs('v1', 'ConfigMap'), fieldSelector: `metadata.name=${name}` },
      { log, changed },
    ),
  );
  for (const [kind, at] of kinds) {
    const parse = parseAs(`${at.group}/${at.version}`, kind);
    if (await isKnown(api, at, log)) caches.push(watchObjects(api, { at, parse }, { log, changed }));
  }
  return {
    objects: () => (caches.some((cache) => cache.stale_ms() === undefined) ? undefined : caches.flatMap((cache) => cache.list())),
    synced: Promise.all(caches.map((cache) => cache.synced)).then(() => undefined),
    stop: () => caches.forEach((cache) => cache.stop()),
  };
}

/** False only when the API server says so; whatever else is wrong, the watch tells. */
async function isKnown(api: KubeApi, at: (typeof kinds)[number][1], log: Log): Promise<boolean> {
  try {
    await api.list(at, () => undefined);
    return true;
  } catch (error) {
    if (!isFailure(error, 'kubeNoSuchResource')) return true;
    log.warn(`${at.resource}.${at.group} are not followed until the controller starts anew: ${sentence(asFailure(error))}`);
    return false;
  }
}

const object = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string().optional(),
    uid: z.string(),
    resourceVersion: z.string(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  // What is in it is for whoever reads the settings: an object that is left out would be taken for one that is not there.
  data: z.unknown().optional(),
  spec: z.unknown().optional(),
  status: z.unknown().optional(),
});

/** Members of a list come without a kind of their own. */
function parseAs(apiVersion: string, kind: string): (value: unknown) => SettingsObject {
  return (value) => ({ apiVersion, kind, ...object.parse(value) });
}
