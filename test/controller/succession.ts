/** Leaders that follow each other: they end, or stop in the middle of what they do and wake up too late. */
import type { VirtualClock } from '../cloud/virtual-clock.ts';

/** One that leads. `pause` stops it; what it returns lets it go on. */
export interface Leader {
  readonly end: () => void;
  readonly pause: () => () => void;
}

export interface Succession {
  /** A leader with the next term. The one before ends, or is left where it hangs. */
  readonly lead: () => Promise<void>;
  /** The one that leads stops in the middle of what it does, and another leads. */
  readonly pauseAndLead: () => Promise<void>;
  /** Those that were paused go on, and end a moment later. */
  readonly wakeUp: () => Promise<void>;
  /** All of them. */
  readonly end: () => void;
}

export function succession(clock: VirtualClock, begin: (term: number) => Promise<Leader>): Succession {
  let leader: Leader | undefined;
  let term = 0;
  const sleepers: { readonly wake: () => void; readonly end: () => void }[] = [];
  const lead = async (): Promise<void> => {
    leader?.end();
    leader = await begin(++term);
  };
  return {
    lead,
    async pauseAndLead() {
      if (leader !== undefined) sleepers.push({ wake: leader.pause(), end: leader.end });
      leader = undefined;
      await lead();
    },
    async wakeUp() {
      const awake = sleepers.splice(0);
      for (const { wake } of awake) wake();
      await clock.advance(100);
      for (const sleeper of awake) sleeper.end();
    },
    end() {
      leader?.end();
      for (const sleeper of sleepers) sleeper.end();
    },
  };
}
