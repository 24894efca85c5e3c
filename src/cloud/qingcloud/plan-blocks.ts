/** Which addresses have to be reserved so that a NIC has what is wanted; or why it cannot. Pure. */
import { compareIps, type Ip } from '../../net/address.ts';
import {
  addressesOf,
  type Cidr,
  cidrFamily,
  containsCidr,
  firstOf,
  hostCidr,
  lastOf,
  lengthOf,
  overlaps,
  sayCidr,
} from '../../net/cidr.ts';
import type { Mac } from '../../net/mac.ts';
import type { AddressRange } from '../../net/range.ts';
import type { SubnetId, Wanted } from '../cloud.ts';
import { addressTaken, type Asked, refuse } from '../wire/asked.ts';
import { chooseBlocks, keptAddresses } from './choose.ts';
import type { Names } from './names.ts';
import type { Settings } from './options.ts';
import { blockOf, blocksByNic, type OwnVip, ownVips, type Picture } from './vxnet.ts';

/** Who wants them. */
export interface Holder {
  readonly mac: Mac;
  /** Whether it has an address of its own, which takes a slot. */
  readonly hasAddress: boolean;
  /** Slots are limits of instances. */
  readonly isAttached: boolean;
}

/** What there is to do. */
export interface BlockPlan {
  /** The answer: `these`, then those that were counted. */
  readonly blocks: readonly Cidr[];
  /** What is not reserved yet, by the length of the blocks. */
  readonly missing: { readonly 32: readonly Ip[]; readonly 28: readonly Ip[] };
}

/** What a plan goes by. */
export interface Ground {
  readonly picture: Picture;
  readonly names: Names;
  readonly settings: Settings;
  /** Of those that are counted, none of these is chosen. */
  readonly avoided: ReadonlySet<Ip>;
}

/** What no picture is needed for. @throws Failure cloudInvalid */
export function checkWanted({ these = [], prefixes6 = 0 }: Wanted, asked: Asked): void {
  if (prefixes6 > 0) throw refuse.invalid(asked, 'vxnets have no IPv6');
  for (const [i, block] of these.entries()) {
    if (cidrFamily(block) === 6) throw refuse.invalid(asked, `${block}: vxnets have no IPv6`);
    if (lengthOf(block) !== 32 && lengthOf(block) !== 28) throw refuse.invalid(asked, `${block} is neither a /32 nor a /28`);
    const other = these.slice(i + 1).find((one) => overlaps(block, one));
    if (other !== undefined) throw refuse.invalid(asked, `${block} and ${other} overlap`);
  }
}

/** @throws Failure cloudInvalid, cloudAddressTaken, cloudConflict for an address that is being given back, cloudLimit, cloudSubnetFull */
export function planBlocks(ground: Ground, holder: Holder, want: Wanted, asked: Asked): BlockPlan {
  const { picture, names, settings, avoided } = ground;
  const { vxnet, nics, vips } = picture;
  const { router } = vxnet;
  if (router === undefined) throw refuse.invalid(asked, `${vxnet.id} is in no VPC: nobody knows its addresses`);
  const { these = [], addresses4 = 0, prefixes4 = 0, within } = want;
  const own = ownVips(vips, names);
  const { whole, begun } = blocksByNic(own).get(holder.mac) ?? { whole: [], begun: [] };
  const reserved = new Map(vips.map((vip) => [vip.ip, own.find(({ id }) => id === vip.id) ?? vip]));
  const primaries = new Set(nics.flatMap(({ ip }) => ip ?? []));
  const kept = keptAddresses(router.cidr, router.gateway);

  const fresh = these.filter((block) => !whole.includes(block));
  const leaving = vips.find(({ ip, isLeaving }) => isLeaving === true && fresh.some((block) => containsCidr(block, hostCidr(ip))));
  if (leaving !== undefined) throw refuse.conflict(asked, `${leaving.ip} is being given back: ${leaving.id} is not released yet`);
  for (const block of fresh) {
    if (!containsCidr(router.cidr, block)) throw refuse.invalid(asked, `${block} is outside of ${router.cidr}`);
    for (const ip of addressesOf(block)) {
      if (kept.has(ip)) throw refuse.invalid(asked, `${ip} is kept by ${vxnet.id}`);
      if (primaries.has(ip)) throw refuse.invalid(asked, `${ip} is a NIC's own address`);
    }
    const other = [...addressesOf(block)].map((ip) => reserved.get(ip)).find((vip) => vip !== undefined && !isPart(vip, block, holder));
    if (other !== undefined) throw addressTaken(asked, `${other.ip} is reserved as ${other.id}`, sayCidr(block), holderOf(other, picture));
  }
  const slots = whole.length + fresh.length + addresses4 + prefixes4 + (holder.hasAddress ? 1 : 0);
  if (holder.isAttached && slots > settings.addressSlotsPerNic)
    throw refuse.limit(asked, `${slots} of at most ${settings.addressSlotsPerNic} addresses and prefixes`);

  const isTaken = (ip: Ip): boolean =>
    reserved.has(ip) || primaries.has(ip) || kept.has(ip) || avoided.has(ip) || these.some((block) => containsCidr(block, hostCidr(ip)));
  const strange = within?.find((block) => !containsCidr(router.cidr, block));
  if (strange !== undefined) throw refuse.invalid(asked, `${strange} is outside of ${router.cidr}`);
  const isWithin = (block: Cidr): boolean => within?.some((one) => containsCidr(one, block)) !== false;
  const unfinished = begun.filter((block) => lengthOf(block) === 28 && !these.includes(block) && isWithin(block));
  const finishable = unfinished.filter((block) =>
    [...addressesOf(block)].every((ip) => !isTaken(ip) || isPart(reserved.get(ip), block, holder)),
  );
  const isOutOrTaken = (ip: Ip): boolean => isTaken(ip) || !isWithin(hostCidr(ip));
  const span = within === undefined ? router.given : spanOf(within);
  if (within === undefined && span === undefined && addresses4 + prefixes4 > 0) throw refuse.invalid(asked, withoutDhcp(vxnet.id));
  const counted =
    addresses4 + prefixes4 === 0
      ? []
      : span && chooseBlocks(span, isOutOrTaken, { addresses: addresses4, prefixes: prefixes4 }, finishable);
  if (counted === undefined) throw refuse.full(asked, within === undefined ? sayFull(picture) : sayFullWithin(within, isTaken));

  const missing = (length: 32 | 28): Ip[] => {
    const blocks = [...fresh, ...counted].filter((block) => lengthOf(block) === length);
    return blocks.flatMap((block) => [...addressesOf(block)].filter((ip) => !reserved.has(ip)));
  };
  const plan: BlockPlan = { blocks: [...these, ...counted], missing: { 32: missing(32), 28: missing(28) } };
  const most = settings.vipsPerVxnet;
  if (vips.length + plan.missing[32].length + plan.missing[28].length > most)
    throw refuse.full(asked, `${vxnet.id} has ${vips.length} of at most ${most} reserved addresses`);
  return plan;
}

/** What a vxnet whose DHCP is off is refused with where an address has to be chosen: nobody has said which are for giving. */
export function withoutDhcp(vxnet: SubnetId): string {
  return `DHCP is off in ${vxnet}, so it has no range to choose from: turn DHCP on in the vxnet, or name blocks of it in spec.within of the PodSubnet`;
}

/** From the first to the last address of the blocks: an address may also be reserved where the cloud itself gives none. */
export function spanOf(blocks: readonly Cidr[]): AddressRange | undefined {
  const [from] = blocks.map(firstOf).toSorted(compareIps);
  const to = blocks.map(lastOf).toSorted(compareIps).at(-1);
  return from === undefined || to === undefined ? undefined : { first: from, last: to };
}

function sayFull({ vxnet, nics, vips }: Picture): string {
  return `${vxnet.id} has ${vxnet.router?.cidr ?? 'no addresses'}, with ${vips.length} addresses reserved and ${nics.length} NICs`;
}

function sayFullWithin(within: readonly Cidr[], isTaken: (ip: Ip) => boolean): string {
  const all = within.flatMap((block) => [...addressesOf(block)]);
  return `${all.filter((ip) => !isTaken(ip)).length} of ${all.length} addresses are free within ${within.join(', ')}`;
}

/** Whether it was reserved for just that block on that NIC. */
function isPart(vip: Picture['vips'][number] | OwnVip | undefined, block: Cidr, { mac }: Holder): boolean {
  return vip !== undefined && vip.isLeaving !== true && 'says' in vip && vip.says.mac === mac && blockOf(vip) === block;
}

/** In words: the NIC that it is for, or what it is called. */
function holderOf(vip: Picture['vips'][number] | OwnVip, { nics }: Picture): string {
  if (!('says' in vip)) return vip.name === '' ? vip.id : `${vip.id} (${vip.name})`;
  return nics.find(({ mac }) => mac === vip.says.mac)?.id ?? vip.says.mac;
}

/** A NIC that is not made yet. */
export const UNBORN: Holder = { mac: '00:00:00:00:00:00' as Mac, hasAddress: true, isAttached: false };
