/**
 * Moves that the cloud has accepted: NICs on their way into instances and out of them.
 *
 * Invariants
 * - a move is over for the caller when its job has ended well, or when the time is over: lists show it as under way then
 * - a move that failed when nobody waited for it any more is told to the next who asks for one of that NIC
 */
import type { CloudNic, InstanceId, NicId } from '../cloud.ts';
import type { Failure } from '../../errors/failure.ts';
import type { NicRecord } from './answers.ts';
import type { Api, ApiCall } from './call.ts';
import type { JobEnd, Jobs } from './jobs.ts';
import type { Patience } from './patience.ts';
import { endedBadly } from './reserve.ts';

/** Where to or from. */
export interface Move {
  readonly instance: InstanceId;
  readonly place: number;
  readonly state: 'attaching' | 'detaching';
}

/** The moves under way of one driver. */
export interface Tracked {
  /** Waits as long as may be. @throws Failure cloudConflict, cloudUnavailable when it ended badly meanwhile */
  follow(call: ApiCall, job: string, nic: NicId, move: Move, patience: Patience): Promise<void>;
  /** @throws what became of the last move, when that failed and nobody was told. */
  tell(nic: NicId): void;
  /** As far as this driver knows. */
  moveOf(nic: NicId): Move | undefined;
  /** Where a NIC is or is going to. */
  attachmentOf(nic: NicRecord): CloudNic['attachment'];
}

/** Failures that nobody has asked about. */
const MOST_TOLD = 1000;

/** None under way. */
export function noMoves(api: Api, jobs: Jobs): Tracked {
  const moving = new Map<NicId, Move & { readonly job: string }>();
  const untold = new Map<NicId, Failure>();

  function settle(call: ApiCall, job: string, nic: NicId, end: JobEnd): void {
    if (moving.get(nic)?.job === job) moving.delete(nic);
    if (end === 'successful') return;
    untold.set(nic, endedBadly(api, call, job, end));
    const [oldest] = untold.keys();
    if (untold.size > MOST_TOLD && oldest !== undefined) untold.delete(oldest);
  }
  function tell(nic: NicId): void {
    const failed = untold.get(nic);
    untold.delete(nic);
    if (failed !== undefined) throw failed;
  }

  return {
    async follow(call, job, nic, move, patience) {
      moving.set(nic, { ...move, job });
      const ended = jobs.ended(job).then((end) => settle(call, job, nic, end));
      await Promise.race([ended, jobs.allEnded([job], patience)]);
      // The job's end is settled before anybody who waited for it goes on.
      tell(nic);
    },
    tell,
    moveOf: (nic) => moving.get(nic),
    attachmentOf({ id, at }) {
      const move = moving.get(id);
      if (at !== undefined)
        return { instance: at.instance, deviceIndex: at.place, state: move?.state === 'detaching' ? 'detaching' : 'attached' };
      return move?.state === 'attaching' ? { instance: move.instance, deviceIndex: move.place, state: 'attaching' } : undefined;
    },
  };
}
