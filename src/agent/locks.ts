/**
 * One verb at a time for one attachment; different attachments run side by side.
 *
 * Invariants: first come, first served; a key nobody holds or waits for takes no memory; at most `LIMIT` wait for one key.
 */
import { failure } from '../errors/failure.ts';

const LIMIT = 32;

/** See the head of this file. */
export class Locks {
  private readonly queues = new Map<string, (() => void)[]>();

  /** Resolves when the key is ours; disposing hands it on. @throws Failure tooManyAtOnce when too many wait already. */
  async take(key: string): Promise<Disposable> {
    const queue = this.queues.get(key);
    if (queue === undefined) this.queues.set(key, []);
    else {
      if (queue.length >= LIMIT) throw failure('tooManyAtOnce', { object: key, limit: LIMIT });
      await new Promise<void>((resolve) => queue.push(resolve));
    }
    return { [Symbol.dispose]: () => this.release(key) };
  }

  /** Whether a verb is at work on the key. */
  held(key: string): boolean {
    return this.queues.has(key);
  }

  private release(key: string): void {
    const next = this.queues.get(key)?.shift();
    if (next === undefined) this.queues.delete(key);
    else next();
  }
}
