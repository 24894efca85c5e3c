/** Takes a refusal to heart: what is paused, what is asked for less of, what is read again. The table of refusal-table.ts says which. */
import type { NicId } from '../cloud/cloud.ts';
import { pauseAfter } from '../cloud/limits/backoff.ts';
import { type Failure, sentence } from '../errors/failure.ts';
import type { Growth } from '../store/node-network.ts';
import type { Action } from './action.ts';
import { type Decision, decisionFor } from './refusal-table.ts';
import type { NodeMemory, Pause } from './memory.ts';
import { wordsFor } from './perform.ts';
import { type Asking, growthKey, type Release, timesOf } from './refused.ts';
import type { World } from './world.ts';

/** @param action absent when reading was refused */
export function heed(world: World, memory: NodeMemory, node: string, failed: Failure, action?: Action): void {
  const decision = decisionFor(failed);
  const what = action === undefined ? 'read the cloud' : wordsFor(action);
  world.log.warn(`could not ${what}: ${sentence(failed)}`, { node, code: failed.code, next: decision.next });
  const pause = (attempt: number): Pause => ({
    stop: { stoppedBy: decision.stoppedBy, text: `${needOf(action, decision.next)}${textOf(failed)}` },
    until_ms: world.clock.now_ms() + pauseAfter(decision.pause, attempt, world.random),
  });
  if (action === undefined || decision.next === 'retry' || decision.next === 'readBack') {
    memory.refusals++;
    memory.pause = pause(memory.refusals);
    memory.mustRead ||= decision.next !== 'retry';
    if (action !== undefined && !('subnet' in action)) noteRelease(world, memory, action.do, () => memory.pause ?? pause(1));
    return;
  }
  memory.mustRead ||= decision.next === 'tell';
  if (action.do === 'create') memory.refusedTokens.add(action.intent.token);
  if (!('subnet' in action)) {
    noteRelease(world, memory, action.do, pause);
    return;
  }
  if (decision.next === 'less' && (askForLess(memory, action) || isOneOfSeveral(world, memory, node, action, pause(1)))) return;
  if (action.do === 'attach' || action.do === 'attachBranch') noteUnattached(memory, action);
  const times = timesOf(memory.growthRefused.get(growthKey(action)), world.clock.now_ms());
  const refused = { times, pause: pause(times) };
  memory.growthRefused.set(growthKey(action), refused);
  memory.growthPauses.set(action.subnet, refused.pause);
}

function noteRelease({ clock }: World, { releasesRefused }: NodeMemory, release: Release, pause: (times: number) => Pause): void {
  const times = timesOf(releasesRefused.get(release), clock.now_ms());
  releasesRefused.set(release, { times, pause: pause(times) });
}

/** Those that are gone are forgotten. */
function noteUnattached({ attachRefused, lastPicture }: NodeMemory, { nic, subnet }: Asking & { readonly nic: NicId }): void {
  for (const id of attachRefused.keys()) if (lastPicture?.nics.some((one) => one.id === id) !== true) attachRefused.delete(id);
  attachRefused.set(nic, subnet);
}

/** Half of what did not fit; false when it was one block already. */
function askForLess(memory: NodeMemory, action: Action): boolean {
  const want = action.do === 'assign' ? action.want : action.do === 'create' ? action.intent.want : {};
  const asked = Math.max(want.addresses4 ?? 0, want.prefixes4 ?? 0);
  const less = Math.floor(Math.min(asked, memory.mostAtOnce.get('subnet' in action ? action.subnet : '') ?? asked) / 2);
  if (less < 1 || !('subnet' in action)) return false;
  memory.mostAtOnce.set(action.subnet, less);
  return true;
}

/** Of a PodSubnet with several subnets the next one is tried; this one is left alone for the pause. */
function isOneOfSeveral(world: World, memory: NodeMemory, node: string, action: Asking, pause: Pause): boolean {
  const config = world.subnets(node).find(({ metadata }) => metadata.name === action.subnet);
  const nic = 'nic' in action ? memory.lastPicture?.nics.find(({ id }) => id === action.nic) : undefined;
  const full = action.do === 'create' ? action.intent.cloudSubnet : nic?.subnet;
  if (config?.spec.cloudSubnets === undefined || full === undefined) return false;
  memory.fullSubnets.set(full, pause);
  memory.mostAtOnce.delete(action.subnet);
  return true;
}

/** A cloud that refuses what a datapath needs is no use asking for it another time: the words say what that is. */
function needOf(action: Action | undefined, next: Decision['next']): string {
  if (action?.do !== 'create' || next !== 'tell') return '';
  const { multiMac, use, subnet } = action.intent;
  if (multiMac === true)
    return `${subnet} needs an interface behind which there may be further Ethernet addresses (no port security, for datapath macvlan): `;
  return use === 'trunk' ? `${subnet} needs a trunk (for datapath branch): ` : '';
}

/** For the Pod's event: no countdown, or it would be another text each time. */
function textOf(failed: Failure): string {
  return failed.details === '' ? failed.message : `${failed.message}: ${failed.details}`;
}

/** It was done: the next refusal of its kind is the first again. */
export function relieved(memory: NodeMemory, action: Action): void {
  memory.refusals = 0;
  if (!('subnet' in action)) {
    memory.releasesRefused.delete(action.do);
    return;
  }
  if (action.do === 'attach' || action.do === 'attachBranch') memory.attachRefused.delete(action.nic);
  if (!memory.mostAtOnce.has(action.subnet)) memory.growthRefused.delete(growthKey(action));
}

/** Nothing is left to do: PodSubnets that nothing stops got what they asked for. */
export function atRest(memory: NodeMemory, growth: readonly Growth[]): void {
  memory.refusals = 0;
  for (const { subnet, stoppedBy } of growth) if (stoppedBy === 'none') memory.mostAtOnce.delete(subnet);
}
