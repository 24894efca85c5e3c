/** What a node is told by its object: what it may use, why it does not grow, and for people how it stands. */
import { isDeepStrictEqual } from 'node:util';
import type { CloudNetwork } from '../cloud/cloud.ts';
import type { NodeNetwork, NodeNetworkStatus } from '../store/node-network.ts';
import { withReady } from './conditions.ts';
import { heldBy } from './counting.ts';
import { impossibleBlocks } from './grants.ts';
import type { NodeMemory } from './memory.ts';
import { nodeStanding } from './node-standing.ts';
import { notesOf } from './notes.ts';
import type { Plan } from './plan.ts';
import { isHeldBack, refusedReleases } from './refused.ts';
import type { Situation } from './situation.ts';
import { toldSettings } from './told-settings.ts';
import { isFirst } from './uses.ts';
import type { World } from './world.ts';

/** What there is to tell. */
export interface Telling {
  readonly node: NodeNetwork;
  readonly network: CloudNetwork;
  readonly situation: Situation;
  /** What should be done, and what of it is not put off. */
  readonly planned: Plan;
  readonly plan: Plan;
}

/** Another program's NIC is told without its blocks. */
function isFirstUnseen({ nics, spec }: Situation): boolean {
  return nics.some((nic) => nic.attachment?.instance === spec.instance && isFirst(nic) && nic.whose !== undefined);
}

/** Writes it, when it is another than what is written. @throws Failure store* */
export async function tell(world: World, memory: NodeMemory, { node, network, situation, planned, plan }: Telling): Promise<void> {
  const isSettled = plan.actions.length + plan.intents.length === 0 && !isHeldBack(memory, planned, plan, situation.now_ms);
  const standing = nodeStanding(node.spec, {
    growth: plan.growth,
    subnets: situation.subnets.length,
    refused: refusedReleases(memory, planned, situation.now_ms),
  });
  const status: NodeNetworkStatus = {
    vpcCidrs: network.cidrs,
    nics: plan.nics,
    growth: plan.growth,
    ...(world.tellSubnets && { subnets: situation.subnets.map(({ metadata: { name }, spec: subnet }) => ({ name, spec: subnet })) }),
    ...(world.tellSubnets && {
      held: heldNow(node, situation, plan, memory.pause === undefined),
      conditions: withReady(node.status.conditions ?? [], standing, world.clock.now_ms()),
    }),
    ...toldSettings(world, node.status),
    ...(situation.claims.answers.length > 0 && { claims: situation.claims.answers }),
    ...(node.spec.draining !== undefined && isSettled && { settled: node.spec.draining }),
    notes: { intents: plan.intents, foreign: [...situation.foreign], ...(isFirstUnseen(situation) && { firstUnseen: true }) },
  };
  for (const { subnet, text } of plan.growth) if (text !== '') sayOnce(world, memory, node.name, `${subnet} does not grow: ${text}`);
  for (const nic of situation.nics) {
    const impossible = impossibleBlocks(nic, situation);
    const text = `${impossible.join(', ')}: outside of its subnet, or the gateway's or the NIC's own address; no Pod gets that`;
    if (impossible.length > 0) sayOnce(world, memory, node.name, `the cloud says that ${nic.id} has ${text}`);
  }
  await publish(world, node, status);
  memory.refusedTokens.clear();
}

/** A number for people is not worth a write of its own while more is about to change (`acts`, and there are actions). */
function heldNow({ status }: NodeNetwork, situation: Situation, plan: Plan, acts: boolean): number {
  if (acts && plan.actions.length > 0 && status.held !== undefined) return status.held;
  return heldBy(situation, plan.nics)
    .values()
    .reduce((sum, one) => sum + one, 0);
}

/**
 * Says in the status why nothing moves, and leaves the rest of it as it is; nothing to an object without one, whose agent goes by what an earlier object
 * granted, and would take a first status for the end of that. @throws Failure store*
 */
export async function tellOfPause(world: World, memory: NodeMemory, node: NodeNetwork): Promise<void> {
  if (node.spec.remembered !== undefined && notesOf(node.status) === undefined) return;
  const stop = memory.pause?.stop ?? { stoppedBy: 'cloud', text: 'the cloud was not read yet' };
  const { settings: _, ...status } = node.status;
  await publish(world, node, {
    ...status,
    ...toldSettings(world, node.status),
    growth: node.spec.demand.map(({ subnet }) => ({ subnet, ...stop })),
  });
}

async function publish({ networks }: World, node: NodeNetwork, status: NodeNetworkStatus): Promise<void> {
  // Not by their text: the API server sorts keys.
  if (!isDeepStrictEqual(status, node.status)) await networks.writeStatus(node.name, status);
}

/** Logs a warning about a node once, for as long as its text is not another. */
export function sayOnce({ log }: World, memory: NodeMemory, node: string, text: string): void {
  if (memory.said.has(text)) return;
  // Bounded: a text that alternates with many others may be said again.
  if (memory.said.size > 100) memory.said.clear();
  memory.said.add(text);
  log.warn(text, { node });
}
