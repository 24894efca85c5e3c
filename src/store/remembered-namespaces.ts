/**
 * What namespaces said when they were last read, in the node's own database: Pods that start while the API server is away get addresses of the subnets that
 * are theirs.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { ClusterNamespace } from './kubernetes/core-objects.ts';
import { inTransaction } from './sqlite.ts';

/** More than have Pods on one node; those read longest ago go first. */
const LIMIT = 2000;
/** An answer that is the same is written again when it is so old, so that what is in use is not the oldest. */
const WRITTEN_AGAIN_ms = 24 * 3_600_000;

/** See the head of this file. */
export interface RememberedNamespaces {
  /** As it was last read; undefined: never, or there was none of that name. */
  get(name: string): ClusterNamespace | undefined;
  /** Writes only what is another by now. @throws Failure store* */
  set(namespace: ClusterNamespace): void;
  /** There is none of that name. @throws Failure store* */
  forget(name: string): void;
}

/** Those in this database; `limit` is for tests. */
export function rememberedNamespaces(database: DatabaseSync, limit = LIMIT): RememberedNamespaces {
  const one = database.prepare('SELECT said, read_ms FROM namespaces WHERE name = ?');
  const put = database.prepare('INSERT INTO namespaces VALUES (?1, ?2, ?3) ON CONFLICT (name) DO UPDATE SET said = ?2, read_ms = ?3');
  const remove = database.prepare('DELETE FROM namespaces WHERE name = ?');
  const trim = database.prepare(
    'DELETE FROM namespaces WHERE name IN (SELECT name FROM namespaces ORDER BY read_ms DESC, name LIMIT -1 OFFSET ?)',
  );
  return {
    get(name) {
      const row = one.get(name);
      // Written by set() alone.
      return row === undefined ? undefined : (JSON.parse(String(row['said'])) as ClusterNamespace);
    },
    set(namespace) {
      const [row, said, now_ms] = [one.get(namespace.name), JSON.stringify(namespace), Date.now()];
      if (row?.['said'] === said && Math.abs(now_ms - Number(row['read_ms'])) < WRITTEN_AGAIN_ms) return;
      inTransaction(database, () => {
        put.run(namespace.name, said, now_ms);
        if (row === undefined) trim.run(limit);
      });
    },
    forget(name) {
      if (one.get(name) !== undefined) inTransaction(database, () => void remove.run(name));
    },
  };
}
