/** How much of each PodSubnet a node could hold: by its instance, its interfaces and perNode.maximum. */
import { isRangeNic } from '../../cloud/range/ids.ts';
import type { Plan } from '../plan.ts';
import type { Situation } from '../situation.ts';
import { heldBy } from '../counting.ts';
import { subnetsOf, viewFor } from '../../store/nic-shares.ts';
import { mayShare } from '../shared-nics.ts';
import { isOurTrunk } from '../trunks.ts';
import type { GrantedNic } from '../../store/node-network.ts';
import { givesWhole, useFor } from '../uses.ts';

/** One PodSubnet on one node, in addresses. */
export interface NodeLimit {
  readonly held: number;
  /** The most it could hold. What it holds while it cannot grow. */
  readonly limit: number;
  /** What its interfaces could take without another one. */
  readonly room: number;
  /** What another interface could take; it costs an address of its own. */
  readonly perNic: number;
  /** Pods that have an address or wait for one, as the agent said last. */
  readonly used: number;
}

/** By PodSubnet: those that the node may use, and those that it holds something of. */
export function limitsOf(situation: Situation, plan: Pick<Plan, 'nics' | 'growth'>): Map<string, NodeLimit> {
  const { instance, nics, spec, subnets } = situation;
  const held = heldBy(situation, plan.nics);
  const attached = nics.filter(
    ({ id, attachment, branch }) => attachment?.instance === spec.instance && branch === undefined && !isRangeNic(id),
  );
  const branches = nics.filter(({ branch }) => branch !== undefined).length;
  const hasTrunk = attached.some((nic) => isOurTrunk(nic, situation));
  const freeNics = Math.max(0, instance.limits.nics - attached.length);
  const names = new Set([...subnets.map(({ metadata }) => metadata.name), ...held.keys()]);
  return new Map([...names].map((name) => [name, limitOf(name)]));

  function limitOf(name: string): NodeLimit {
    const config = subnets.find(({ metadata }) => metadata.name === name);
    const has = held.get(name) ?? 0;
    const { inUse = 0, waiting = 0 } = spec.demand.find(({ subnet }) => subnet === name) ?? {};
    const own = { held: has, used: inUse + waiting };
    if (config === undefined || isStopped(name)) return { ...own, limit: has, room: 0, perNic: 1 };
    const { families, unit, perNode, range } = config.spec;
    if (givesWhole(config)) {
      const more =
        useFor(config) === 'pod' ? freeNics : hasTrunk || freeNics > 0 ? Math.max(0, (instance.limits.branches ?? 0) - branches) : 0;
      return { ...own, limit: Math.max(has, Math.min(perNode.maximum, has + more)), room: perNode.maximum, perNic: 1 };
    }
    if (!families.includes(4) || range !== undefined) return { ...own, limit: perNode.maximum, room: perNode.maximum, perNic: 1 };
    const size = unit === 'prefix' ? 16 : 1;
    const perNic = Math.max(1, (instance.limits.addressSlotsPerNic - 1) * size);
    const isOpen = (one: GrantedNic): boolean =>
      nics.some((nic) => nic.id === one.id && one.subnet !== undefined && mayShare(nic, config, one.subnet, situation));
    const its = plan.nics.filter((nic) => subnetsOf(nic).includes(name) || isOpen(nic));
    const serving = its.length;
    const ofOthers = its.reduce((sum, nic) => sum + nic.blocks.length - viewFor(nic, name).blocks.length, 0) * size;
    const further = Math.max(0, Math.min(freeNics, (perNode.interfaces ?? Number.POSITIVE_INFINITY) - serving));
    const most = Math.min(perNode.maximum, (serving + further) * perNic - ofOthers);
    return { ...own, limit: Math.max(has, Math.floor(most / size) * size), room: Math.max(0, serving * perNic - ofOthers - has), perNic };
  }

  /** What one waits for may end soon; what the cloud or the instance refuses may not. */
  function isStopped(name: string): boolean {
    const found = plan.growth.find(({ subnet }) => subnet === name)?.stoppedBy ?? 'none';
    // Of a range, what other nodes give back is coming.
    const stoppedBy = found === 'subnet' && situation.ranges.has(name) ? 'none' : found;
    return situation.instance.state === 'terminated' || spec.draining !== undefined || stoppedBy === 'subnet' || stoppedBy === 'cloud';
  }
}
