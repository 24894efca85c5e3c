/** Attaching NICs to instances and detaching them: jobs. */
import * as z from 'zod';
import { runningOf } from '../calls/instances.ts';
import { detached } from '../calls/nics.ts';
import type { Transaction } from '../model/model.ts';
import type { Nic, State } from '../model/objects.ts';
import { Refusal } from '../model/refusal.ts';
import { type Action, change, type Changing } from './action.ts';
import { instanceBy, instanceId, interfaces, nicBy } from './ids.ts';
import { checkIdle, jobsOf } from './jobs.ts';
import { checkAvailable, checkMine } from './nics.ts';
import { noteOf, putNote } from './notes.ts';
import { list, some } from './parameters.ts';
import { Problem, problemOf } from './problem.ts';

const MOST_AT_ONCE = 5;
const MOST_ON_INSTANCE = 63;

/** The actions of this file. */
export const attachActions: readonly Action[] = [
  change(
    ['AttachNics', 'AttachNic'],
    z.strictObject({ instance: some, nics: list }),
    (transaction, { instance: id, nics: ids }, changing) => {
      const { state } = transaction;
      if (ids.length > MOST_AT_ONCE) throw new Problem('denied', `${ids.length} NICs at once are more than ${MOST_AT_ONCE}`);
      if (new Set(ids).size < ids.length) throw new Problem('malformed', 'parameter [nics] names one twice');
      const instance = instanceBy(state, id);
      checkRuns(state, instance.id);
      const nics = ids.map((nic) => nicBy(state, nic));
      for (const nic of nics) checkMine(state, nic, changing);
      for (const nic of nics) checkAvailable(nic);
      checkIdle(state, [...ids, id]);
      const [there, coming] = [nicsOn(state, instance.id).length, comingTo(state, id)];
      if (there + coming + ids.length > MOST_ON_INSTANCE)
        throw new Problem('quota', `instance [${id}] has ${there + coming} of at most ${MOST_ON_INSTANCE} NICs`);
      return { job_id: changing.start(transaction, changed(ids, [id], changing), { kind: 'attach', instance: id, of: ids }).id };
    },
  ),
  change(['DetachNics', 'DetachNic'], z.strictObject({ nics: list }), (transaction, { nics: ids }, changing) => {
    const { state } = transaction;
    const nics = ids.map((nic) => nicBy(state, nic));
    for (const nic of nics) checkMine(state, nic, changing);
    for (const { mac, attachment } of nics) {
      if (attachment === undefined) throw new Problem('denied', `nic [${mac}] is not in use`);
      if (attachment.deviceIndex === 0)
        throw new Problem('denied', `nic [${mac}] is the primary one of [${instanceId(attachment.instance)}]`);
    }
    const instances = nics.flatMap(({ attachment }) => (attachment === undefined ? [] : [instanceId(attachment.instance)]));
    return { job_id: changing.start(transaction, changed(ids, instances, changing), { kind: 'detach', of: ids }).id };
  }),
];

/** What the job changes. */
function changed(nics: readonly string[], instances: readonly string[], { switches }: Changing): string[] {
  return switches.oneChangePerInstance ? [...nics, ...new Set(instances)] : [...nics];
}

/** Plugs the NICs in. Returns how many could not be, because NIC or instance changed or went. */
export function attachNow(transaction: Transaction, id: string, ids: readonly string[]): number {
  return countFailures(ids, (mac) => {
    const { state } = transaction;
    const instance = instanceBy(state, id);
    checkRuns(state, instance.id);
    const nic = nicBy(state, mac);
    checkAvailable(nic);
    const others = nicsOn(state, instance.id);
    const taken = new Set(others.map(({ attachment }) => attachment?.deviceIndex));
    // A security group is of the instance.
    const { securityGroups } = others.find(({ attachment }) => attachment?.deviceIndex === 0) ?? nic;
    const deviceIndex = Array.from({ length: 255 }, (_, i) => i + 1).find((i) => !taken.has(i)) ?? 255;
    transaction.put('nic', { ...nic, securityGroups, attachment: { instance: instance.id, deviceIndex, state: 'attached' } });
    touched(transaction, nic);
  });
}

/** Takes the NICs out. Returns how many could not be. */
export function detachNow(transaction: Transaction, ids: readonly string[]): number {
  return countFailures(ids, (mac) => {
    const nic = nicBy(transaction.state, mac);
    transaction.put('nic', detached(nic));
    touched(transaction, nic);
  });
}

/** How many of them are refused. */
export function countFailures(ids: readonly string[], attempt: (id: string) => void): number {
  return ids.filter((id) => {
    try {
      attempt(id);
      return false;
    } catch (error) {
      if (error instanceof Problem || error instanceof Refusal) return true;
      throw error;
    }
  }).length;
}

function touched(transaction: Transaction, { id }: Nic): void {
  putNote(transaction, 'nic', id, { ...noteOf(transaction.state, 'nic', id), status_ms: String(transaction.now_ms) });
}

/** @throws Problem 1400, 2100. */
function checkRuns(state: State, id: string): void {
  try {
    runningOf(state, id);
  } catch (error) {
    throw error instanceof Refusal ? problemOf(error) : error;
  }
}

function nicsOn(state: State, instance: string): Nic[] {
  return interfaces(state).filter(({ attachment }) => attachment?.instance === instance);
}

/** Being attached by a job that is not final. */
function comingTo(state: State, id: string): number {
  const jobs = jobsOf(state).filter(({ job }) => job.ended === undefined && job.work.kind === 'attach' && job.work.instance === id);
  return jobs.reduce((sum, { job }) => sum + job.work.of.length, 0);
}
