/**
 * Reserving addresses, and giving them back: VIPs, by jobs.
 *
 * Invariants
 * - one call reserves a whole run of addresses: a /28 is never in two calls
 * - fewer than asked for are none: they are given back
 * - what was reserved before a refusal is given back at once, as far as the time allows; what is left carries our name, and is found by it
 */
import { ipToBigInt } from '../../net/address.ts';
import type { AddressRange } from '../../net/range.ts';
import { sayRange } from '../../net/range.ts';
import type { SubnetId } from '../cloud.ts';
import { type Failure, isFailure } from '../../errors/failure.ts';
import { type Asked, refuse } from '../wire/asked.ts';
import { allocatedOf, jobOf } from './answers.ts';
import type { Api, ApiCall } from './call.ts';
import { runsOf } from './choose.ts';
import type { JobEnd, Jobs } from './jobs.ts';
import type { Leaving } from './leaving.ts';
import type { Patience } from './patience.ts';
import type { BlockPlan } from './plan-blocks.ts';

/** What this file works with. */
export interface Reserver {
  readonly api: Api;
  readonly jobs: Jobs;
  readonly leaving: Leaving;
}

/** Where and for whom. */
export interface Place {
  readonly vxnet: SubnetId;
  /** By the length of the blocks. */
  readonly nameFor: (length: 32 | 28) => string;
  readonly wanted: Asked['wanted'];
}

/** What one call may name. */
const AT_ONCE = 100;

/** Reserves all of it, or fails. @throws Failure cloud*; after cloudUnavailable some of it may be reserved. */
export async function reserve(use: Reserver, place: Place, missing: BlockPlan['missing'], patience: Patience): Promise<void> {
  const { api } = use;
  const runs = ([28, 32] as const).flatMap((length) => runsOf(missing[length]).map((range) => ({ length, range })));
  const [started, vips]: [string[], string[]] = [[], []];
  let last: ApiCall | undefined;
  try {
    for (const { length, range } of runs) {
      last = allocation(place, length, range);
      const answer = await api.call(last, allocatedOf, patience);
      started.push(answer.job);
      vips.push(...answer.vips);
      const size = sizeOf(range);
      if (answer.vips.length !== size)
        throw refuse.conflict(api.asked(last), `job ${answer.job} was accepted for ${answer.vips.length} of ${size} addresses`);
    }
    if (last !== undefined) await allWell(use, last, started, patience);
  } catch (error) {
    // After an unclear answer everything is read back, and what was reserved is found then.
    if (!isFailure(error, 'cloudUnavailable') && vips.length > 0) await undo(use, started, vips, patience);
    throw error;
  }
}

function allocation({ vxnet, nameFor, wanted }: Place, length: 32 | 28, range: AddressRange): ApiCall {
  const parameters = { vxnet_id: vxnet, vip_range: sayRange(range), count: sizeOf(range), vip_name: nameFor(length) };
  return { action: 'AllocateVips', about: `${sayRange(range)} of ${vxnet}`, parameters, ...(wanted && { wanted }) };
}

function sizeOf({ first, last }: AddressRange): number {
  return Number(ipToBigInt(last) - ipToBigInt(first)) + 1;
}

/** Gives them back. Those that are gone are not given back, and refuse the others with them. @throws Failure cloud*, cloudNotFound among them */
export async function release(use: Reserver, vips: readonly string[], about: string, patience: Patience): Promise<void> {
  const started: string[] = [];
  for (let from = 0; from < vips.length; from += AT_ONCE)
    started.push(await startRelease(use, vips.slice(from, from + AT_ONCE), about, patience));
  await allWell(use, releasing(vips, about), started, patience);
}

async function startRelease({ api, leaving }: Reserver, some: readonly string[], about: string, patience: Patience): Promise<string> {
  try {
    const job = await api.call(releasing(some, about), jobOf, patience);
    leaving.begun(some, job);
    return job;
  } catch (error) {
    leaving.failed(error);
    throw error;
  }
}

/** Waits for those jobs, which release these already. @throws Failure as {@link allWell} */
export async function released(
  use: Reserver,
  vips: readonly string[],
  started: readonly string[],
  about: string,
  patience: Patience,
): Promise<void> {
  await allWell(use, releasing(vips, about), started, patience);
}

function releasing(vips: readonly string[], about: string): ApiCall {
  return { action: 'ReleaseVips', about, parameters: { vips } };
}

async function undo(use: Reserver, started: readonly string[], vips: readonly string[], patience: Patience): Promise<void> {
  await use.jobs.allEnded(started, patience);
  // The refusal before it is what has to be told; a VIP that is left is found by its name.
  await release(use, vips, `${vips.length} reserved addresses`, patience).catch(() => undefined);
}

/** Waits for the jobs that the call has started. @throws Failure cloudConflict when one ended badly, cloudUnavailable when nobody knows how it ended, or when. */
export async function allWell(
  { api, jobs }: Pick<Reserver, 'api' | 'jobs'>,
  call: ApiCall,
  started: readonly string[],
  patience: Patience,
): Promise<void> {
  const ends = await jobs.allEnded(started, patience);
  if (ends === undefined) throw refuse.unavailable(api.asked(call), `job ${started.join(', ')} was accepted, and has not ended yet`);
  const bad = ends.findIndex((end) => end !== 'successful');
  if (bad >= 0) throw endedBadly(api, call, started[bad] ?? '', ends[bad] ?? 'unknown');
}

/** The failure for a job that did not end well. */
export function endedBadly(api: Api, call: ApiCall, job: string, end: JobEnd): Failure {
  if (end === 'unknown') return refuse.unavailable(api.asked(call), `job ${job} was accepted, and is not listed any more`);
  return refuse.conflict(api.asked(call), `job ${job} was accepted, and ended as "${end}"`);
}
