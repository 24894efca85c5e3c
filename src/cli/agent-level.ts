/** How much the agent logs: what the controller says of the node goes before the agent's own configuration, from the moment it is said. */
import type { Level, Log } from '../log.ts';
import type { NodeNetwork, NodeNetworks } from '../store/node-network.ts';

/** Calls `heed` with what was said last, also before an earlier end, and then with each change; undefined: nothing is said. Returns the way to stop. */
export async function followLevel(
  store: Pick<NodeNetworks, 'get' | 'watch'>,
  name: string,
  log: Log,
  heed: (level: Level | undefined) => void,
): Promise<() => void> {
  let told: Level | undefined;
  const take = (node: NodeNetwork): void => {
    const level = node.status.settings?.log;
    if (node.name !== name || level === told) return;
    const note = level === undefined ? 'logs what its own configuration says' : `logs ${level} and what is worse, as the controller says`;
    // Before, or nobody would see it where less is logged from now on.
    log.info(note);
    told = level;
    heed(level);
  };
  const stop = store.watch(take);
  const known = await store.get(name);
  if (known !== undefined) take(known);
  return stop;
}
