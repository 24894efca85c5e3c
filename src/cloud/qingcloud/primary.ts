/** The own address of a NIC that is to be born with addresses by value: one that leaves them free, which the cloud's own choice might not. */
import { type Ip } from '../../net/address.ts';
import { contains, firstOf } from '../../net/cidr.ts';
import type { Wanted } from '../cloud.ts';
import { type Asked, refuse } from '../wire/asked.ts';
import { chooseBlocks, keptAddresses } from './choose.ts';
import { withoutDhcp } from './plan-blocks.ts';
import type { Picture } from './vxnet.ts';

/** @throws Failure cloudSubnetFull, cloudInvalid */
export function primaryFor({ vxnet, nics, vips }: Picture, { these = [] }: Wanted, asked: Asked): Ip {
  const { router } = vxnet;
  if (router === undefined) throw refuse.invalid(asked, `${vxnet.id} is in no VPC: nobody knows its addresses`);
  if (router.given === undefined) throw refuse.invalid(asked, withoutDhcp(vxnet.id));
  const taken = new Set<Ip>([
    ...vips.map(({ ip }) => ip),
    ...nics.flatMap(({ ip }) => ip ?? []),
    ...keptAddresses(router.cidr, router.gateway),
  ]);
  const isTaken = (ip: Ip): boolean => taken.has(ip) || these.some((block) => contains(block, ip));
  const [own] = chooseBlocks(router.given, isTaken, { addresses: 1, prefixes: 0 }) ?? [];
  if (own === undefined) throw refuse.full(asked, `${vxnet.id} has no address left for the NIC itself`);
  return firstOf(own);
}
