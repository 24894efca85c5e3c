/**
 * The own address of a NIC where a former plugin has reserved all that the vxnet has: its NICs have none, ours need one each. One of its reservations is released, and
 * the NIC is made with that address.
 *
 * Invariants
 * - only where the cloud has nothing left, and by the rules of adopt-vips.ts: within the blocks that were asked for, beside the addresses that the NIC is to have
 * - one that is free is taken before another is released, also outside of the blocks: where the cloud says of all that it has none, and refuses a NIC with a free
 *   one by name in the same words, it is the account that may have no more NICs, and nothing is released
 * - one whose NIC was refused is reserved again by its former name; what the cloud refused as not free is chosen no more for a while
 */
import { isFailure } from '../../errors/failure.ts';
import type { Ip } from '../../net/address.ts';
import { addressesOf, type Cidr, firstOf } from '../../net/cidr.ts';
import { sleep } from '../clock.ts';
import type { Wanted } from '../cloud.ts';
import { type Asked, refuse } from '../wire/asked.ts';
import { planAdopting } from './adopt-vips.ts';
import type { VipRecord, VxnetRecord } from './answers.ts';
import { type BlockUse, pictureOf } from './blocks.ts';
import type { Patience } from './patience.ts';
import { UNBORN, planBlocks } from './plan-blocks.ts';
import { givenBeside } from './primary.ts';
import { isUnclear } from './refusals.ts';
import { release, reserve } from './reserve.ts';
import type { Picture } from './vxnet.ts';

const MOST_ATTEMPTS = 4;
const PAUSE_ms = 100;

/** Calls `make` with an address that is free for it; undefined when reservations are not to be taken over. @throws Failure cloud*, and what `make` throws */
export async function withFormer<T>(
  use: BlockUse,
  vxnet: VxnetRecord,
  want: Wanted,
  asked: Asked,
  patience: Patience,
  make: (own: Ip) => Promise<T>,
): Promise<T | undefined> {
  if (use.settings.adoptVips === undefined || want.within === undefined) return undefined;
  using _turn = await use.turns.take(vxnet.id, 'takeOver', asked, patience);
  for (let attempt = 1; ; attempt++) {
    try {
      return await withOne(use, await pictureOf(use, vxnet, patience), want, asked, patience, make);
    } catch (error) {
      // What looked free was not.
      if (!isFailure(error, 'cloudConflict') || attempt === MOST_ATTEMPTS || patience.left_ms() < 4 * PAUSE_ms) throw error;
      await sleep(use.clock, PAUSE_ms);
    }
  }
}

async function withOne<T>(
  use: BlockUse,
  picture: Picture,
  want: Wanted,
  asked: Asked,
  patience: Patience,
  make: (own: Ip) => Promise<T>,
): Promise<T> {
  const { vxnet } = picture;
  const { own, former } = choiceIn(use, picture, want, asked);
  const over = use.askedFor.ask(vxnet.id, [own]);
  let released: VipRecord | undefined;
  let isFree = false;
  try {
    if (former !== undefined) await release(use, [former.id], asked.object, patience);
    released = former;
    return await make(own);
  } catch (error) {
    const mayBeDone = isUnclear(error);
    const isRefused = isFailure(error, 'cloudConflict');
    isFree = !mayBeDone && !isRefused;
    if (isRefused) use.known.noteBarred(vxnet.id, [own]);
    if (released !== undefined && !mayBeDone) await putBack(use, released, patience);
    // The list was older than somebody else's release of it: the vxnet itself is there.
    throw isFailure(error, 'cloudNotFound') ? refuse.conflict(asked, error.details, error) : error;
  } finally {
    over();
    if (isFree) use.askedFor.forget(vxnet.id, own);
  }
}

/** Another's that was free a moment ago may look so still: it is avoided only where there is enough beside it. */
function choiceIn(use: BlockUse, picture: Picture, want: Wanted, asked: Asked): ReturnType<typeof choice> {
  const { askedFor, known } = use;
  const { id } = picture.vxnet;
  const barred = known.barred(id);
  try {
    return choice(use, picture, want, asked, askedFor.lately(id).union(barred));
  } catch (error) {
    if (!isFailure(error, 'cloudSubnetFull')) throw error;
    return choice(use, picture, want, asked, askedFor.now(id).union(barred));
  }
}

/** `former`: what has to be released for it. @throws Failure cloudSubnetFull when there is not one more than the blocks need, cloudInvalid, cloudAddressTaken */
function choice(
  { names, settings }: BlockUse,
  picture: Picture,
  want: Wanted,
  asked: Asked,
  avoided: ReadonlySet<Ip>,
): { readonly own: Ip; readonly former?: VipRecord } {
  const { these = [], within = [], addresses4 = 0 } = want;
  const { id } = picture.vxnet;
  const beside = givenBeside(picture, want, avoided);
  if (beside !== undefined) return { own: beside };
  const ground = { picture, names, settings, avoided };
  const all = planAdopting(ground, UNBORN, { ...want, addresses4: addresses4 + 1 }, asked);
  const given = new Set(these.flatMap((block) => [...addressesOf(block)]));
  const own = free(() => planBlocks({ ...ground, avoided: avoided.union(given) }, UNBORN, { addresses4: 1, within }, asked).blocks);
  // Counted addresses come last, and one more was counted than the blocks need.
  const [last] = all.blocks.slice(-1);
  const ip = own ?? (last === undefined ? undefined : firstOf(last));
  if (ip === undefined) throw refuse.full(asked, `${id} has no address left for the NIC itself`);
  const former = picture.vips.find((vip) => vip.ip === ip);
  return { own: ip, ...(former && { former }) };
}

/** The first that the plan has; undefined when there is none. */
function free(plan: () => readonly Cidr[]): Ip | undefined {
  try {
    const [block] = plan();
    return block === undefined ? undefined : firstOf(block);
  } catch (error) {
    if (!isFailure(error, 'cloudSubnetFull')) throw error;
    return undefined;
  }
}

/** The refusal before it is what has to be told; an address that stays free is taken by the next attempt. */
async function putBack(use: BlockUse, { vxnet, ip, name }: VipRecord, patience: Patience): Promise<void> {
  const place = { vxnet, nameFor: () => name, wanted: undefined };
  await reserve(use, place, { 28: [], 32: [ip] }, patience).catch(() => undefined);
}
