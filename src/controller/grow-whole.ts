/**
 * How a pool grows whose Pods have whole interfaces (datapaths nic and branch): by one interface for each address. What lies about is plugged in first.
 */
import type { CloudNic } from '../cloud/cloud.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import type { Action } from './action.ts';
import { mayBeMade, newIntent, openIntents, oursFor } from './new-nics.ts';
import type { NicRoom } from './nic-room.ts';
import type { NicIntent } from './notes.ts';
import type { SubnetPool } from './pools.ts';
import type { Situation } from './situation.ts';
import type { TrunkRoom } from './trunks.ts';
import { useFor } from './uses.ts';

/** Where interfaces go. */
export interface Places {
  readonly room: NicRoom;
  readonly trunks: TrunkRoom;
  /** What this plan does for other PodSubnets. */
  readonly earlier: readonly Action[];
}

/** What is asked for, and how many interfaces there is no place for. */
export interface WholeGrowing {
  readonly actions: readonly Action[];
  readonly intents: readonly NicIntent[];
  readonly left: number;
}

/** `wanted`: interfaces the pool lacks, those on their way among them. */
export function growWhole(pool: SubnetPool, config: PodSubnet, situation: Situation, places: Places, wanted: number): WholeGrowing {
  const isBranch = useFor(config) === 'branch';
  const actions: Action[] = [];
  const intents: NicIntent[] = [];
  const ours = oursFor(situation, config);
  let left = wanted - ours.filter(({ attachment }) => attachment?.state === 'attaching').length;

  const others = (): NicIntent[] => [...intents, ...places.trunks.intents()];
  const trunk = (): void => {
    const action = places.trunks.missing(() => newIntent(config, situation, {}, 'trunk', others()));
    if (action !== undefined) actions.push(action);
  };
  /** A place for one more; for a branch without its tag, which it gets when it is plugged in. */
  const place = (): number | undefined => (isBranch ? (places.trunks.take() ? 0 : undefined) : places.room());
  const plugIn = (nic: CloudNic, deviceIndex: number): Action | undefined => {
    if (!isBranch) return { do: 'attach', subnet: pool.name, nic: nic.id, deviceIndex };
    const at = places.trunks.place();
    return at && { do: 'attachBranch', subnet: pool.name, nic: nic.id, ...at };
  };

  if (isBranch && left > 0) trunk();
  if (isBranch && places.trunks.isFull()) return { actions, intents: openIntents(pool, situation), left: Math.max(0, left) };
  for (const nic of ours) {
    if (left <= 0 || nic.attachment !== undefined || nic.branch !== undefined) continue;
    const at = place();
    if (at === undefined) break;
    const action = plugIn(nic, at);
    if (action !== undefined) actions.push(action);
    left--;
  }
  for (const intent of openIntents(pool, situation)) {
    if (left <= 0 || place() === undefined) {
      if (mayBeMade(intent, situation)) intents.push(intent);
      continue;
    }
    intents.push(intent);
    actions.push({ do: 'create', subnet: pool.name, intent });
    left--;
  }
  for (; left > 0 && place() !== undefined; left--) {
    const intent = newIntent(config, situation, {}, useFor(config), others());
    intents.push(intent);
    actions.push({ do: 'create', subnet: pool.name, intent });
  }
  return { actions, intents, left: Math.max(0, left) };
}
