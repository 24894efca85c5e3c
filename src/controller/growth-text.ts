/** Why a pool does not grow, in a sentence with the numbers: it ends up in the Pod's event. */
import { isRangeNic } from '../cloud/range/ids.ts';
import type { Ip } from '../net/address.ts';
import type { WantedAddresses } from './claims/claims.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { interfacesLeft } from './nic-room.ts';
import type { ClusterCeiling, SubnetPool } from './pools.ts';
import type { RangeStanding } from './range-rooms.ts';
import type { Situation } from './situation.ts';
import type { Stop } from './stop.ts';

/** perNode.maximum, or the node's share, is reached, or the next block would pass it. */
export function atCeiling({ name, holding, config }: SubnetPool, held: number): Stop {
  if (holding.maximum < (config?.spec.perNode.maximum ?? 0)) {
    const text = `this node holds ${held} addresses of ${name} and may hold ${holding.maximum}: what else is left is kept for other nodes (kubectl get psn ${name}); add a PodSubnet, or let Pods end`;
    return { stoppedBy: 'ceiling', text };
  }
  const rest = holding.unit > 1 && held < holding.maximum ? `; another /28 of ${holding.unit} would be too many` : '';
  return {
    stoppedBy: 'ceiling',
    text: `this node holds ${held} of at most ${holding.maximum} addresses of ${name} (perNode.maximum)${rest}`,
  };
}

/** The interfaces that the node may have for it are full. */
export function atInterfaces({ name, config, counted, holding }: SubnetPool, unserved: number): Stop {
  const most = config?.spec.perNode.interfaces ?? 0;
  const what = counted === 4 ? (holding.unit === 16 ? '/28 prefixes' : 'addresses') : '/80 prefixes';
  const text = `this node may have ${most} interfaces for ${name} (perNode.interfaces), and they are full; ${unserved} more ${what} wanted`;
  return { stoppedBy: 'ceiling', text };
}

/** perCluster.maximum is reached, or the next block would pass it; or a controller that has just begun is still counting. */
export function atClusterCeiling({ name, holding }: SubnetPool, { maximum, here, others, room, uncounted }: ClusterCeiling): Stop {
  if (uncounted > 0) {
    const text = `perCluster.maximum of ${name} is ${maximum}, and the controller has just begun: it counts what ${uncounted} more nodes hold first`;
    return { stoppedBy: 'ceiling', text };
  }
  const rest = holding.unit > 1 && room > 0 ? `; another /28 of ${holding.unit} would be too many` : '';
  return {
    stoppedBy: 'ceiling',
    text: `all nodes together hold ${others + here} of at most ${maximum} addresses of ${name}, ${here} of them on this node${rest}; raise perCluster.maximum of PodSubnet ${name}, or let Pods on other nodes end`,
  };
}

/** Nothing of the range is left, or not enough. */
export function rangeFull({ name }: SubnetPool, { room, total }: RangeStanding): Stop {
  const left = room === 0 ? 'none of its' : `${room} of its`;
  const text = `${left} ${total} addresses are free: nodes are asked to give back what their Pods do not use; make the range of PodSubnet ${name} larger, or add a PodSubnet`;
  return { stoppedBy: 'subnet', text };
}

/** Every NIC the instance may have is there and full. */
export function instanceFull(pool: SubnetPool, { instance, nics }: Situation, unserved: number): Stop {
  const { nics: most, addressSlotsPerNic, ipv6SlotsPerNic } = instance.limits;
  const attached = nics.filter((nic) => nic.attachment?.instance === instance.id && nic.branch === undefined && !isRangeNic(nic.id)).length;
  const slots = pool.counted === 4 ? addressSlotsPerNic : ipv6SlotsPerNic;
  const what = pool.counted === 4 ? (pool.holding.unit === 16 ? '/28 prefixes' : 'addresses') : '/80 prefixes';
  return {
    stoppedBy: 'instance',
    text: `instance type ${instance.type} is full: ${attached} of ${most} interfaces attached, ${slots} address slots each; ${unserved} more ${what} wanted`,
  };
}

/** Pods have whole interfaces, and the instance can have no more of them. */
export function noPlace(config: PodSubnet, { instance, nics }: Situation, unserved: number): Stop {
  const { type, limits } = instance;
  const attached = nics.filter((nic) => nic.attachment?.instance === instance.id && nic.branch === undefined && !isRangeNic(nic.id)).length;
  const { datapath } = config.spec;
  const wanted = `with datapath ${datapath} each Pod needs one, ${unserved} more wanted`;
  if (datapath !== 'branch')
    return { stoppedBy: 'instance', text: `instance type ${type} is full: ${attached} of ${limits.nics} interfaces attached; ${wanted}` };
  const { branches = 0 } = limits;
  if (branches === 0) {
    const text = `instance type ${type} takes no branches, which datapath branch needs: use another type, or another datapath`;
    return { stoppedBy: 'instance', text };
  }
  const there = nics.filter(({ branch }) => branch !== undefined).length;
  if (there < branches) {
    const text = `instance type ${type} is full: ${attached} of ${limits.nics} interfaces attached, none is left for a trunk; ${wanted}`;
    return { stoppedBy: 'instance', text };
  }
  return { stoppedBy: 'instance', text: `instance type ${type} is full: ${there} of ${branches} branches attached; ${wanted}` };
}

/** A NIC that serves both families has no slot for a /80. */
export function noRoomForV6({ instance }: Situation): Stop {
  return {
    stoppedBy: 'instance',
    text: `instance type ${instance.type} has ${instance.limits.ipv6SlotsPerNic} IPv6 slots per interface: none is left for a /80`,
  };
}

/** What a claim's Pod asks for was on the node's first interface before us. */
export function claimsForeign(address: Ip): Stop {
  const text = `${address} is somebody else's: the node's first interface had it before Flatpod came to the node, and no Pod of that node gets it; ask for another address, or run the Pod on another node once it is given back there`;
  return { stoppedBy: 'subnet', text };
}

/** No interface has a slot for an address of a claim, and there can be no other one. */
export function claimsFull(pool: SubnetPool, situation: Situation, { these, beside }: WantedAddresses): Stop {
  const { serving, config } = pool;
  const { instance, nics } = situation;
  const { nics: most, addressSlotsPerNic, ipv6SlotsPerNic } = instance.limits;
  const what = these.length > 0 ? these.join(', ') : 'its address';
  if (beside.length > 0 && serving.length > 0) {
    const text = `the interface with ${beside.join(', ')} has no slot for ${what}: instance type ${instance.type} has ${addressSlotsPerNic} for IPv4 and ${ipv6SlotsPerNic} for IPv6 on each`;
    return { stoppedBy: 'instance', text };
  }
  if (interfacesLeft(pool, situation) <= 0) {
    const text = `this node may have ${config?.spec.perNode.interfaces ?? 0} interfaces for ${pool.name} (perNode.interfaces), and none has a slot for ${what}`;
    return { stoppedBy: 'ceiling', text };
  }
  const attached = nics.filter((nic) => nic.attachment?.instance === instance.id && nic.branch === undefined && !isRangeNic(nic.id)).length;
  const text = `instance type ${instance.type} is full: ${attached} of ${most} interfaces attached, ${addressSlotsPerNic} address slots each (${ipv6SlotsPerNic} for IPv6), none is free for ${what}`;
  return { stoppedBy: 'instance', text };
}
