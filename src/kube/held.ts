/** Objects in memory, and the difference that each word of the server makes. */
import type { Log } from '../log.ts';
import { complaintOf, type Identity, identityOf } from './answers.ts';
import type { Parse } from './asked.ts';
import { type Collection, nameOf } from './paths.ts';

/** One change, told once. `key` is `namespace/name`, or the name where there are no namespaces. */
export type Change<T> =
  | { readonly kind: 'set'; readonly key: string; readonly object: T; readonly before: T | undefined }
  | { readonly kind: 'gone'; readonly key: string; readonly before: T };

/** One object as it is held. */
interface Held<T> extends Identity {
  readonly object: T;
}

/** What is held and how it changes. */
export interface Holding<T> {
  readonly get: (key: string) => T | undefined;
  readonly list: () => T[];
  /** One event of a watch. */
  readonly take: (event: { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: unknown }) => void;
  /** These are all there are: what is held besides has gone. */
  readonly replace: (values: readonly unknown[]) => void;
}

/** Holds nothing yet. `push` is called at once for each change. */
export function holding<T>(at: Collection, parse: Parse<T>, log: Log, push: (change: Change<T>) => void): Holding<T> {
  const objects = new Map<string, Held<T>>();
  /** What was said of those that cannot be parsed, by key. */
  const bad = new Map<string, string>();
  const drop = (key: string): void => {
    const before = objects.get(key);
    bad.delete(key);
    if (!objects.delete(key) || before === undefined) return;
    push({ kind: 'gone', key, before: before.object });
  };
  const put = (id: Identity, value: unknown): void => {
    const { key, uid, resourceVersion } = id;
    if (objects.has(key) && objects.get(key)?.uid !== uid) drop(key);
    const before = objects.get(key);
    if (before?.resourceVersion === resourceVersion) return;
    try {
      const object = parse(value);
      objects.set(key, { key, uid, resourceVersion, object });
      bad.delete(key);
      push({ kind: 'set', key, object, before: before?.object });
    } catch (error) {
      const complaint = complaintOf(error);
      if (bad.get(key) === complaint) return;
      bad.set(key, complaint);
      log.warn(`${nameOf(at)} ${key} cannot be read and is ${before === undefined ? 'left out' : 'taken as it was before'}: ${complaint}`);
    }
  };
  const identified = (value: unknown): Identity | undefined => {
    const id = identityOf(value);
    if (id === undefined) log.warn(`the API server sent one of ${nameOf(at)} without name, uid or version`);
    return id;
  };
  return {
    get: (key) => objects.get(key)?.object,
    list: () => [...objects.values()].map(({ object }) => object),
    take({ type, object }) {
      const id = identified(object);
      if (id === undefined) return;
      if (type === 'DELETED') drop(id.key);
      else put(id, object);
    },
    replace(values) {
      const ids = values.map((value) => ({ value, id: identified(value) }));
      const there = new Set(ids.map(({ id }) => id?.key));
      for (const key of [...objects.keys(), ...bad.keys()]) if (!there.has(key)) drop(key);
      for (const { value, id } of ids) if (id !== undefined) put(id, value);
    },
  };
}
