/** What happened, newest last: calls and their outcome, packets the fabric dropped, what the fabric did. In memory, bounded. */
import type { Reason } from './model/refusal.ts';

const MOST_EVENTS = 10_000;
const MOST_WAITING = 64;

/** Something that happened. */
export interface VpcEvent {
  readonly number: number;
  readonly at_ms: number;
  readonly kind: 'call' | 'drop' | 'fabric';
  /** One sentence for a person. */
  readonly text: string;
  readonly call?: string;
  /** 0: the connection was closed instead of an answer. */
  readonly status?: number;
  readonly reason?: Reason;
  readonly duration_ms?: number;
  readonly fault?: string;
}

/** The newest events, and those who wait for more. */
export class Events {
  private readonly kept: VpcEvent[] = [];
  private readonly waiting = new Set<() => void>();
  private last = 0;
  closed = false;

  add(event: Omit<VpcEvent, 'number' | 'at_ms'>): void {
    this.kept.push({ number: ++this.last, at_ms: Date.now(), ...event });
    if (this.kept.length > MOST_EVENTS) this.kept.splice(0, this.kept.length - MOST_EVENTS);
    this.wakeAll();
  }

  /** At most `limit` events after that number, oldest first. */
  after(number: number, limit: number): VpcEvent[] {
    const first = this.kept[0]?.number ?? 0;
    return this.kept.slice(Math.max(0, number - first + 1)).slice(0, limit);
  }

  /** Resolves at the next event, after `timeout_ms`, or at once when too many wait already. */
  async next(timeout_ms: number): Promise<void> {
    if (this.closed || this.waiting.size >= MOST_WAITING) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeout_ms);
      this.waiting.add(wake);
    });
  }

  /** Ends all waits, now and from now on. */
  close(): void {
    this.closed = true;
    this.wakeAll();
  }

  private wakeAll(): void {
    for (const wake of this.waiting) wake();
  }
}
