/** Whether a node stands alone, with a cloud of its own, or belongs to a cluster, whose controller has the cloud. One of them, wholly. */
import type { Clash } from './cross-checks.ts';
import type { NodeConfig } from './node-config.ts';

/** How the node gets its addresses. */
export type NodeMode =
  /** `instance` is empty where there is no cloud. */
  | { readonly kind: 'standalone'; readonly instance: string; readonly cloud: NonNullable<NodeConfig['spec']['cloud']> }
  | { readonly kind: 'cluster'; readonly cluster: NonNullable<NodeConfig['spec']['cluster']> };

/** undefined: neither, or both; {@link checkMode} says which. */
export function modeOf({ instance, cloud, cluster }: NodeConfig['spec']): NodeMode | undefined {
  if (cluster !== undefined) return instance === undefined && cloud === undefined ? { kind: 'cluster', cluster } : undefined;
  if (cloud?.type === 'none') return instance === undefined ? { kind: 'standalone', instance: '', cloud } : undefined;
  return instance === undefined || cloud === undefined ? undefined : { kind: 'standalone', instance, cloud };
}

/** Fields that are missing, or that do not go with `cluster`. */
export function checkMode(config: NodeConfig): Clash<NodeConfig>[] {
  const { instance, cloud, cluster } = config.spec;
  const wrong = (key: string, what: string, remedy: string): Clash<NodeConfig> => ({ object: config, path: ['spec', key], what, remedy });
  const given = Object.entries({ instance, cloud });
  if (cluster !== undefined) {
    const both = given.filter(([, value]) => value !== undefined);
    return both.map(([key]) =>
      wrong(key, 'does not go with cluster', "remove it: in a cluster the controller knows the cloud, and the node's instance"),
    );
  }
  if (cloud?.type === 'none') return instance === undefined ? [] : [wrong('instance', 'does not go with cloud type none', 'remove it')];
  const missing = given.filter(([, value]) => value === undefined);
  return missing.map(([key]) => wrong(key, 'is missing', 'a standalone node needs it; a node of a cluster has spec.cluster instead'));
}
