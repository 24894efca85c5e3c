/** Where in the instance another NIC could be plugged in. */
import type { CloudInstance, CloudNic } from '../cloud/cloud.ts';
import { isRangeNic } from '../cloud/range/ids.ts';
import type { SubnetPool } from './pools.ts';
import type { Situation } from './situation.ts';
import { isOurs, subnetOf } from './tags.ts';
import { useOf } from './uses.ts';
import { isPluggedInto } from './vanished.ts';

/** Hands out free device indexes, lowest first; each only once. undefined: the instance is full. */
export type NicRoom = () => number | undefined;

/** The same instance, which takes at most so many interfaces, its first included; undefined: as many as its cloud says. */
export function withFewerNics(instance: CloudInstance, most: number | undefined): CloudInstance {
  const { limits } = instance;
  return { ...instance, limits: { ...limits, nics: Math.min(limits.nics, most ?? limits.nics) } };
}

/** Room for one PodSubnet, of which the node may have so many more. */
export function roomForMore(room: NicRoom, most: number): NicRoom {
  let left = most;
  return () => (left-- > 0 ? room() : undefined);
}

/** Interfaces that the node may still get for the PodSubnet, by perNode.interfaces; below zero: that was lowered. */
export function interfacesLeft({ name, config, serving, leaving }: SubnetPool, { nics, cluster, node, spec }: Situation): number {
  const most = config?.spec.perNode.interfaces ?? Number.POSITIVE_INFINITY;
  const has = serving.filter((one) => !one.isGuest || hasSome(one)).length;
  // One that only others use is none of it any more.
  const goes = leaving.filter((one) => hasSome(one) || (!one.isGuest && one.nic.blocks.length === 0)).length;
  const known = new Set([...serving, ...leaving].map(({ nic }) => nic.id));
  const coming = nics.filter(
    (nic) => !known.has(nic.id) && isPluggedInto(nic, spec.instance) && isOurs(nic, cluster, node) && isFor(nic, name),
  );
  return most - has - goes - coming.length;
}

/** A guest's interface counts once it has something of it. */
export function hasSome({ grant, untold }: SubnetPool['serving'][number]): boolean {
  return grant.blocks.length > 0 || untold.length > 0;
}

/** Whether it was made for many Pods of that PodSubnet; a trunk is for any. */
export function isFor(nic: CloudNic, name: string): boolean {
  return subnetOf(nic) === name && useOf(nic) === 'pods' && !isRangeNic(nic.id);
}

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
