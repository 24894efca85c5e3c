/**
 * What plugins that are chained behind another one made: an interface beside a container's main interface, and what its plan is made from.
 *
 * Invariants
 * - read from the database each time, never from memory: agent and one-shot processes work on it at the same time
 * - changes of the records, and what must be chosen or removed together with them, are made one at a time on the whole node
 */
import type { DatabaseSync } from 'node:sqlite';
import { failure } from '../errors/failure.ts';
import { inTransaction, pathOf } from './sqlite.ts';

/** Being made, made, being taken away. */
export type ChainedState = 'coming' | 'there' | 'going';

/** A chained plugin's interface. `I` is stored as JSON. */
export interface ChainedLink<I> {
  readonly container: string;
  /** The container's main interface. */
  readonly ifname: string;
  /** Name of the interface beside it. */
  readonly name: string;
  /** Name of the CNI network, for GC. */
  readonly network: string;
  /** Only one that is `there` is looked after: another process may be at work on the others. */
  readonly state: ChainedState;
  readonly created_ms: number;
  /** What of the configuration matters later: the record is made from it again when the host changes. */
  readonly interface: I;
}

/** See the head of this file. */
export interface ChainedLinks<I> {
  /** Names of those beside one main interface that were made before that time, readable or not. */
  names(container: string, ifname: string, before_ms?: number): string[];
  /** Those beside one main interface. @throws Failure helperUnreadable. */
  of(container: string, ifname: string): ChainedLink<I>[];
  /** @throws Failure helperUnreadable. */
  list(): ChainedLink<I>[];
  /**
   * Runs `change` while nobody else on the node changes records; what it throws undoes what it did to them.
   * @throws Failure as inTransaction().
   */
  change(change: (records: ChangeableLinks<I>) => void): void;
}

/** Within one change. */
export interface ChangeableLinks<I> {
  /** @throws Failure helperUnreadable. */
  list(): ChainedLink<I>[];
  /** How many there are, readable or not. */
  count(): number;
  /** Adds the record; replaces one of the same container, main interface and name. */
  put(link: ChainedLink<I>): void;
  /** Notes how it stands; succeeds when it is not there. */
  mark(link: Pick<ChainedLink<I>, 'container' | 'ifname' | 'name'>, state: ChainedState): void;
  /** Succeeds when it is not there. */
  remove(link: Pick<ChainedLink<I>, 'container' | 'ifname' | 'name'>): void;
}

/** Records of one plugin. `read` checks the stored JSON. */
export function openChained<I>(database: DatabaseSync, plugin: string, read: (json: unknown) => I): ChainedLinks<I> {
  const [all, some, put, mark, remove] = [
    database.prepare('SELECT * FROM chained WHERE plugin = ?'),
    database.prepare('SELECT * FROM chained WHERE plugin = ? AND container = ? AND ifname = ?'),
    database.prepare('INSERT OR REPLACE INTO chained VALUES (?, ?, ?, ?, ?, ?, ?, ?)'),
    database.prepare('UPDATE chained SET state = ? WHERE plugin = ? AND container = ? AND ifname = ? AND name = ?'),
    database.prepare('DELETE FROM chained WHERE plugin = ? AND container = ? AND ifname = ? AND name = ?'),
  ];
  const linkOf = (row: Record<string, unknown>): ChainedLink<I> => linkIn(row, read, pathOf(database));
  const list = (): ChainedLink<I>[] => all.all(plugin).map(linkOf);
  return {
    names: (container, ifname, before_ms = Infinity) =>
      some
        .all(plugin, container, ifname)
        .filter((row) => Number(row['created_ms']) < before_ms)
        .map((row) => String(row['name'])),
    of: (container, ifname) => some.all(plugin, container, ifname).map(linkOf),
    list,
    change(change) {
      inTransaction(database, () => {
        change({
          list,
          count: () => all.all(plugin).length,
          put(link) {
            put.run(
              plugin,
              link.container,
              link.ifname,
              link.name,
              link.network,
              link.state,
              link.created_ms,
              JSON.stringify(link.interface),
            );
          },
          mark({ container, ifname, name }, state) {
            mark.run(state, plugin, container, ifname, name);
          },
          remove({ container, ifname, name }) {
            remove.run(plugin, container, ifname, name);
          },
        });
      });
    },
  };
}

function linkIn<I>(row: Record<string, unknown>, read: (json: unknown) => I, path: string): ChainedLink<I> {
  const text = (column: string): string => String(row[column]);
  const [container, ifname, name, network] = [text('container'), text('ifname'), text('name'), text('network')];
  try {
    return {
      container,
      ifname,
      name,
      network,
      state: stateIn(text('state')),
      created_ms: Number(row['created_ms']),
      interface: read(JSON.parse(text('interface'))),
    };
  } catch (cause) {
    const facts = { path, attachment: `${container}/${ifname}`, text: cause instanceof Error ? cause.message : String(cause) };
    throw failure('helperUnreadable', facts, cause);
  }
}

function stateIn(text: string): ChainedState {
  if (text === 'coming' || text === 'there' || text === 'going') return text;
  throw new RangeError(`state is ${JSON.stringify(text)}`);
}
