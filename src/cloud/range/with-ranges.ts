/** A cloud and ranges that it knows nothing of, as one: ids say whose call it is. */
import type { Cloud, InstanceId, NicFilter, NicId, SubnetId } from '../cloud.ts';
import { areTags } from '../named.ts';
import { isRangeNic, podSubnetOf } from './ids.ts';

/**
 * Instances, and what the VPC has, are the cloud's. A node's share of ranges is found by its tags, as all that is ours, not by its instance. Wrap before:
 * calls for ranges need no pace.
 */
export function withRanges(cloud: Cloud, ranges: Cloud): Cloud {
  const forSubnet = (id: SubnetId): Cloud => (podSubnetOf(id) === undefined ? cloud : ranges);
  const forNic = (id: NicId): Cloud => (isRangeNic(id) ? ranges : cloud);
  return {
    name: cloud.name,
    network: () => cloud.network(),
    instance: (id) => cloud.instance(id),
    instances: (ids: readonly InstanceId[]) => cloud.instances(ids),
    async subnets(named) {
      if (areTags(named)) return await cloud.subnets(named);
      const [own, others] = split(named, (id) => podSubnetOf(id) === undefined);
      return [...(own.length === 0 ? [] : await cloud.subnets(own)), ...(others.length === 0 ? [] : await ranges.subnets(others))];
    },
    async nics(filter: NicFilter) {
      const { ids, tags } = filter;
      if (ids === undefined) return [...(await cloud.nics(filter)), ...(tags === undefined ? [] : await ranges.nics(filter))];
      const [own, others] = split(ids, (id) => !isRangeNic(id));
      return [
        ...(own.length === 0 ? [] : await cloud.nics({ ...filter, ids: own })),
        ...(others.length === 0 ? [] : await ranges.nics({ ...filter, ids: others })),
      ];
    },
    createNic: (request) => forSubnet(request.subnet).createNic(request),
    attachNic: (nic, instance, index) => forNic(nic).attachNic(nic, instance, index),
    attachBranch: (nic, trunk, vlan) => forNic(nic).attachBranch(nic, trunk, vlan),
    detachNic: (nic) => forNic(nic).detachNic(nic),
    deleteNic: (nic) => forNic(nic).deleteNic(nic),
    assign: (nic, want, whose) => forNic(nic).assign(nic, want, whose),
    unassign: (nic, blocks) => forNic(nic).unassign(nic, blocks),
  };
}

function split<T>(all: readonly T[], isOwn: (one: T) => boolean): [T[], T[]] {
  return [all.filter(isOwn), all.filter((one) => !isOwn(one))];
}
