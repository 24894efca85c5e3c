/**
 * Reservations that a former plugin made of addresses which are ours to give now. A VIP cannot be renamed: it is released, and reserved anew at once.
 *
 * Invariants
 * - only within blocks that were asked for by value: what their PodSubnet excludes, such as addresses of Pods of that plugin, is none of these
 * - only where nothing else is left in them
 * - no NIC of ours is made in the vxnet in the moment between (turns.ts); what somebody else gets then is theirs: another address is chosen, and none is given twice
 */
import { isFailure } from '../../errors/failure.ts';
import { containsCidr, hostCidr } from '../../net/cidr.ts';
import type { Wanted } from '../cloud.ts';
import type { Asked } from '../wire/asked.ts';
import type { VipRecord } from './answers.ts';
import { type BlockPlan, type Ground, type Holder, planBlocks } from './plan-blocks.ts';

/** A plan, and the reservations that have to go before it is carried out. */
export interface AdoptingPlan extends BlockPlan {
  readonly adopted: readonly VipRecord[];
}

/** As planBlocks. @throws Failure cloudInvalid, cloudAddressTaken, cloudLimit, cloudSubnetFull */
export function planAdopting(ground: Ground, holder: Holder, want: Wanted, asked: Asked): AdoptingPlan {
  const { picture, settings } = ground;
  const { within } = want;
  try {
    return { ...planBlocks(ground, holder, want, asked), adopted: [] };
  } catch (error) {
    const { adoptVips } = settings;
    if (adoptVips === undefined || within === undefined || !isFailure(error, 'cloudSubnetFull')) throw error;
    const isFormer = ({ name, ip, isLeaving }: VipRecord): boolean =>
      isLeaving !== true && name.startsWith(adoptVips) && within.some((block) => containsCidr(block, hostCidr(ip)));
    const vips = picture.vips.filter((vip) => !isFormer(vip));
    if (vips.length === picture.vips.length) throw error;
    const plan = planBlocks({ ...ground, picture: { ...picture, vips } }, holder, want, asked);
    const missing = new Set([...plan.missing[28], ...plan.missing[32]]);
    return { ...plan, adopted: picture.vips.filter((vip) => isFormer(vip) && missing.has(vip.ip)) };
  }
}
