/** The own address of a NIC, where the cloud is told which: one that leaves what else is asked for free, which the cloud's own choice might not. */
import { type Ip } from '../../net/address.ts';
import { type Cidr, contains, firstOf } from '../../net/cidr.ts';
import type { AddressRange } from '../../net/range.ts';
import type { Wanted } from '../cloud.ts';
import { type Asked, refuse } from '../wire/asked.ts';
import type { VxnetRecord } from './answers.ts';
import { chooseBlocks, keptAddresses } from './choose.ts';
import { spanOf, withoutDhcp } from './plan-blocks.ts';
import type { Picture } from './vxnet.ts';

/** For a NIC that is born with addresses by value. Of a vxnet without DHCP one within the blocks that are named. @throws Failure cloudSubnetFull, cloudInvalid */
export function primaryFor(picture: Picture, { these = [], within }: Wanted, asked: Asked): Ip {
  const { id, router } = picture.vxnet;
  if (router === undefined) throw refuse.invalid(asked, `${id} is in no VPC: nobody knows its addresses`);
  const range = router.given ?? (within && spanOf(within));
  if (range === undefined) throw refuse.invalid(asked, withoutDhcp(id));
  const isOut = (ip: Ip): boolean => router.given === undefined && !isIn(within, ip);
  const own = firstFree(picture, router, range, (ip) => isOut(ip) || isIn(these, ip));
  if (own === undefined) throw refuse.full(asked, `${id} has no address left for the NIC itself`);
  return own;
}

/** One that the cloud should have given by itself, as far as lists tell, and that nothing else is asked of; undefined when there is none. */
export function givenBeside(picture: Picture, { these, within }: Wanted, avoided: ReadonlySet<Ip>): Ip | undefined {
  const { router } = picture.vxnet;
  if (router?.given === undefined) return undefined;
  return firstFree(picture, router, router.given, (ip) => avoided.has(ip) || isIn(these, ip) || isIn(within, ip));
}

function firstFree(
  { nics, vips }: Picture,
  { cidr, gateway }: NonNullable<VxnetRecord['router']>,
  range: AddressRange,
  isBarred: (ip: Ip) => boolean,
): Ip | undefined {
  const taken = new Set<Ip>([...vips.map(({ ip }) => ip), ...nics.flatMap(({ ip }) => ip ?? []), ...keptAddresses(cidr, gateway)]);
  const [own] = chooseBlocks(range, (ip) => taken.has(ip) || isBarred(ip), { addresses: 1, prefixes: 0 }) ?? [];
  return own && firstOf(own);
}

function isIn(blocks: readonly Cidr[] | undefined, ip: Ip): boolean {
  return blocks?.some((block) => contains(block, ip)) === true;
}
