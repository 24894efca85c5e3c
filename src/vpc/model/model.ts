/**
 * The VPC's state in memory and in the database, changed by transactions.
 *
 * Invariants
 * - a transaction is all or nothing: a refusal in the middle leaves memory and database as they were
 * - when a transaction has returned, the database holds it: a process killed afterwards comes back with it
 * - objects are never changed in place, so what a reader holds stays as it was read
 */
import type { Kind, Objects, State } from './objects.ts';

/** One object that a commit wrote or removed. */
export interface Written {
  readonly kind: Kind;
  readonly id: string;
  /** undefined: removed. */
  readonly object: Objects[Kind] | undefined;
}

/** Where commits are kept. `write` is atomic and durable against the death of the process. */
export interface Disk {
  load(): Iterable<{ kind: Kind; object: Objects[Kind] }>;
  write(changes: readonly Written[]): void;
  close(): void;
}

/** The inside of a transaction: reads see what it has written so far. */
export interface Transaction {
  readonly state: State;
  readonly now_ms: number;
  put<K extends Kind>(kind: K, object: Objects[K]): void;
  remove(kind: Kind, id: string): void;
}

interface Undo {
  readonly kind: Kind;
  readonly id: string;
  readonly before: Objects[Kind] | undefined;
  readonly at_ms: number;
}

/** How much of the past can be asked for: both limits hold. */
const PAST_ms = 600_000;
const PAST_CHANGES = 20_000;

/** The state in memory and on disk; they change together, by transactions. */
export class Model {
  readonly state: State;
  private readonly disk: Disk;
  private readonly now: () => number;
  /** Oldest first: how to get from now to before. */
  private past: Undo[] = [];

  /** Reads everything. `now` in milliseconds since the epoch. */
  constructor(disk: Disk, now: () => number) {
    this.disk = disk;
    this.now = now;
    this.state = emptyState();
    for (const { kind, object } of disk.load()) mapOf(this.state, kind).set(object.id, object);
  }

  /** Runs `change`; what it throws undoes everything it wrote. @throws whatever it throws, or the disk. */
  transaction<T>(change: (transaction: Transaction) => T): T {
    const undo: Undo[] = [];
    const now_ms = this.now();
    const set = (kind: Kind, id: string, object: Objects[Kind] | undefined): void => {
      const map = mapOf(this.state, kind);
      undo.push({ kind, id, before: map.get(id), at_ms: now_ms });
      if (object === undefined) map.delete(id);
      else map.set(id, object);
    };
    try {
      const result = change({
        state: this.state,
        now_ms,
        put: (kind, object) => set(kind, object.id, object),
        remove: (kind, id) => set(kind, id, undefined),
      });
      if (undo.length > 0) this.disk.write(lastWrites(undo, this.state));
      this.remember(undo);
      return result;
    } catch (error) {
      takeBack(undo, this.state);
      throw error;
    }
  }

  /** A copy of the state as it was that long ago, as far as it is remembered (ten minutes). */
  stateBefore(age_ms: number): State {
    const then = this.now() - age_ms;
    const copy = emptyState();
    for (const kind of kinds) for (const [id, object] of this.state[kind]) mapOf(copy, kind).set(id, object);
    takeBack(
      this.past.filter(({ at_ms }) => at_ms > then),
      copy,
    );
    return copy;
  }

  close(): void {
    this.disk.close();
  }

  private remember(undo: readonly Undo[]): void {
    this.past.push(...undo);
    const oldest = this.now() - PAST_ms;
    const keep = this.past.findIndex(({ at_ms }) => at_ms >= oldest);
    this.past = this.past.slice(Math.max(keep, this.past.length - PAST_CHANGES, 0));
  }
}

const kinds: readonly Kind[] = ['network', 'subnet', 'type', 'instance', 'nic', 'group', 'public', 'token', 'note'];

function emptyState(): State {
  return {
    network: new Map(),
    subnet: new Map(),
    type: new Map(),
    instance: new Map(),
    nic: new Map(),
    group: new Map(),
    public: new Map(),
    token: new Map(),
    note: new Map(),
  };
}

/** The model alone may write to the maps; put() has checked that kind and object belong together. */
function mapOf(state: State, kind: Kind): Map<string, Objects[Kind]> {
  return state[kind] as Map<string, Objects[Kind]>;
}

function takeBack(undo: readonly Undo[], state: State): void {
  for (const { kind, id, before } of undo.toReversed()) {
    if (before === undefined) mapOf(state, kind).delete(id);
    else mapOf(state, kind).set(id, before);
  }
}

/** Each object once, as it is at the end. */
function lastWrites(undo: readonly Undo[], state: State): Written[] {
  const written = new Map(undo.map(({ kind, id }) => [`${kind} ${id}`, { kind, id, object: state[kind].get(id) }]));
  return [...written.values()];
}
