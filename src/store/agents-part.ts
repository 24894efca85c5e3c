/** What a process without an agent must know of the agent's part of state.db: addresses of PodSubnets are in its memory too, so that it alone gives and takes them. */
import type { DatabaseSync } from 'node:sqlite';
import { inTransaction } from './sqlite.ts';

/** Writes down whether this node is one of a cluster, where ranges are shared by nodes. @throws Failure as inTransaction(). */
export function noteCluster(database: DatabaseSync, isMember: boolean): void {
  inTransaction(database, () => database.exec(isMember ? 'INSERT OR IGNORE INTO cluster_member VALUES (1)' : 'DELETE FROM cluster_member'));
}

/** What the last agent wrote down; false before the first one. */
export function isInCluster(database: DatabaseSync): boolean {
  return database.prepare('SELECT 1 FROM cluster_member').get() !== undefined;
}

/** Whether the interface, which another main plugin made, has addresses of a PodSubnet. */
export function hasAgentsLease(
  database: DatabaseSync,
  { container, ifname }: { readonly container: string; readonly ifname: string },
): boolean {
  const found = database.prepare("SELECT 1 FROM attachments WHERE container = ? AND ifname = ? AND interface ->> 'datapath' = 'none'");
  return found.get(container, ifname) !== undefined;
}
