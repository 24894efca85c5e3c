/**
 * Whose turn it is: at most one pass at a time for a node, at most so many at once in all, the node with the largest deficit first, and whatever happens
 * during a pass means one more.
 *
 * Invariants
 * - a wake-up is never lost, and never puts off an earlier one
 * - after `stop` nothing starts
 */
import type { Clock } from '../cloud/clock.ts';
import { line } from './line.ts';

/** Passes to be made. */
export interface Turns {
  /** A pass for the node, at the latest after that long. */
  wake(node: string, delay_ms: number): void;
  /** A pass of its own for the node, as soon as one that is running has ended. */
  now(node: string): Promise<void>;
  /** Resolves when the passes that run have ended. */
  stop(): Promise<void>;
}

interface Turn {
  cancel: (() => void) | undefined;
  due_ms: number;
  running: Promise<void> | undefined;
}

/** What is done in a turn. */
export interface Work {
  /** Answers with when the node is to be looked at again; undefined: never. It does not reject. */
  readonly run: (node: string) => Promise<number | undefined>;
  /** How many Pods of the node wait for an address now. */
  readonly deficit: (node: string) => number;
}

/** `atOnce`: passes that may run at a time. */
export function turns(clock: Clock, atOnce: number, { run, deficit }: Work): Turns {
  const nodes = new Map<string, Turn>();
  const waiting = line();
  let running = 0;
  let stopped = false;

  const turnOf = (node: string): Turn => {
    const known = nodes.get(node) ?? { cancel: undefined, due_ms: Number.POSITIVE_INFINITY, running: undefined };
    nodes.set(node, known);
    return known;
  };

  function wakeAt(node: string, at_ms: number): void {
    const turn = turnOf(node);
    if (stopped || at_ms >= turn.due_ms) return;
    turn.cancel?.();
    turn.due_ms = at_ms;
    // The alarm of a node whose pass runs is set when that ends.
    turn.cancel = turn.running === undefined ? clock.after(Math.max(0, at_ms - clock.now_ms()), () => start(node)) : undefined;
  }

  function start(node: string): void {
    if (stopped) return;
    if (running < atOnce) void begin(node);
    else waiting.put(node, deficit(node));
  }

  function begin(node: string): Promise<void> {
    const turn = turnOf(node);
    if (turn.running !== undefined) return turn.running;
    turn.cancel?.();
    Object.assign(turn, { cancel: undefined, due_ms: Number.POSITIVE_INFINITY });
    running++;
    turn.running = run(node).then((next_ms) => {
      turn.running = undefined;
      running--;
      const due_ms = Math.min(turn.due_ms, next_ms ?? Number.POSITIVE_INFINITY);
      turn.due_ms = Number.POSITIVE_INFINITY;
      if (due_ms === Number.POSITIVE_INFINITY) nodes.delete(node);
      else wakeAt(node, due_ms);
      const next = waiting.next();
      if (next !== undefined) start(next);
    });
    return turn.running;
  }

  return {
    wake(node, delay_ms) {
      // Its place in the line may be another now.
      if (waiting.has(node)) waiting.put(node, deficit(node));
      else wakeAt(node, clock.now_ms() + delay_ms);
    },
    async now(node) {
      for (let pass = nodes.get(node)?.running; pass !== undefined; pass = nodes.get(node)?.running) await pass;
      if (!stopped) await begin(node);
    },
    async stop() {
      stopped = true;
      for (const turn of nodes.values()) turn.cancel?.();
      while (waiting.size > 0) waiting.next();
      await Promise.all([...nodes.values()].flatMap((turn) => turn.running ?? []));
    },
  };
}
