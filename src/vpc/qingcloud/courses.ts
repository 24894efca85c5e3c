/** How long jobs take and how they end: drawn from a seed, or as faults want it. */
import type { Disturbance } from '../calls/call.ts';
import { type OwnEffect, outcomeOf } from './faults.ts';
import type { Course } from './jobs.ts';

/** A detachment that a fault holds back ends no sooner. */
const STUCK_ms = 600_000;

/** Draws a course for each job. */
export class Courses {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  /** The next job's. `[from, to]`: how long jobs take; `size`: how many resources it has. */
  next([from, to]: readonly [number, number], own: readonly OwnEffect[], { partial, detachStuck }: Disturbance, size: number): Course {
    const drawn_ms = from + this.random() * Math.max(0, to - from);
    const takes = own.find((effect) => effect.kind === 'jobTakes');
    const asked = outcomeOf(own);
    const { outcome, keep } = partial === undefined ? asked : { outcome: 'done with failure' as const, keep: partial(size) };
    return {
      duration_ms: detachStuck === true ? STUCK_ms : (takes?.ms ?? drawn_ms),
      outcome,
      keep,
      hidden: own.some(({ kind }) => kind === 'jobVanishes'),
    };
  }

  /** Between 0 and 1: a step of a linear congruential generator (Numerical Recipes' constants), whose high bits are good enough for durations. */
  private random(): number {
    this.state = (Math.imul(this.state, 1_664_525) + 1_013_904_223) >>> 0;
    return this.state / 4_294_967_296;
  }
}
