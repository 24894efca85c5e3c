/** What a fault does to a call, apart from how it is answered. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Disturbance } from './calls/call.ts';
import { type Effect, refusalOf } from './faults.ts';
import type { Model } from './model/model.ts';

/** Waits or refuses as the effects want it. @throws Refusal; AbortError when the program stops meanwhile. */
export async function disturbBefore(effects: readonly Effect[], stopping: AbortSignal): Promise<void> {
  for (const effect of effects) {
    if (effect.kind === 'delay') await sleep(effect.ms, undefined, { signal: stopping });
    const refusal = refusalOf(effect);
    if (refusal !== undefined) throw refusal;
  }
}

/** What a changing call is to do otherwise. */
export function disturbanceOf(effects: readonly Effect[]): Disturbance {
  const partial = effects.find((effect) => effect.kind === 'partial');
  return {
    ...(partial === undefined ? {} : { partial: (size: number) => Math.min(partial.keep ?? Math.floor(size / 2), size) }),
    detachStuck: has(effects, 'detachStuck'),
  };
}

/** The state that a reading call answers from: the one of a while ago, or now's. */
export function stateFor(model: Model, effects: readonly Effect[]): Model['state'] {
  const stale = effects.find((effect) => effect.kind === 'staleReads');
  return stale === undefined ? model.state : model.stateBefore(stale.ms);
}

/** Whether one of the effects is of that kind. */
export function has(effects: readonly Effect[], kind: Effect['kind']): boolean {
  return effects.some((effect) => effect.kind === kind);
}
