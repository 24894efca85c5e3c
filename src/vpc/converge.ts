/** Bringing the fabric up to the state: one run at a time, and whoever asks during a run waits for the next, which serves all of them. */
import type { Log } from '../log.ts';
import { sentence, asFailure } from '../errors/failure.ts';
import type { Events } from './events.ts';
import type { Fabric } from './fabric/fabric.ts';
import type { State } from './model/objects.ts';

/** Brings the fabric to the state, one run at a time. */
export interface Converger {
  /** Resolves when the fabric shows the state as it was at the call, or newer. @throws Failure vpcFabric. */
  readonly converge: () => Promise<void>;
  /** Resolves when no run is under way. */
  readonly settled: () => Promise<void>;
}

/** The converger of that fabric and state; what fails becomes an event and a line of the log. */
export function converger(fabric: Fabric, state: State, events: Events, log: Log): Converger {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const run = async (): Promise<void> => {
    try {
      await fabric.sync(state);
    } catch (error) {
      const failed = asFailure(error);
      log.error(sentence(failed), { code: failed.code });
      events.add({ kind: 'fabric', text: sentence(failed) });
      throw error;
    }
  };
  const start = (): Promise<void> => {
    const started = run().finally(() => {
      if (running === started) running = undefined;
    });
    running = started;
    return started;
  };
  const converge = (): Promise<void> => {
    if (running === undefined) return start();
    next ??= running
      .catch(() => {}) // whoever asked for that run hears of its failure; this one is another
      .then(() => {
        next = undefined;
        return start();
      });
    return next;
  };
  const settled = async (): Promise<void> => {
    // The failure of a run was told to whoever asked for it.
    await running?.catch(() => {});
    await next?.catch(() => {});
  };
  return { converge, settled };
}
