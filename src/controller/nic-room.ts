/** Where in the instance another NIC could be plugged in. */
import { isRangeNic } from '../cloud/range/ids.ts';
import type { Situation } from './situation.ts';
import { isPluggedInto } from './vanished.ts';

/** Hands out free device indexes, lowest first; each only once. undefined: the instance is full. */
export type NicRoom = () => number | undefined;

/** Counts every NIC of the instance, also those that are none of ours or on their way out. */
export function nicRoom({ nics, spec, instance }: Situation): NicRoom {
  const taken = nics
    .filter((nic) => nic.branch === undefined && isPluggedInto(nic, spec.instance) && !isRangeNic(nic.id))
    .flatMap(({ attachment }) => attachment?.deviceIndex ?? []);
  const used = new Set([0, ...taken]);
  return () => {
    if (used.size >= instance.limits.nics) return undefined;
    let index = 1;
    while (used.has(index)) index++;
    used.add(index);
    return index;
  };
}
