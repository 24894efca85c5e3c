/**
 * From what is to what should be: pure. A plan is made anew after each call, from the newest picture; only its first action is carried out.
 *
 * The order of actions: what serves waiting Pods soonest goes first, what gives back goes last.
 */
import type { CloudNic, NicId } from '../cloud/cloud.ts';
import type { Cidr } from '../net/cidr.ts';
import type { GrantedNic, Growth } from '../store/node-network.ts';
import type { Action } from './action.ts';
import type { Unserved } from './claims/claims.ts';
import { grantsOf } from './grants.ts';
import { type Growing, growPool } from './grow.ts';
import { nicRoom } from './nic-room.ts';
import type { NicIntent } from './notes.ts';
import { poolsOf } from './pools.ts';
import { rangeNeedOf } from './range-need.ts';
import type { RangeNeed } from './range-rooms.ts';
import { shrinkPool } from './shrink.ts';
import type { Situation } from './situation.ts';
import { intentOf, isOurs } from './tags.ts';
import { idleTrunks, trunkRoom } from './trunks.ts';
import { isWhole } from './uses.ts';
import { isPluggedInto } from './vanished.ts';

/** What to tell, what to note, what to do. */
export interface Plan {
  /** What the agent is told before any of the actions. */
  readonly nics: readonly GrantedNic[];
  readonly growth: readonly Growth[];
  /** Written down before any of the actions. */
  readonly intents: readonly NicIntent[];
  readonly actions: readonly Action[];
  /** Blocks whose return is not believed. */
  readonly doubted: readonly Cidr[];
  /** Addresses of claims that the node does not have any more. */
  readonly lost: readonly Cidr[];
  /** What Pods with claims want and what is not even asked for. */
  readonly unserved: readonly Unserved[];
  /** What all this means to ranges. */
  readonly ranges: readonly RangeNeed[];
}

const order: readonly Action['do'][] = ['assign', 'attach', 'attachBranch', 'create', 'unassign', 'detach', 'delete'];

/** The plan for this picture; the same picture gives the same plan. */
export function planFor(situation: Situation): Plan {
  const grants = grantsOf(situation);
  const pools = poolsOf(situation, grants);
  const room = nicRoom(situation);
  const trunks = trunkRoom(situation, room);
  const growings: Growing[] = [];
  for (const pool of pools) {
    const earlier = growings.flatMap(({ actions }) => actions);
    growings.push(growPool(pool, situation, { room, trunks, earlier }));
  }
  const growing = new Set(growings.flatMap(({ actions }) => actions).flatMap((action) => ('nic' in action ? [action.nic] : [])));
  const shrinkings = pools.map((pool) => shrinkPool(pool, situation, growing));
  const remnants = leftovers(situation, grants, growing);
  const { claims, releases, spec } = situation;
  const { here, away } = claims;
  // What is asked back and never taken would be nobody's.
  const forClaims = releases ? [...away, ...claims.askBack] : [];
  const askBack = new Set([...shrinkings.flatMap((shrinking) => shrinking.askBack), ...forClaims]);
  const withdrawn = new Set(shrinkings.flatMap((shrinking) => shrinking.withdraw));
  // What the agent is to take off its list of what it gave back is on the node all the same.
  const kept = releases ? [] : situation.nics.flatMap((nic) => (isPluggedInto(nic, spec.instance) ? nic.blocks : []));
  const held = new Set([...grants.flatMap(({ blocks }) => blocks), ...kept]);
  const actions = [...[...growings, ...shrinkings].flatMap((part) => part.actions), ...withoutSpoiled(situation, grants)];
  // A branch whose trunk was pulled is one still.
  const deletes = remnants.map(({ id, branch }): Action => ({ do: branch === undefined ? 'delete' : 'detach', nic: id }));
  const wholes = [...shrinkings.flatMap((shrinking) => shrinking.wholes), ...(mayShrink(situation) ? idleTrunks(situation) : [])];
  // What is not unplugged now stays granted, or the agent would forget that it gave it back.
  const goes = actions.length === 0 && !situation.detachStopped ? wholes.slice(0, 1) : [];
  const release = new Set([...shrinkings.flatMap((shrinking) => shrinking.release), ...goes]);
  const detaches = goes.map((nic): Action => ({ do: 'detach', nic }));
  const inOrder = [...actions, ...detaches, ...deletes].sort((a, b) => order.indexOf(a.do) - order.indexOf(b.do));
  const intents = [...growings.flatMap((one) => one.intents), ...trunks.intents(), ...arriving(situation, remnants)];
  return {
    nics: grants
      .filter(({ id }) => !release.has(id))
      .map((grant) => {
        const claimed = grant.blocks.filter((block) => here.has(block) || away.has(block));
        // A claim's is asked back only while it is wanted elsewhere; and what the agent has let go of is asked back until it is granted no more.
        const stays = (block: Cidr): boolean =>
          grant.reclaiming.includes(block) && !here.has(block) && !withdrawn.has(block) && (releases || spec.returned.includes(block));
        const reclaiming = grant.blocks.filter((block) => stays(block) || askBack.has(block));
        return { ...grant, reclaiming, ...(claimed.length > 0 && { claimed }) };
      }),
    // In one order, whichever is served first: another order would be another status to write.
    growth: pools
      .map((pool, i) => ({ subnet: pool.name, ...(growings[i]?.stop ?? { stoppedBy: 'none' as const, text: '' }) }))
      .sort((a, b) => (a.subnet < b.subnet ? -1 : 1)),
    intents: intents.map((intent) => (isNext(intent, inOrder) ? { ...intent, called_ms: situation.now_ms } : intent)),
    actions: inOrder,
    doubted: shrinkings.flatMap((shrinking) => shrinking.doubted),
    unserved: growings.flatMap(({ unserved }) => unserved),
    ranges: pools.flatMap((pool, i) => rangeNeedOf(pool, growings[i] ?? { actions: [] }) ?? []),
    lost: [...here, ...away].filter((block) => !held.has(block)),
  };
}

/** Its call is the one that is made now: it may bring a NIC that no read shows for a while, however old the intent is. */
function isNext({ token }: NicIntent, [first]: readonly Action[]): boolean {
  return first?.do === 'create' && first.intent.token === token;
}

/**
 * Prefixes that no Pod gets, since an address in them is a claim's: nobody was told of them. What another program has stays: on interfaces that are none of
 * ours, on a first one that serves no PodSubnet, and on one that does what was there before us.
 */
function withoutSpoiled(situation: Situation, grants: readonly GrantedNic[]): Action[] {
  const { nics, claims, foreign } = situation;
  const { spoiled } = claims;
  if (!mayShrink(situation) || spoiled.size === 0) return [];
  const serving = new Set(grants.flatMap(({ id, subnet }) => (subnet === undefined ? [] : [id])));
  return nics.flatMap((nic): Action[] => {
    const { id, blocks } = nic;
    if (isWhole(nic) || nic.whose !== undefined || !serving.has(id)) return [];
    const bad = blocks.filter((block) => spoiled.has(block) && !foreign.has(block));
    return bad.length === 0 ? [] : [{ do: 'unassign', nic: id, blocks: bad }];
  });
}

/** Whether anything may be taken away now. */
function mayShrink({ shrinkStopped, stopped }: Situation): boolean {
  return !shrinkStopped && stopped === undefined;
}

/** NICs of ours that are attached to nothing and that no pool takes: to be deleted, unless an unsure read has only lost sight of where they are. */
function leftovers(situation: Situation, grants: readonly GrantedNic[], growing: ReadonlySet<NicId>): CloudNic[] {
  const { nics, cluster, node, spec, limits, now_ms } = situation;
  if (!mayShrink(situation)) return [];
  return nics.filter(
    (nic) =>
      isOurs(nic, cluster, node) &&
      nic.attachment === undefined &&
      !growing.has(nic.id) &&
      !grants.some(({ id }) => id === nic.id) &&
      (now_ms - nic.createdAt_ms >= limits.nicAge_ms || spec.draining !== undefined),
  );
}

/** Intents whose NIC is made and not yet plugged in: the note stays until it is, since the next read may not show the NIC. */
function arriving({ intents, nics }: Situation, remnants: readonly CloudNic[]): NicIntent[] {
  return intents.filter(({ token }) =>
    nics.some((nic) => intentOf(nic) === token && !remnants.includes(nic) && (nic.attachment?.state ?? 'attaching') === 'attaching'),
  );
}
