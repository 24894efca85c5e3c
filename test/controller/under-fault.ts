/** A controller of which one call meets a fault; when it dies of that, another one starts. */
import type { Controller } from '../../src/controller/controller.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import type { Fault } from '../cloud/memory-cloud.ts';
import type { Bench } from './harness.ts';

/** Every fault that a call can meet. */
export const faults: readonly Fault[] = ['loseRequest', 'loseAnswer', 'dieBefore', 'dieAfter'];

export interface UnderFault {
  /** Lets so much time pass, and checks every five seconds. */
  readonly live: (ms: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Starts it. `at`: the number of the call; -1 for none. */
export async function underFault(
  b: Bench,
  { at, fault }: { readonly at: number; readonly fault: Fault },
  subnets: () => readonly PodSubnet[],
  check: () => void,
): Promise<UnderFault> {
  const { clock, cloud } = b;
  let dead = false;
  cloud.fault = ({ number }) => {
    if (number !== at) return 'none';
    dead = fault === 'dieBefore' || fault === 'dieAfter';
    return fault;
  };
  let running: Controller = await b.controller({ subnets });
  return {
    async live(ms) {
      for (let passed = 0; passed < ms; passed += 5000) {
        await clock.advance(5000);
        if (dead) {
          // It hangs in its call for ever: nobody can tell that from a process that is gone.
          dead = false;
          running = await b.controller({ subnets });
        }
        check();
      }
    },
    stop: () => running.stop(),
  };
}
