/**
 * Which node has which addresses of ranges: in memory, and written down before anybody hears of it.
 *
 * Invariants
 * - a change counts when the store has taken it, and it takes it only over what we knew: whoever was overtaken gives nothing away
 * - one write at a time for a slice; what is asked meanwhile goes into the next one together
 * - what is taken back is so only from the state that the caller knew: an old leader's late word frees nothing that was given anew
 * - after an answer that never came, a slice is read again before it is changed or believed
 * - no answer to a read takes the place of what was written or read after that read was asked for
 * - what somebody deleted in the store is not free: it is written down again as we knew it
 */
import { asFailure, failure, sentence } from '../../errors/failure.ts';
import type { Cidr } from '../../net/cidr.ts';
import type { LedgerStore, StoredSlice } from './ledger-store.ts';
import { type Holder, Slice } from './slice.ts';
import { unitAt } from './units.ts';

/** Another's write came between so often: it is no accident. */
const MOST_TRIES = 8;
/** Changes of a slice that wait at a time. */
const LONGEST_QUEUE = 10_000;

/** A change: looks at the slice as it is then, and changes it or throws; it may be asked again over another state. */
export type Edit<T> = (slice: Slice) => T;

interface Entry {
  slice: Slice;
  version: string | undefined;
  /** Nobody knows whether the last write was done. */
  isUnsure: boolean;
  /** How often it was read as another than we had written or read before. */
  surprises: number;
  readonly waiting: Waiting[];
  isBusy: boolean;
}

/** When a change holds. */
export interface ChangeOptions {
  /** Only over the state that is known now: with another one it rejects as cloudConflict, and is to be thought over. */
  readonly onlyAsKnown?: boolean;
}

interface Waiting {
  readonly edit: Edit<unknown>;
  /** The `surprises` that were known when it was asked for; undefined: they do not matter. */
  readonly after: number | undefined;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (why: unknown) => void;
}

/** See the head of this file. */
export class Ledger {
  readonly #store: LedgerStore;
  readonly #entries = new Map<Cidr, Entry>();
  /** node → PodSubnet → slice → places in it. */
  readonly #byNode = new Map<string, Map<string, Map<Cidr, readonly number[]>>>();
  readonly #holders = new Map<string, Map<string, number>>();
  readonly #listeners = new Set<(slice: Slice) => void>();

  private constructor(store: LedgerStore) {
    this.#store = store;
  }

  /** Reads all there is. @throws Failure of the store */
  static async open(store: LedgerStore): Promise<Ledger> {
    const ledger = new Ledger(store);
    for (const one of await store.list()) ledger.#take(one);
    return ledger;
  }

  /** What that node has of each PodSubnet, unit by unit. */
  ofNode(node: string): ReadonlyMap<string, readonly Cidr[]> {
    const units = ([slice, places]: readonly [Cidr, readonly number[]]): Cidr[] => places.map((place) => unitAt(slice, place));
    return new Map([...(this.#byNode.get(node) ?? [])].map(([podSubnet, slices]) => [podSubnet, [...slices].flatMap(units)]));
  }

  /** All nodes that have something. */
  nodes(): string[] {
    return [...this.#byNode.keys()];
  }

  /** Nodes that have something of that PodSubnet, with how many units. */
  holders(podSubnet: string): ReadonlyMap<string, number> {
    return this.#holders.get(podSubnet) ?? new Map<string, number>();
  }

  /** The slice as it is known; undefined: nothing of it is anybody's. */
  slice(cidr: Cidr): Slice | undefined {
    return this.#entries.get(cidr)?.slice;
  }

  /** Calls back after each change that counts. Returns the way to stop. */
  watch(changed: (slice: Slice) => void): () => void {
    this.#listeners.add(changed);
    return () => void this.#listeners.delete(changed);
  }

  /** Makes the change. @throws what the edit throws, and Failure cloudUnavailable: then nobody knows whether it was made; cloudConflict. */
  change<T>(cidr: Cidr, edit: Edit<T>, { onlyAsKnown = false }: ChangeOptions = {}): Promise<T> {
    const entry = this.#entryOf(cidr);
    if (entry.waiting.length >= LONGEST_QUEUE)
      return Promise.reject(failure('cloudThrottled', { cloud: 'range', call: 'change', text: `${LONGEST_QUEUE} changes wait already` }));
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // What the edit answers is what is resolved with.
    entry.waiting.push({ edit, after: onlyAsKnown ? entry.surprises : undefined, resolve: resolve as (answer: unknown) => void, reject });
    if (!entry.isBusy) void this.#work(cidr, entry);
    return promise;
  }

  /** Reads all anew. @throws Failure cloudUnavailable */
  async refresh(): Promise<void> {
    const before = new Map([...this.#entries].map(([cidr, { version }]) => [cidr, version]));
    try {
      for (const one of await this.#store.list()) {
        const { isBusy, version } = this.#entryOf(one.slice);
        // What was written while the list was under way may be newer than the list.
        if (!isBusy && version === before.get(one.slice)) this.#take(one);
      }
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** Reads again what nobody is sure of. @throws Failure cloudUnavailable */
  async settle(): Promise<void> {
    // In the queue of changes, or one that comes meanwhile might be written before an older answer arrives.
    for (const [cidr, entry] of this.#entries) if (entry.isUnsure && !entry.isBusy) await this.change(cidr, () => undefined);
  }

  async #work(cidr: Cidr, entry: Entry): Promise<void> {
    entry.isBusy = true;
    // So that what is asked in the same turn goes together.
    await Promise.resolve();
    while (entry.waiting.length > 0) await this.#write(cidr, entry, entry.waiting.splice(0));
    entry.isBusy = false;
  }

  async #write(cidr: Cidr, entry: Entry, batch: readonly Waiting[]): Promise<void> {
    try {
      if (entry.isUnsure) await this.#reread(cidr, entry);
      for (let tries = 0; tries < MOST_TRIES; tries++) {
        const draft = entry.slice.copy();
        const outcomes = batch.map(({ edit, after }) => tried((after ?? entry.surprises) === entry.surprises ? edit : refuse, draft));
        const isSame = draft.isSame(entry.slice);
        if (!isSame) {
          entry.isUnsure = true;
          const version = await this.#store.write(cidr, entry.version, draft.shares());
          if (version === undefined) {
            await this.#reread(cidr, entry);
            continue;
          }
          Object.assign(entry, { version, isUnsure: false });
          this.#replace(entry, draft);
        }
        for (const [i, outcome] of outcomes.entries()) {
          if ('answer' in outcome) batch[i]?.resolve(outcome.answer);
          else batch[i]?.reject(outcome.error);
        }
        return;
      }
      throw failure('cloudConflict', { cloud: 'range', call: 'change', object: `slice ${cidr}`, text: 'others change it all the time' });
    } catch (error) {
      const failed = unavailable(error);
      for (const { reject } of batch) reject(failed);
    }
  }

  async #reread(cidr: Cidr, entry: Entry): Promise<void> {
    try {
      const found = await this.#store.read(cidr);
      if (found?.version !== entry.version) entry.surprises++;
      Object.assign(entry, { version: found?.version, isUnsure: false });
      if (found !== undefined) this.#replace(entry, Slice.from(cidr, found.shares));
    } catch (error) {
      throw unavailable(error);
    }
  }

  #entryOf(cidr: Cidr): Entry {
    const known = this.#entries.get(cidr) ?? {
      slice: new Slice(cidr),
      version: undefined,
      isUnsure: false,
      surprises: 0,
      waiting: [],
      isBusy: false,
    };
    this.#entries.set(cidr, known);
    return known;
  }

  #take({ slice: cidr, version, shares }: StoredSlice): void {
    const entry = this.#entryOf(cidr);
    if (version === entry.version) return;
    entry.surprises++;
    entry.version = version;
    entry.isUnsure = false;
    this.#replace(entry, Slice.from(cidr, shares));
  }

  #replace(entry: Entry, slice: Slice): void {
    for (const { holder, places } of entry.slice.places()) this.#count(holder, slice.cidr, [], -places.length);
    for (const { holder, places } of slice.places()) this.#count(holder, slice.cidr, places, places.length);
    entry.slice = slice;
    for (const listener of this.#listeners) listener(slice);
  }

  #count({ node, podSubnet }: Holder, slice: Cidr, places: readonly number[], more: number): void {
    const ofNode = upsert(this.#byNode, node, () => new Map<string, Map<Cidr, readonly number[]>>());
    const slices = upsert(ofNode, podSubnet, () => new Map<Cidr, readonly number[]>());
    const holders = upsert(this.#holders, podSubnet, () => new Map<string, number>());
    const count = (holders.get(node) ?? 0) + more;
    if (places.length > 0) slices.set(slice, places);
    else slices.delete(slice);
    if (slices.size === 0) ofNode.delete(podSubnet);
    if (ofNode.size === 0) this.#byNode.delete(node);
    if (count > 0) holders.set(node, count);
    else holders.delete(node);
  }
}

function upsert<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key) ?? make();
  map.set(key, known);
  return known;
}

function refuse(slice: Slice): never {
  throw failure('cloudConflict', { cloud: 'range', call: 'change', object: `slice ${slice.cidr}`, text: 'somebody else has changed it' });
}

type Outcome = { readonly answer: unknown } | { readonly error: unknown };

function tried(edit: Edit<unknown>, draft: Slice): Outcome {
  try {
    return { answer: edit(draft) };
  } catch (error) {
    return { error };
  }
}

/** What the store's failure means to whoever asked. */
function unavailable(error: unknown): unknown {
  const failed = asFailure(error);
  if (failed.kind.startsWith('cloud')) return failed;
  return failure('cloudUnavailable', { cloud: 'range', call: 'the ledger', endpoint: 'its store', text: sentence(failed) }, error);
}
