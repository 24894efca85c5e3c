/** Reads that many may share: who asks while one is under way gets the answer of the next, which began after it was asked for. */
import type { Patience } from './patience.ts';

/** Calls `read` for the key, one at a time. `whole`: the time of a read, whoever waits for it. */
export function sharedReads<K, T>(read: (key: K, patience: Patience) => Promise<T>, whole: () => Patience): (key: K) => Promise<T> {
  const running = new Map<K, Promise<unknown>>();
  const next = new Map<K, Promise<T>>();

  function begin(key: K): Promise<T> {
    next.delete(key);
    const reading = read(key, whole());
    const over = reading.then(
      () => undefined,
      () => undefined,
    );
    const done = over.then(() => {
      if (running.get(key) === done) running.delete(key);
    });
    running.set(key, done);
    return reading;
  }

  return (key) => {
    const waits = next.get(key);
    if (waits !== undefined) return waits;
    const before = running.get(key);
    const coming = before === undefined ? Promise.resolve().then(() => begin(key)) : before.then(() => begin(key));
    next.set(key, coming);
    return coming;
  };
}
