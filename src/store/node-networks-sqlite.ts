/** NodeNetwork objects in the node's own database: for an agent that runs the controller beside itself. */
import type { DatabaseSync } from 'node:sqlite';
import type { NodeNetwork, NodeNetworkSpec, NodeNetworkStatus, NodeNetworks } from './node-network.ts';
import { failure } from '../errors/failure.ts';
import { inTransaction, pathOf } from './sqlite.ts';

const nothing: NodeNetworkStatus = { vpcCidrs: [], nics: [], growth: [] };

/** The objects, with listeners in this process. writeStatus() of a node whose agent never wrote its spec rejects with FP159 nodeUnknown. */
export function nodeNetworksIn(database: DatabaseSync): NodeNetworks {
  const listeners = new Set<(node: NodeNetwork) => void>();
  const one = database.prepare('SELECT * FROM node_networks WHERE name = ?');
  const all = database.prepare('SELECT * FROM node_networks ORDER BY name');
  const writeSpec = database.prepare('INSERT INTO node_networks VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET spec = ?2');
  const writeStatus = database.prepare('UPDATE node_networks SET status = ?2 WHERE name = ?1');
  const get = (name: string): NodeNetwork | undefined => {
    const row = one.get(name);
    return row === undefined ? undefined : nodeOf(row);
  };
  const tell = (name: string): void => {
    setImmediate(() => {
      // The agent may have stopped, and closed the database, since the write.
      const node = database.isOpen ? get(name) : undefined;
      if (node !== undefined) for (const listener of listeners) listener(node);
    });
  };
  return {
    get: (name) => Promise.resolve(get(name)),
    list: () => Promise.resolve(all.all().map(nodeOf)),
    async writeSpec(name, spec) {
      inTransaction(database, () => void writeSpec.run(name, JSON.stringify(spec), JSON.stringify(nothing)));
      tell(name);
    },
    async writeStatus(name, status) {
      inTransaction(database, () => {
        const { changes } = writeStatus.run(name, JSON.stringify(status));
        if (changes === 0) throw failure('nodeUnknown', { name, path: pathOf(database) });
      });
      tell(name);
    },
    watch(changed) {
      listeners.add(changed);
      return () => void listeners.delete(changed);
    },
  };
}

function nodeOf(row: Record<string, unknown>): NodeNetwork {
  // Both halves were written by the functions above, from values of these very types.
  return {
    name: String(row['name']),
    spec: JSON.parse(String(row['spec'])) as NodeNetworkSpec,
    status: JSON.parse(String(row['status'])) as NodeNetworkStatus,
  };
}
