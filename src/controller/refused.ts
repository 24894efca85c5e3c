/**
 * Calls that the cloud refused for good, so that they are made again less and less often: how often each kind was, and what of a plan is not done now.
 *
 * Invariants
 * - one kind of call that works says nothing of another: an account may create interfaces and not attach them, unassign addresses and not detach
 * - an interface that cannot be attached stays where it is, with its intent, until that is tried again: another in its place would be refused as well
 */
import type { NicId } from '../cloud/cloud.ts';
import type { Action } from './action.ts';
import type { NodeMemory, Pause } from './memory.ts';
import type { NicIntent } from './notes.ts';
import type { Plan } from './plan.ts';
import type { Situation } from './situation.ts';
import type { Stop } from './stop.ts';
import { intentOf } from './tags.ts';

/** What gives back. */
export type Release = Exclude<Action, { readonly subnet: string }>['do'];

/** A refusal so long after the pause of the one before is the first again: what there was to do meanwhile was done. */
const FORGET_ms = 900_000;

/** Refusals in a row that are more than a bad moment of the cloud, or a stale read of ours. */
const LASTING = 3;

/** Refusals of one kind of call in a row. */
export interface Refused {
  readonly times: number;
  readonly pause: Pause;
}

/** Where refusals of growing calls are counted: each kind of call for each PodSubnet by itself. */
export function growthKey({ do: what, subnet }: Pick<Asking, 'do' | 'subnet'>): string {
  return `${what} ${subnet}`;
}

/** A call that is about a PodSubnet. */
export type Asking = Extract<Action, { readonly subnet: string }>;

/** How many there are now in a row, with one more. */
export function timesOf(before: Refused | undefined, now_ms: number): number {
  return before === undefined || now_ms - before.pause.until_ms > FORGET_ms ? 1 : before.times + 1;
}

/** Whether calls of this kind wait for the end of their pause. */
export function isPaused({ releasesRefused }: NodeMemory, release: Release, now_ms: number): boolean {
  return (releasesRefused.get(release)?.pause.until_ms ?? 0) > now_ms;
}

/** The plan without what was refused a moment ago. */
export function withoutRefused(plan: Plan, memory: NodeMemory, situation: Situation): Plan {
  const { nics, intents, now_ms } = situation;
  const waiting = unattachable(memory, situation);
  const stays = plan.actions.flatMap((action) => (action.do === 'delete' && waiting.has(action.nic) ? [action.nic] : []));
  const isLater = (action: Action): boolean => !('subnet' in action) && (isPaused(memory, action.do, now_ms) || stays.includes(action.nic));
  const tokens = nics.flatMap((nic) => (stays.includes(nic.id) ? (intentOf(nic) ?? []) : []));
  const kept = intents.filter(({ token }) => tokens.includes(token) && !plan.intents.some((one) => one.token === token));
  return { ...plan, actions: plan.actions.filter((action) => !isLater(action)), intents: [...plan.intents, ...kept] };
}

/** The plan without further interfaces; what was noted of any before stays noted, and nothing of those that no call was made for. */
export function withoutNics(plan: Plan, { intents }: Situation): Plan {
  const isLater = ({ do: what }: Action): boolean => what === 'create' || what === 'attach';
  const unmade = new Set(plan.actions.flatMap((action) => (action.do === 'create' ? [action.intent.token] : [])));
  const before = (token: string): NicIntent[] => intents.filter((one) => one.token === token);
  return {
    ...plan,
    actions: plan.actions.filter((action) => !isLater(action)),
    intents: plan.intents.flatMap((intent) => (unmade.has(intent.token) ? before(intent.token) : [intent])),
  };
}

/** Whether the node would give more back than it may now. */
export function isHeldBack(memory: NodeMemory, planned: Plan, done: Plan, now_ms: number): boolean {
  return planned.actions.length > done.actions.length || memory.releasesRefused.values().some(({ pause }) => pause.until_ms > now_ms);
}

/** What is not given back although it should be, and why. Empty: all is, or it was tried only a few times. */
export function refusedReleases({ releasesRefused }: NodeMemory, planned: Plan, now_ms: number): Stop[] {
  // Between the end of a pause and the next try it is told as well, or each try would be another text.
  const isWanted = (release: Release): boolean => planned.actions.some((action) => action.do === release);
  const told = [...releasesRefused].filter(
    ([release, { times, pause }]) => times >= LASTING && (pause.until_ms > now_ms || isWanted(release)),
  );
  return told.map(([, { pause }]) => pause.stop);
}

/** Interfaces that the cloud did not attach when it was asked last, while their PodSubnets wait to ask again. */
function unattachable({ attachRefused, growthPauses }: NodeMemory, { spec, instance }: Situation): ReadonlySet<NicId> {
  // A node that leaves wants none.
  if (spec.draining !== undefined || instance.state === 'terminated') return new Set();
  return new Set([...attachRefused].filter(([, subnet]) => growthPauses.has(subnet)).map(([nic]) => nic));
}
