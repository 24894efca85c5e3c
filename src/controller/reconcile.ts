/**
 * One pass over one node: look → plan → tell the agent → make one call → again, until nothing is left to do.
 *
 * Invariants
 * - level-triggered: what is done depends on what is, never on what event woke us
 * - what a call needs to be repeated after a crash, and what the agent must know before it, is written before the call
 * - at most `mostSteps` calls in one pass; the rest is for the next
 */
import type { NicId } from '../cloud/cloud.ts';
import { isRangeNic } from '../cloud/range/ids.ts';
import { asFailure, type Failure, isFailure } from '../errors/failure.ts';
import type { Cidr } from '../net/cidr.ts';
import type { NodeNetwork } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { isOfBirth, isOfClaim } from './claim-refusals.ts';
import type { NodeView } from './claims/candidate.ts';
import { heldBy, withComing, worthOf } from './counting.ts';
import { decisionFor } from './refusal-table.ts';
import { atRest, heed, relieved } from './heed.ts';
import { look, settled_ms } from './look.ts';
import { forgetChanged } from './changed-specs.ts';
import { forgetOld, forgetOther, type NodeMemory, type Picture, noteAskedBack, noteLacked } from './memory.ts';
import { type Notes, notesOf } from './notes.ts';
import { perform, wordsFor } from './perform.ts';
import { type Plan, planFor } from './plan.ts';
import type { Situation } from './situation.ts';
import { withFewerNics } from './nic-room.ts';
import { nextPass_ms } from './next-pass.ts';
import { isPaused, withoutNics, withoutRefused } from './refused.ts';
import { isFirst, isWhole } from './uses.ts';
import { sayOnce, tell, tellOfPause } from './tell.ts';
import type { World } from './world.ts';

const mostSteps = 64;
/** A node that misses more interfaces than that sees no new one at all: others in their place would only cost. */
const MOST_LACKED = 2;

/**
 * Brings one node nearer to what it asks for. Answers with when to come again (milliseconds of the clock) at the latest; undefined: there is no such
 * node any more. @throws Failure store* when the node's object cannot be read or written; a cloud's refusals are remembered instead.
 */
export async function pass(world: World, memory: NodeMemory, name: string): Promise<number | undefined> {
  for (let step = 0; step < mostSteps; step++) {
    const node = await world.networks.get(name);
    if (node === undefined) {
      await world.claims.forget(name);
      return undefined;
    }
    forgetOther(memory, node.spec.instance, world.clock.now_ms());
    forgetOld(memory, world.clock.now_ms());
    forgetChanged(memory, world.subnets(name));
    const picture = await lookOrHeed(world, memory, node);
    if (picture === undefined) {
      if (await isOther(world, node)) continue;
      await tellOfPause(world, memory, node);
      return nextPass_ms(world, memory, undefined);
    }
    await world.claims.heed(node, viewOf(world, memory, name, picture));
    const situation = situationOf(world, memory, node, picture);
    const planned = planFor(situation);
    const isUnread = world.isUnread();
    const allowed = withoutRefused(planned, memory, situation);
    const plan = isUnread ? withoutNics(allowed, situation) : allowed;
    // In the same turn as the plan: no other pass can have counted on the same room.
    const held = heldBy(situation, plan.nics);
    world.holdings.note(name, withComing(held, situation, plan), true);
    world.ranges.planned(name, plan.ranges);
    waitForRoom(world, situation, plan);
    if (!isUnread) world.observe(situation, plan);
    if (plan.lost.length > 0) await world.claims.left(name, plan.lost);
    if (plan.unserved.length > 0 && !isUnread) await world.claims.unserved(plan.unserved);
    doubt(world, memory, situation, plan);
    if (await isOther(world, node)) continue;
    await tell(world, memory, { node, network: picture.facts.network, situation, planned, plan });
    const action = memory.pause === undefined ? plan.actions[0] : undefined;
    if (action === undefined) {
      if (memory.pause === undefined && !isUnread) atRest(memory, plan.growth);
      return nextPass_ms(world, memory, situation);
    }
    let brought: readonly Cidr[] = [];
    try {
      brought = await perform(world, memory, node, action);
      relieved(memory, action);
      world.log.info(`did ${wordsFor(action)}`, { node: name });
    } catch (error) {
      const failed = cloudFailure(error);
      if (isOfClaim(action, failed)) {
        await world.claims.refused(action.claims, failed);
        memory.mustRead = true;
      } else if (isOfBirth(action, failed)) {
        world.claims.refusedAtBirth(action.claims);
        memory.refusedTokens.add(action.intent.token);
      } else heed(world, memory, name, failed, action);
      if (action.do === 'assign' && decisionFor(failed).next === 'readBack') {
        memory.unclear_ms = [...memory.unclear_ms, world.clock.now_ms()];
        world.holdings.noteUnclear(name, action.subnet, worthOf(action.want, situation.subnets.find(isNamed(action.subnet))));
      }
      continue;
    } finally {
      world.ranges.done(name);
    }
    // What goes wrong here is the store's affair, and no refusal of the cloud.
    if (action.do === 'assign' && action.claims !== undefined) await world.claims.assigned(name, action.claims, brought);
  }
  return world.clock.now_ms();
}

/** Whether another machine took the node's name while this one was looked at: what was seen is not to be told to that one. */
async function isOther({ networks }: World, { name, spec }: NodeNetwork): Promise<boolean> {
  return (await networks.get(name))?.spec.instance !== spec.instance;
}

/** The node as claims choose for it. */
function viewOf({ subnets }: World, { fullSubnets: full }: NodeMemory, node: string, { reading, facts, nics }: Picture): NodeView {
  const { subnets: cloudSubnets, tagged } = facts;
  return { subnets: subnets(node), cloudSubnets, tagged, zone: reading.instance.zone, nics, full };
}

/** What is held elsewhere of the PodSubnets that have a ceiling for all nodes together. */
function elsewhereFor({ subnets, holdings }: World, node: string): Situation['elsewhere'] {
  const limited = subnets(node).filter(({ spec }) => spec.perCluster.maximum !== undefined);
  return new Map(limited.map(({ metadata: { name } }) => [name, holdings.elsewhere(node, name)]));
}

function clashesFor({ subnets, clash }: World, node: string): Situation['clashes'] {
  return new Map(
    subnets(node).flatMap((subnet) => {
      const text = clash(subnet);
      return text === undefined ? [] : [[subnet.metadata.name, text] as const];
    }),
  );
}

/** Of PodSubnets that have ranges. */
function rangesFor({ subnets, ranges }: World, node: string): Situation['ranges'] {
  const ranged = subnets(node).filter(({ spec }) => spec.range !== undefined);
  return new Map(ranged.map(({ metadata: { name } }) => [name, ranges.standing(node, name)]));
}

function sharesFor({ subnets, share }: World, node: string): Situation['shares'] {
  return new Map(
    subnets(node).flatMap(({ metadata: { name } }) => {
      const most = share(node, name);
      return most === undefined ? [] : [[name, most] as const];
    }),
  );
}

/** Who was stopped by a ceiling for all nodes together is woken when there is room. */
function waitForRoom({ holdings }: World, { node, elsewhere, spec }: Situation, { growth }: Plan): void {
  for (const subnet of elsewhere.keys()) {
    const isStopped = growth.some((one) => one.subnet === subnet && one.stoppedBy === 'ceiling');
    holdings.waits(node, subnet, isStopped ? (spec.demand.find((one) => one.subnet === subnet)?.waiting ?? 0) : undefined);
  }
}

function isNamed(name: string) {
  return ({ metadata }: PodSubnet): boolean => metadata.name === name;
}

/** undefined: nothing is known of the cloud yet, and it does not answer. While calls are paused, what was known before has to do. */
async function lookOrHeed(world: World, memory: NodeMemory, node: NodeNetwork): Promise<Picture | undefined> {
  if (memory.pause !== undefined) return memory.lastPicture;
  try {
    memory.lastPicture = await look(world, memory, node);
  } catch (error) {
    heed(world, memory, node.name, cloudFailure(error));
  }
  return memory.lastPicture;
}

/** What a call threw. A mistake of ours counts as an unclear answer, and is told apart in the log by its code. */
function cloudFailure(error: unknown): Failure {
  return isFailure(error) ? error : asFailure(error);
}

function situationOf(world: World, memory: NodeMemory, node: NodeNetwork, { reading, facts, nics }: Picture): Situation {
  const { cluster, clock, timings } = world;
  const now_ms = clock.now_ms();
  const notes = notesOf(node.status);
  const { spec, status } = node;
  noteAskedBack(memory, status.nics, now_ms, timings);
  noteLacked(memory, spec.unplugged ?? [], now_ms);
  const areOld = <T>(since: ReadonlyMap<T, number>): Set<T> =>
    new Set([...since].filter(([, since_ms]) => now_ms - since_ms >= timings.stuck_ms).map(([one]) => one));
  return {
    cluster,
    node: node.name,
    spec,
    granted: status.nics,
    intents: (notes?.intents ?? []).filter(({ token }) => !memory.refusedTokens.has(token)),
    foreign: new Set(foreignOf(node, notes, nics)),
    subnets: world.subnets(node.name),
    clashes: clashesFor(world, node.name),
    instance: withFewerNics(reading.instance, world.nicsPerInstance()),
    network: facts.network,
    cloudSubnets: facts.subnets,
    tagged: facts.tagged,
    fullSubnets: new Map([...memory.fullSubnets].map(([id, { stop }]) => [id, stop])),
    nics,
    read_ms: reading.read_ms,
    missing: memory.missing,
    stuck: areOld(memory.askedBackSince_ms),
    lacked: lackedAmong(nics, areOld(memory.lackedSince_ms)),
    keptUntil_ms: memory.keptUntil_ms,
    doubted: new Set([...memory.doubted].filter((block) => spec.returned.includes(block))),
    growthStopped: new Map([...memory.growthPauses].map(([subnet, { stop }]) => [subnet, stop])),
    mostAtOnce: memory.mostAtOnce,
    releases: world.releases,
    isSettled: reading.read_ms >= settled_ms(memory, world),
    shrinkStopped: isPaused(memory, 'unassign', now_ms) || !world.releases,
    detachStopped: isPaused(memory, 'detach', now_ms),
    stopped: memory.pause?.stop,
    claims: world.claims.on(node, nics),
    shares: sharesFor(world, node.name),
    elsewhere: elsewhereFor(world, node.name),
    ranges: rangesFor(world, node.name),
    now_ms,
    limits: { nicAge_ms: timings.nicAge_ms, settle_ms: timings.settle_ms },
  };
}

/** Of ranges the pools say it themselves; a whole one that the node lacks stays counted, but for what hangs on a trunk that is none of ours (trunks.ts). */
function lackedAmong(nics: Picture['nics'], old: ReadonlySet<NicId>): Situation['lacked'] {
  const pooled = new Set(nics.filter((nic) => !isRangeNic(nic.id) && !isWhole(nic)).map(({ id }) => id));
  return new Set([...old].filter((id) => pooled.has(id)).slice(0, MOST_LACKED));
}

/** What the first NIC had when this node was first seen is somebody else's; later it is what was noted then. */
function foreignOf({ status, spec }: NodeNetwork, notes: Notes | undefined, nics: Picture['nics']): Notes['foreign'] {
  if (notes !== undefined && notes.firstUnseen !== true) return notes.foreign;
  const granted = status.nics.flatMap(({ blocks }) => blocks);
  const remembered = spec.remembered ?? [];
  const first = nics.find((nic) => nic.attachment?.instance === spec.instance && isFirst(nic));
  return (first?.blocks ?? []).filter((block) => !granted.includes(block) && !remembered.includes(block));
}

/** What was doubted stays so, until the agent no longer says it. */
function doubt(world: World, memory: NodeMemory, { doubted, node }: Situation, plan: Plan): void {
  memory.doubted.clear();
  for (const block of [...doubted, ...plan.doubted]) memory.doubted.add(block);
  if (plan.doubted.length === 0) return;
  sayOnce(world, memory, node, `returned blocks must be in use by the agent's own numbers and stay: ${plan.doubted.join(', ')}`);
}
