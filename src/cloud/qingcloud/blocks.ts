/**
 * The blocks of NICs. QingCloud knows no secondary addresses: what a NIC's Pods have is reserved as VIPs, so that the cloud gives it to nobody else, and
 * the names of the VIPs say which NIC it is for. These VIPs are the truth: a /28 counts as held when all of its 16 are there.
 *
 * Invariants
 * - which addresses are free is read before each attempt; what this process asked for a moment ago is not chosen again, as lists lag
 * - a refusal of an address that looked free has others chosen, a few times
 */
import { isFailure } from '../../errors/failure.ts';
import { compareIps, type Ip } from '../../net/address.ts';
import type { Cidr } from '../../net/cidr.ts';
import { type Mac, tryParseMac } from '../../net/mac.ts';
import type { AskedLately } from '../asked-lately.ts';
import { type Clock, sleep } from '../clock.ts';
import type { NicId, SubnetId, Tags, Wanted } from '../cloud.ts';
import { type Asked, refuse, wantedOf } from '../wire/asked.ts';
import type { NicRecord, VipRecord, VxnetRecord } from './answers.ts';
import type { ApiCall } from './call.ts';
import type { Known } from './known.ts';
import type { Patience } from './patience.ts';
import { type AdoptingPlan, planAdopting } from './adopt-vips.ts';
import { type BlockPlan, checkWanted, type Holder, planBlocks } from './plan-blocks.ts';
import { type Place, type Reserver, release, released, reserve } from './reserve.ts';
import type { Turns } from './turns.ts';
import { blockOf, ownVips, type Picture, readNic, readVips, type Contents, type VipReader } from './vxnet.ts';

/** What this file works with. */
export interface BlockUse extends VipReader, Reserver {
  readonly clock: Clock;
  readonly known: Known;
  readonly askedFor: AskedLately<Ip>;
  readonly turns: Turns;
  /** A read of a vxnet that begins after it was asked for; many share one. */
  readonly contents: (vxnet: SubnetId) => Promise<Contents>;
}

/** A NIC that is to have blocks. */
export interface Bearer extends Holder {
  readonly id: NicId;
  readonly vxnet: VxnetRecord;
  /** As names of VIPs have it. */
  readonly cluster: string;
}

const MOST_ATTEMPTS = 4;
const PAUSE_ms = 100;

/** What is asked for a NIC, and by whom. */
interface Asking {
  readonly want: Wanted;
  readonly whose?: Tags;
}

/** See Cloud.assign. */
export async function assign(use: BlockUse, id: NicId, { want, whose }: Asking, patience: Patience): Promise<Cidr[]> {
  const call: ApiCall = { action: 'AllocateVips', about: id, parameters: {} };
  checkWanted(want, use.api.asked(call));
  const vxnet = await use.known.vxnetOf(id, patience);
  const picture = await pictureOf(use, vxnet, patience);
  const nic = picture.nics.find((one) => one.id === id) ?? (await readNic(use, id, patience));
  if (nic === undefined || nic.vxnet !== vxnet.id) {
    use.known.forgetNic(id);
    throw refuse.notFound(use.api.asked(call), nic === undefined ? 'no such NIC is listed' : `it is in ${nic.vxnet} now`);
  }
  return bear(use, bearerOf(use, nic, vxnet, whose), want, picture, patience);
}

/** Everything in the vxnet, as it is now. @throws Failure cloud* */
export async function pictureOf({ api, clock, contents }: BlockUse, vxnet: VxnetRecord, patience: Patience): Promise<Picture> {
  const { promise, reject } = Promise.withResolvers<never>();
  const asked = api.asked({ action: 'DescribeVips', about: vxnet.id, parameters: {} });
  const cancel = clock.after(patience.left_ms(), () => reject(refuse.unavailable(asked, 'no answer in the time for this')));
  try {
    return { ...(await Promise.race([contents(vxnet.id), promise])), vxnet };
  } finally {
    cancel();
  }
}

/** A NIC with its name, as one that is to have blocks. `whose`: what the name of an instance's own NIC does not say. */
export function bearerOf({ names }: Pick<BlockUse, 'names'>, nic: NicRecord, vxnet: VxnetRecord, whose: Tags = {}): Bearer {
  const { id, mac, ip, name, at } = nic;
  return {
    id,
    mac,
    hasAddress: ip !== undefined,
    isAttached: at !== undefined,
    vxnet,
    cluster: names.clusterOf({ ...names.ofNic(name)?.tags, ...whose }),
  };
}

/** Gives the NIC what is wanted, all or none. `first`: what is in the vxnet, as it was read just now. */
export async function bear(use: BlockUse, bearer: Bearer, want: Wanted, first: Picture, patience: Patience): Promise<Cidr[]> {
  const { api, names, settings, clock, askedFor } = use;
  const { mac, cluster, id } = bearer;
  let { vxnet } = bearer;
  const wanted = wantedOf(vxnet.id, want, 0);
  const asked = api.asked({ action: 'AllocateVips', about: id, parameters: {}, wanted });
  const nameFor = (length: 32 | 28): string => {
    const name = names.forVip({ mac, length, cluster });
    if (name === undefined)
      throw refuse.invalid(asked, `the name of its addresses would have more than ${settings.longestName} characters`);
    return name;
  };
  let picture = first;
  for (let attempt = 1; ; attempt++) {
    const plan = planIn(use, picture, { ...bearer, vxnet }, want, asked);
    const over = askedFor.ask(vxnet.id, addressesIn(plan));
    try {
      await carryOut(use, plan, { vxnet: vxnet.id, nameFor, wanted }, asked, patience);
      return [...plan.blocks];
    } catch (error) {
      if (isFailure(error, 'cloudConflict')) {
        use.known.noteBarred(vxnet.id, outsideOf(vxnet, addressesIn(plan)));
        use.known.forgetVxnet(vxnet.id);
      }
      const pause_ms = PAUSE_ms * 2 ** attempt;
      // Of former reservations one may be gone since the list was made.
      const isOld = isFailure(error, 'cloudConflict') || (plan.adopted.length > 0 && isFailure(error, 'cloudNotFound'));
      if (!isOld || attempt === MOST_ATTEMPTS || patience.left_ms() < 4 * pause_ms) throw error;
      await sleep(clock, pause_ms);
    } finally {
      over();
    }
    vxnet = await use.known.vxnet(vxnet.id, patience);
    picture = await pictureOf(use, vxnet, patience);
  }
}

/** Reserves what is missing. What has to be given back for it is free in between, so that no NIC of ours is made meanwhile, which might get it. */
async function carryOut(use: BlockUse, { adopted, missing }: AdoptingPlan, place: Place, asked: Asked, patience: Patience): Promise<void> {
  if (adopted.length === 0) return await reserve(use, place, missing, patience);
  using _turn = await use.turns.take(place.vxnet, 'takeOver', asked, patience);
  await release(
    use,
    adopted.map((vip) => vip.id),
    asked.object,
    patience,
  );
  await reserve(use, place, missing, patience);
}

/** What was asked for some seconds ago may be free again: it is avoided only where there is enough beside it. */
function planIn(
  { names, settings, askedFor, known }: BlockUse,
  picture: Picture,
  bearer: Bearer,
  want: Wanted,
  asked: Asked,
): AdoptingPlan {
  const barred = known.barred(bearer.vxnet.id);
  const [lately, now] = [askedFor.lately(bearer.vxnet.id).union(barred), askedFor.now(bearer.vxnet.id).union(barred)];
  try {
    return { ...planBlocks({ picture, names, settings, avoided: lately }, bearer, want, asked), adopted: [] };
  } catch (error) {
    if (!isFailure(error, 'cloudSubnetFull')) throw error;
    return planAdopting({ picture, names, settings, avoided: now }, bearer, want, asked);
  }
}

/**
 * Those that the cloud itself gives to nobody: where it lets nobody reserve them either, it says so only when asked. A vxnet without DHCP does not say which these
 * are: there a refusal that passes would close all that was asked for.
 */
function outsideOf({ router }: VxnetRecord, ips: readonly Ip[]): Ip[] {
  const given = router?.given;
  if (given === undefined) return [];
  return ips.filter((ip) => compareIps(ip, given.first) < 0 || compareIps(ip, given.last) > 0);
}

function addressesIn({ missing }: BlockPlan): Ip[] {
  return [...missing[28], ...missing[32]];
}

/** See Cloud.unassign. Also what is left of a block that was never whole, or is not any more. */
export async function unassign(use: BlockUse, id: NicId, blocks: readonly Cidr[], patience: Patience): Promise<void> {
  if (blocks.length === 0) return;
  const vxnet = await use.known.vxnetOf(id, patience);
  const wanted = new Set(blocks);
  await releaseOwn(use, id, vxnet.id, (block) => wanted.has(block), patience);
}

/** Gives back what is reserved for that NIC and fits. Succeeds when there is nothing. */
export async function releaseOwn(
  use: BlockUse,
  id: NicId,
  vxnet: SubnetId,
  fits: (block: Cidr) => boolean,
  patience: Patience,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const own = ownVips(await readVips(use, [vxnet], patience), use.names);
    const vips = own.filter((vip) => vip.says.mac === macOf(use, id) && fits(blockOf(vip)));
    if (vips.length === 0) return;
    const idsOf = (some: readonly VipRecord[]): string[] => some.map((vip) => vip.id);
    const underway = vips.filter((vip) => use.leaving.jobsOf([vip.id]).length > 0);
    // One that fails while others are released is not known any more afterwards.
    const started = use.leaving.jobsOf(idsOf(underway));
    try {
      const staying = idsOf(vips.filter((vip) => !underway.includes(vip)));
      if (staying.length > 0) await release(use, staying, id, patience);
      if (underway.length > 0) await released(use, idsOf(underway), started, id, patience);
      for (const { ip } of vips) use.askedFor.forget(vxnet, ip);
      return;
    } catch (error) {
      // The list was older than the release of one of them.
      if (!isFailure(error, 'cloudNotFound') || attempt === MOST_ATTEMPTS) throw error;
    }
  }
}

/** A NIC's id is its Ethernet address. @throws Failure cloudInvalid */
function macOf({ api }: BlockUse, id: NicId): Mac {
  const mac = tryParseMac(id);
  if (mac === undefined)
    throw refuse.invalid(api.asked({ action: 'DescribeNics', about: id, parameters: {} }), `${id} is no Ethernet address`);
  return mac;
}
