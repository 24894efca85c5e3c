/**
 * What must not meet in a vxnet: an address that is being taken over is free for a moment, and a NIC that is made then may be given it.
 *
 * Invariants
 * - those of one kind are in the vxnet together, those of the other wait until all are out
 * - first come, first served: nobody waits for one who came later
 * - who waits leaves when its time is over, and has sent nothing
 */
import type { Clock } from '../clock.ts';
import type { SubnetId } from '../cloud.ts';
import { type Asked, refuse } from '../wire/asked.ts';
import type { Patience } from './patience.ts';

/** Taking over addresses, or making a NIC. */
export type Turn = 'takeOver' | 'make';

/** The turns of one driver. */
export interface Turns {
  /** Resolves when no turn of the other kind is under way in the vxnet; dispose of the answer when this one is over. @throws Failure cloudUnavailable when the time is over before. */
  take(vxnet: SubnetId, turn: Turn, asked: Asked, patience: Patience): Promise<Disposable>;
}

interface Waiting {
  readonly turn: Turn;
  readonly enter: () => void;
}

interface Line {
  turn: Turn;
  inside: number;
  waiting: Waiting[];
}

/** Nobody is anywhere. */
export function noTurns(clock: Clock): Turns {
  const lines = new Map<SubnetId, Line>();

  /** Lets in whoever is first, and those of its kind behind it. A vxnet that nobody is in takes no memory. */
  function admit(vxnet: SubnetId, line: Line): void {
    for (let [first] = line.waiting; first !== undefined && (line.inside === 0 || first.turn === line.turn); [first] = line.waiting) {
      line.waiting.shift();
      line.turn = first.turn;
      line.inside++;
      first.enter();
    }
    if (line.inside === 0) lines.delete(vxnet);
  }

  return {
    async take(vxnet, turn, asked, patience) {
      const line = lines.get(vxnet) ?? { turn, inside: 0, waiting: [] };
      lines.set(vxnet, line);
      const { promise, resolve: enter, reject } = Promise.withResolvers<void>();
      const own = { turn, enter };
      line.waiting.push(own);
      const cancel = clock.after(patience.left_ms(), () => {
        if (!line.waiting.includes(own)) return;
        line.waiting = line.waiting.filter((one) => one !== own);
        admit(vxnet, line);
        const text =
          turn === 'make' ? 'addresses of the vxnet were being taken over all the time' : 'NICs were being made in the vxnet all the time';
        reject(refuse.unavailable(asked, text));
      });
      admit(vxnet, line);
      try {
        await promise;
      } finally {
        cancel();
      }
      return {
        [Symbol.dispose]() {
          line.inside--;
          admit(vxnet, line);
        },
      };
    },
  };
}
