/**
 * One node's NodeNetwork in the Kubernetes API, with a copy in the node's database: what was granted is known also while the API server is away, and after
 * a restart without it.
 *
 * Invariants
 * - the copy changes only when the controller has spoken: an object that was lost and made anew takes nothing from the node
 * - an object made anew hears again what the agent said, and what the first NIC was granted before: nobody else would know
 */
import { asFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import type { Cidr } from '../../net/cidr.ts';
import type { NodeNetworkSpec, NodeNetworks } from '../node-network.ts';
import { resources } from './resources.ts';
import { readNodeNetwork, type StoredNodeNetwork } from './stored-node-network.ts';

/** The node's object. */
export interface MirroredNodeNetwork extends NodeNetworks {
  /** Milliseconds since the API server was last heard of; 0 while it is followed; undefined before it was reached. */
  stale_ms(): number | undefined;
  /** Follows nothing any more. */
  stop(): void;
}

/** Starts following NodeNetwork `name`; `copy` is where its copy lives. */
export function mirroredNodeNetwork(api: KubeApi, copy: NodeNetworks, name: string, log: Log): MirroredNodeNetwork {
  let said: NodeNetworkSpec | undefined;
  const cache = watchObjects(
    api,
    { at: resources.nodeNetworks, fieldSelector: `metadata.name=${name}`, parse: readNodeNetwork },
    {
      log,
      changed: (change) => {
        if (change.kind === 'gone') return;
        take(change.object).catch((error: unknown) => log.error(`NodeNetwork ${name} was not taken over: ${sentence(asFailure(error))}`));
      },
    },
  );

  async function take(object: StoredNodeNetwork): Promise<void> {
    if (object.spec === undefined && said !== undefined) await patch(said);
    if (object.status === undefined) return;
    if ((await copy.get(name)) === undefined) await copy.writeSpec(name, said ?? unsaid);
    await copy.writeStatus(name, object.status);
  }

  async function patch(spec: NodeNetworkSpec): Promise<void> {
    const { instance: _, unplugged, draining, claims, ...rest } = spec;
    const remembered = await blocksToRemember();
    // In a merge patch, null takes away what an earlier one gave.
    const body = { spec: { ...rest, unplugged: unplugged ?? null, draining: draining ?? null, claims: claims ?? null, remembered } };
    await api.patch({ ...resources.nodeNetworks, name }, { kind: 'merge', body }, readNodeNetwork);
  }

  /** As long as no status of the object was seen, what the last one granted on the NIC that the controller shares with others. */
  async function blocksToRemember(): Promise<readonly Cidr[] | null> {
    // One that was not seen yet may be a new one; where it is not, its status goes before what is remembered.
    if (cache.get(name)?.status !== undefined) return null;
    const granted = (await copy.get(name))?.status.nics ?? [];
    return granted.filter(({ deviceIndex }) => deviceIndex === 0).flatMap(({ blocks }) => blocks);
  }

  return {
    get: (node) => copy.get(node),
    list: () => copy.list(),
    async writeSpec(node, spec) {
      said = spec;
      await copy.writeSpec(node, spec);
      await patch(spec);
    },
    writeStatus: (node, status) => copy.writeStatus(node, status),
    watch: (changed) => copy.watch(changed),
    stale_ms: () => cache.stale_ms(),
    stop: () => cache.stop(),
  };
}

const unsaid: NodeNetworkSpec = { instance: '' as NodeNetworkSpec['instance'], demand: [], returned: [] };
