/** Takes a refusal to heart: what is paused, what is asked for less of, what is read again. The table of decision.ts says which. */
import { pauseAfter } from '../cloud/limits/backoff.ts';
import { type Failure, sentence } from '../errors/failure.ts';
import type { Action } from './action.ts';
import { type Decision, decisionFor } from './decision.ts';
import type { NodeMemory, Pause } from './memory.ts';
import { wordsFor } from './perform.ts';
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
    return;
  }
  memory.mustRead ||= decision.next === 'tell';
  if (action.do === 'create') memory.refusedTokens.add(action.intent.token);
  if (!('subnet' in action)) {
    memory.shrinkPause = pause(1);
    return;
  }
  if (decision.next === 'less' && (askForLess(memory, action) || isOneOfSeveral(world, memory, node, action, pause(1)))) return;
  const attempt = (memory.growthRefusals.get(action.subnet) ?? 0) + 1;
  memory.growthRefusals.set(action.subnet, attempt);
  memory.growthPauses.set(action.subnet, pause(attempt));
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
function isOneOfSeveral(world: World, memory: NodeMemory, node: string, action: Growing, pause: Pause): boolean {
  const config = world.subnets(node).find(({ metadata }) => metadata.name === action.subnet);
  const nic = 'nic' in action ? memory.lastPicture?.nics.find(({ id }) => id === action.nic) : undefined;
  const full = action.do === 'create' ? action.intent.cloudSubnet : nic?.subnet;
  if (config?.spec.cloudSubnets === undefined || full === undefined) return false;
  memory.fullSubnets.set(full, pause);
  memory.mostAtOnce.delete(action.subnet);
  return true;
}

type Growing = Extract<Action, { readonly subnet: string }>;

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

/** All went well: the next refusal is the first again. `growing`: the PodSubnets that got what they asked for. */
export function relieved(memory: NodeMemory, growing: readonly { readonly subnet: string }[]): void {
  memory.refusals = 0;
  for (const { subnet } of growing) {
    memory.growthRefusals.delete(subnet);
    memory.mostAtOnce.delete(subnet);
  }
}
