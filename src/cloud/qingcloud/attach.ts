/**
 * NICs attached, up to five in a call, as the cloud takes no more: what is asked for while a call for the same instance is under way goes into the next
 * ones together.
 */
import type { Failure } from '../../errors/failure.ts';
import type { InstanceId, NicId } from '../cloud.ts';
import { refuse } from '../wire/asked.ts';
import { jobOf, type NicRecord } from './answers.ts';
import type { ApiCall } from './call.ts';
import type { Patience } from './patience.ts';
import type { Tracked } from './tracked.ts';
import { type Reader, readNics } from './vxnet.ts';
import { isUnclear } from './refusals.ts';

/** What this file works with. */
export interface MoveUse extends Reader {
  readonly moves: Tracked;
}

/** See Cloud.attachNic. */
export type Attach = (nic: NicId, instance: InstanceId, place: number, patience: Patience) => Promise<void>;

interface Waiting {
  readonly nic: NicId;
  readonly place: number;
  readonly patience: Patience;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const AT_ONCE = 5;

/** Attaches, with a line for each instance. */
export function attaching(use: MoveUse): Attach {
  const lines = new Map<InstanceId, Waiting[]>();

  async function work(instance: InstanceId, line: Waiting[]): Promise<void> {
    while (line.length > 0) {
      const some = line.splice(0, AT_ONCE);
      try {
        await attachSome(use, instance, some, shortest(some));
      } catch (error) {
        for (const one of some) one.reject(error);
      }
    }
    lines.delete(instance);
  }

  return async (nic, instance, place, patience) => {
    const known = use.moves.moveOf(nic);
    if (known?.state === 'attaching' && known.instance === instance) return;
    use.moves.tell(nic);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const one: Waiting = { nic, place, patience, resolve, reject };
    const line = lines.get(instance);
    if (line !== undefined) line.push(one);
    else {
      const fresh = [one];
      lines.set(instance, fresh);
      // What is asked for in the same turn goes together.
      queueMicrotask(() => void work(instance, fresh));
    }
    await promise;
  };
}

/** The time of those who came first is over first. */
function shortest(some: readonly Waiting[]): Patience {
  return { left_ms: () => Math.min(...some.map(({ patience }) => patience.left_ms())) };
}

async function attachSome(use: MoveUse, instance: InstanceId, some: readonly Waiting[], patience: Patience): Promise<void> {
  const ids = some.map(({ nic }) => nic);
  const [onIt, themselves] = await Promise.all([readNics(use, 'instances', [instance], patience), readNics(use, 'nics', ids, patience)]);
  const going: Waiting[] = [];
  for (const one of some) {
    const itself = themselves.find(({ id }) => id === one.nic);
    const hindered = hindrance(
      use,
      one,
      instance,
      onIt.filter(({ id }) => id !== one.nic),
      itself,
      going.length,
    );
    if (itself?.at?.instance === instance) one.resolve();
    else if (hindered === undefined) going.push(one);
    else one.reject(hindered);
  }
  if (going.length > 0) await send(use, instance, going, patience);
}

/** What stands in the way of attaching it there. */
function hindrance(
  { api, settings }: MoveUse,
  { nic, place }: Waiting,
  instance: InstanceId,
  onIt: readonly NicRecord[],
  itself: NicRecord | undefined,
  coming: number,
): Failure | undefined {
  const asked = api.asked({ action: 'AttachNics', about: nic, parameters: {} });
  if (itself?.isUsed === true) return refuse.conflict(asked, `it is in use by ${itself.at?.instance ?? 'something that is no instance'}`);
  const other = onIt.find(({ at }) => at?.place === place);
  if (other !== undefined) return refuse.conflict(asked, `${other.id} is device ${place} of ${instance}`);
  const there = onIt.length + coming;
  if (there >= settings.nicsPerInstance) return refuse.limit(asked, `${instance} has ${there} of at most ${settings.nicsPerInstance} NICs`);
  return undefined;
}

async function send(use: MoveUse, instance: InstanceId, going: readonly Waiting[], patience: Patience): Promise<void> {
  const nics = going.map(({ nic }) => nic);
  const call: ApiCall = { action: 'AttachNics', about: nics.join(', '), parameters: { instance, nics } };
  let job: string;
  try {
    job = await use.api.call(call, jobOf, patience);
  } catch (error) {
    // One that cannot be attached has the others refused with it. What may have been done is not done again.
    if (going.length === 1 || isUnclear(error)) throw error;
    for (const one of going) await send(use, instance, [one], patience).catch(one.reject);
    return;
  }
  const followed = going.map((one) =>
    use.moves.follow(call, job, one.nic, { instance, place: one.place, state: 'attaching' }, one.patience).then(one.resolve, one.reject),
  );
  await Promise.all(followed);
}
