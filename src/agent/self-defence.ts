/**
 * Puts back what somebody removed behind our back, within a second of the kernel's event, and says in the log what and how often.
 *
 * Invariants
 * - only what a live attachment or the node itself wants is put back; a verb at work on the attachment has precedence
 * - events that come together are answered together; after an overrun everything is compared
 */
import type { PodInterface } from '../datapath/interface.ts';
import { planOf } from '../datapath/datapath.ts';
import { asFailure, isFailure, sentence } from '../errors/failure.ts';
import type { Difference } from '../kernel/compare.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { KernelEvent } from '../kernel/monitor.ts';
import { ruleKey } from '../kernel/snapshot.ts';
import { describe, nameOf, type Plan } from '../kernel/state.ts';
import type { Log } from '../log.ts';

/** Long enough to gather what one `ip route flush` does, short enough to be unnoticed. */
const GATHER_ms = 50;
/** More events than this within that time: everything is compared instead. */
const EVENTS_LIMIT = 256;
/** Objects that are counted apart; beyond that, counts start anew. */
const COUNTS_LIMIT = 4096;

/** What the defence looks after. */
export interface Defended {
  readonly kernel: Kernel;
  readonly log: Log;
  /** The plan of the node itself: NICs, rules, table. */
  nodePlan(): Plan;
  /** Live attachments that no verb is working on. */
  pods(): Iterable<PodInterface>;
}

/** The defence at work. */
export interface SelfDefence {
  /** Compares everything with the kernel and puts right what differs; returns what it found. Pods whose namespace is gone are left to DEL and the sweep. */
  repairAll(): Difference[];
  stop(): void;
}

/** Starts to watch. */
export function startSelfDefence(defended: Defended): SelfDefence {
  const counts = new Map<string, number>();
  let suspects: Suspects = noSuspects();
  let timer: NodeJS.Timeout | undefined;

  const repair = (plan: Plan, why: string, events: readonly KernelEvent[] = []): Difference[] =>
    repairPlan(defended, plan, events, (difference) => tell(defended.log, counts, difference, why));
  const answer = (): void => {
    timer = undefined;
    const gathered = suspects;
    suspects = noSuspects();
    try {
      for (const plan of [defended.nodePlan(), ...Iterator.from(defended.pods()).map(planOf)]) {
        if (gathered.all || gathered.events.some((event) => concerns(event, plan)))
          repair(plan, 'removed behind our back', gathered.events);
      }
    } catch (error) {
      defended.log.error(`repair failed: ${sentence(asFailure(error))}`);
    }
  };
  const unwatch = defended.kernel.watch((event) => {
    if (!suspect(event, suspects)) return;
    timer ??= setTimeout(answer, GATHER_ms);
  });
  return {
    repairAll: () => [
      ...repair(defended.nodePlan(), 'not as it should be'),
      ...[...defended.pods()].flatMap((pod) => repair(planOf(pod), 'not as it should be')),
    ],
    stop() {
      unwatch();
      clearTimeout(timer);
    },
  };
}

interface Suspects {
  all: boolean;
  readonly events: KernelEvent[];
}

function noSuspects(): Suspects {
  return { all: false, events: [] };
}

/** Notes what the event makes worth a look; false when nothing. A link that is up is good news. */
function suspect(event: KernelEvent, suspects: Suspects): boolean {
  if (event.kind === 'link' && event.link.up) return false;
  if (event.kind === 'overrun' || suspects.events.length >= EVENTS_LIMIT) suspects.all = true;
  else suspects.events.push(event);
  return true;
}

/** Whether the event tells that something of the plan went: judged by what the kernel identifies it by. */
function concerns(event: KernelEvent, plan: Plan): boolean {
  switch (event.kind) {
    case 'overrun':
      return true;
    case 'link':
    case 'link-gone':
      return plan.some((object) => (object.kind === 'link' || object.kind === 'veth') && object.name === event.link.name);
    case 'nft-changed':
      return plan.some((object) => object.kind === 'nft-table');
    case 'address-gone':
      return plan.some((object) => object.kind === 'address' && object.address === event.address.address);
    case 'route-gone':
      return plan.some((object) => object.kind === 'route' && object.dst === event.route.dst && object.table === event.route.table);
    case 'rule-gone':
      return plan.some((object) => object.kind === 'rule' && ruleKey(object) === ruleKey(event.rule));
  }
}

/** Compares, applies what differs. A missing veth takes all that depends on it along, so the whole plan is applied then. */
function repairPlan(defended: Defended, plan: Plan, events: readonly KernelEvent[], found: (difference: Difference) => void): Difference[] {
  let differences: Difference[];
  try {
    differences = withChangedTables(defended.kernel.compare(plan), plan, events);
  } catch (error) {
    if (isFailure(error, 'netnsMissing') || isFailure(error, 'notNetns')) return [];
    throw error;
  }
  if (differences.length === 0) return [];
  for (const difference of differences) found(difference);
  const wanted = new Set(differences.map(({ object }) => object));
  const whole = differences.some(({ object, problem }) => object.kind === 'veth' && problem === 'missing');
  try {
    defended.kernel.apply(whole ? plan : plan.filter((object) => wanted.has(object) && object.kind !== 'veth'));
  } catch (error) {
    defended.log.error(`repair failed: ${sentence(asFailure(error))}`);
  }
  return differences;
}

/** A table is compared by its digest alone, so one that somebody changed inside counts as different because the kernel told so. */
function withChangedTables(differences: Difference[], plan: Plan, events: readonly KernelEvent[]): Difference[] {
  const change = events.find((event) => event.kind === 'nft-changed');
  if (change === undefined) return differences;
  const seen = new Set(differences.map(({ object }) => object));
  const tables = plan.filter((object) => object.kind === 'nft-table' && !seen.has(object));
  return [...differences, ...tables.map((object) => ({ object, problem: `changed by ${change.by}` }))];
}

function tell(log: Log, counts: Map<string, number>, { object, problem }: Difference, why: string): void {
  const what = describe(object);
  if (counts.size >= COUNTS_LIMIT) counts.clear();
  const times = (counts.get(what) ?? 0) + 1;
  counts.set(what, times);
  log.warn(`put back ${what} in ${nameOf(object.where)}: ${why} (${times} ${times === 1 ? 'time' : 'times'})`, { problem, times });
}
