/**
 * Places for branches. A trunk is made when the first branch is wanted and stays as long as the node may use a PodSubnet with branches; an instance whose
 * first interface is one needs no other. Somebody else's carries none of ours: the node is not granted it, so what hangs on it would be no Pod's.
 *
 * Invariants
 * - at most one trunk is asked for at a time, whichever PodSubnet needs it
 * - a VLAN tag is handed out once in a plan, and is none that a branch of the trunk has
 * - a trunk goes only when no branch is on it
 */
import type { CloudNic, NicId } from '../cloud/cloud.ts';
import type { GrantedNic } from '../store/node-network.ts';
import type { Action } from './action.ts';
import type { NicRoom } from './nic-room.ts';
import type { NicIntent } from './notes.ts';
import type { Situation } from './situation.ts';
import { intentOf, isOurs } from './tags.ts';
import { isFirst, useFor, useOf } from './uses.ts';
import { isPluggedInto } from './vanished.ts';

/** 802.1Q: 0 and 4095 are reserved; 1 is what switches call untagged. */
const firstVlan = 2;
const lastVlan = 4094;

/** Where branches of one instance can be plugged in. */
export interface TrunkRoom {
  /** Takes one of the branches that the instance may still have. false: it has as many as it may. */
  take(): boolean;
  /** A place on a trunk that is there; each is told only once. */
  place(): { readonly trunk: NicId; readonly vlan: number } | undefined;
  /** What brings a trunk, when there is none. `wanted` is what would be made. undefined: one is on its way, or cannot be had; see `stop`. */
  missing(wanted: () => NicIntent): Action | undefined;
  /** There is none, and no interface can be plugged in any more. */
  readonly isFull: () => boolean;
  /** Intents for trunks that are to be kept. */
  readonly intents: () => readonly NicIntent[];
}

/** Whether branches of ours can hang on it, once it is attached. */
export function isOurTrunk(nic: CloudNic, { cluster, node }: Pick<Situation, 'cluster' | 'node'>): boolean {
  return nic.isTrunk === true && nic.whose === undefined && (isFirst(nic) || isOurs(nic, cluster, node));
}

/**
 * Whether it hangs on a trunk that the node is not granted, so that no new Pod gets it. One whose tags were taken away stays granted; and Pods that have such
 * a branch all the same keep it, since it goes by the handshake alone.
 */
export function isOnOthersTrunk(
  { branch }: CloudNic,
  grants: readonly Pick<GrantedNic, 'id'>[],
  { nics }: Pick<Situation, 'nics'>,
): boolean {
  if (branch === undefined || grants.some(({ id }) => id === branch.trunk)) return false;
  return nics.some(({ id, attachment }) => id === branch.trunk && attachment?.state === 'attached');
}

/** `room`: where a trunk itself may be plugged in. */
export function trunkRoom(situation: Situation, room: NicRoom): TrunkRoom {
  const { instance, nics, spec, cluster, node, intents, now_ms, read_ms, limits } = situation;
  const here = nics.filter((nic) => isOurTrunk(nic, situation) && isPluggedInto(nic, spec.instance));
  const trunks = here.filter(({ attachment }) => attachment?.state === 'attached');
  const isComing = here.some(({ attachment }) => attachment?.state === 'attaching');
  const used = new Map(trunks.map(({ id }) => [id, new Set(nics.flatMap(({ branch }) => (branch?.trunk === id ? [branch.vlan] : [])))]));
  const open = intents.filter(
    ({ use, token, since_ms }) =>
      use === 'trunk' && !nics.some((nic) => intentOf(nic) === token) && now_ms - since_ms <= 10 * limits.settle_ms,
  );
  let left = Math.max(0, (instance.limits.branches ?? 0) - nics.filter(({ branch }) => branch !== undefined).length);
  let asked: NicIntent | undefined;
  let isAsked = false;
  let full = false;

  return {
    take() {
      if (left <= 0) return false;
      left--;
      return true;
    },
    place() {
      for (const { id } of trunks) {
        const taken = used.get(id) ?? new Set<number>();
        for (let vlan = firstVlan; vlan <= lastVlan; vlan++) {
          if (taken.has(vlan)) continue;
          used.set(id, taken.add(vlan));
          return { trunk: id, vlan };
        }
      }
      return undefined;
    },
    missing(wanted) {
      if (trunks.length > 0 || isComing || isAsked) return undefined;
      isAsked = true;
      const deviceIndex = room();
      full = deviceIndex === undefined;
      if (deviceIndex === undefined) return undefined;
      const unplugged = nics.find((nic) => isOurs(nic, cluster, node) && useOf(nic) === 'trunk' && nic.attachment === undefined);
      asked = unplugged === undefined ? (open[0] ?? wanted()) : undefined;
      if (asked !== undefined) return { do: 'create', subnet: asked.subnet, intent: asked };
      return unplugged && { do: 'attach', subnet: wanted().subnet, nic: unplugged.id, deviceIndex };
    },
    isFull: () => full,
    // One that is not asked for now may have been made, and no read shows it yet.
    intents: () => [
      ...(asked === undefined ? [] : [asked]),
      ...open.filter((intent) => intent !== asked && read_ms - (intent.called_ms ?? intent.since_ms) <= limits.settle_ms),
    ],
  };
}

/** Trunks of ours that carry nothing and that nothing will need. */
export function idleTrunks({ nics, cluster, node, spec, subnets, now_ms, limits }: Situation): NicId[] {
  if (spec.draining === undefined && subnets.some((subnet) => useFor(subnet) === 'branch')) return [];
  const idle = nics.filter(
    (nic) =>
      isOurs(nic, cluster, node) &&
      useOf(nic) === 'trunk' &&
      isPluggedInto(nic, spec.instance) &&
      nic.attachment?.state === 'attached' &&
      (now_ms - nic.createdAt_ms >= limits.nicAge_ms || spec.draining !== undefined) &&
      !nics.some(({ branch }) => branch?.trunk === nic.id),
  );
  return idle.map(({ id }) => id);
}
