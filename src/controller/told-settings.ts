/** What nodes are told beside their own configuration. */
import type { NodeNetworkStatus } from '../store/node-network.ts';
import type { World } from './world.ts';

/**
 * The part of a node's next status. While nobody knows what is to be told (whoever leads has only begun, or finds mistakes in it) it is what the node was told
 * before.
 */
export function toldSettings({ nodeSettings }: World, { settings }: NodeNetworkStatus): Pick<NodeNetworkStatus, 'settings'> {
  const now = nodeSettings() ?? settings;
  return now === undefined || Object.keys(now).length === 0 ? {} : { settings: now };
}
