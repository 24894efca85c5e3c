/**
 * Puts back what somebody removed behind our back, within a second of the kernel's event, and says in the log what and how often.
 *
 * Invariants
 * - only what a live attachment or the node itself wants is put back; a verb at work on the attachment has precedence
 * - events that come together are answered together; after an overrun everything is compared
 * - what no event tells of (sysctls, MTUs) is looked at once in a while, for the node itself; a Pod's own settings are the Pod's affair
 */
import type { PodInterface } from '../datapath/interface.ts';
import { planOf } from '../datapath/datapath.ts';
import { asFailure, type Failure, isFailure, sentence } from '../errors/failure.ts';
import type { Difference } from '../kernel/compare.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { KernelEvent } from '../kernel/monitor.ts';
import type { Link } from '../kernel/netlink/link.ts';
import { ruleKey } from '../kernel/snapshot.ts';
import { describe, type KernelObject, nameOf, type Plan } from '../kernel/state.ts';
import { ipv6Switch } from '../kernel/sysctl.ts';
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
  /** Of chained plugins, those that no verb is working on. */
  others(): Iterable<Plan>;
  /** How often the node's own plan is compared without being told of anything: of sysctls and MTUs the kernel tells nobody. */
  readonly lookEvery_ms: number;
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
  /** Indexes of links that Pods stand on: one that is told of again is no other. */
  const seen = new Set<number>();
  let suspects: Suspects = noSuspects();
  let timer: NodeJS.Timeout | undefined;

  const repair = (plans: readonly Plan[], why: string, events: readonly KernelEvent[] = []): Difference[] =>
    defended.kernel.compareAll(plans).flatMap((compared, i) => {
      const plan = plans[i] ?? [];
      const differences = withChangedTables(differencesIn(compared), plan, events);
      for (const difference of differences) tell(defended.log, counts, difference, why);
      putBack(defended, plan, differences);
      return differences;
    });
  const plans = (): Plan[] => [defended.nodePlan(), ...Iterator.from(defended.pods()).map(planOf), ...defended.others()];
  const answer = (): void => {
    timer = undefined;
    const gathered = suspects;
    suspects = noSuspects();
    try {
      repair(gathered.all ? plans() : touchedBy(gathered.events, plans()), 'removed behind our back', gathered.events);
    } catch (error) {
      defended.log.error(`repair failed: ${sentence(asFailure(error))}`);
    }
  };
  const look = setInterval(() => {
    try {
      repair([defended.nodePlan()], 'changed without a word');
    } catch (error) {
      defended.log.error(`repair failed: ${sentence(asFailure(error))}`);
    }
  }, defended.lookEvery_ms);
  const unwatch = defended.kernel.watch((event) => {
    if (!suspect(event, suspects, () => isNewParent(event, seen, defended.pods()))) return;
    timer ??= setTimeout(answer, GATHER_ms);
  });
  return {
    repairAll: () => repair(plans(), 'not as it should be'),
    stop() {
      unwatch();
      clearInterval(look);
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

/**
 * Notes what the event makes worth a look; false when nothing. A link that is up is good news, and so is an address that is there; but a link that Pods' links
 * stood on has come back without them.
 */
function suspect(event: KernelEvent, suspects: Suspects, isParentBack: () => boolean): boolean {
  if ((event.kind === 'link' && event.link.up && !isParentBack()) || event.kind === 'address') return false;
  if (event.kind === 'overrun' || suspects.events.length >= EVENTS_LIMIT) suspects.all = true;
  else suspects.events.push(event);
  return true;
}

/** Whether links of Pods stand, or stood, on the link of the event, which was not there before. */
function isNewParent(event: KernelEvent, seen: Set<number>, pods: Iterable<PodInterface>): boolean {
  if (event.kind !== 'link') return false;
  const { name, mac, index } = event.link;
  if (seen.has(index)) return false;
  const isParent = Iterator.from(pods).some(
    (pod) => pod.datapath !== 'routed-veth' && (pod.underlay.parent === name || pod.underlay.parentMac === mac),
  );
  if (isParent) seen.add(index);
  return isParent;
}

/** Whether the event tells that something of the plan went: judged by what the kernel identifies it by. */
function concerns(event: KernelEvent, plan: Plan): boolean {
  switch (event.kind) {
    case 'overrun':
      return true;
    case 'link':
    case 'link-gone':
      return plan.some((object) => concernsLink(event.link, object));
    case 'nft-changed':
      return plan.some((object) => isTable(object, event.table));
    case 'address':
    case 'address-gone':
      return plan.some((object) => object.kind === 'address' && object.address === event.address.address);
    case 'route-gone':
      return plan.some((object) => object.kind === 'route' && object.dst === event.route.dst && object.table === event.route.table);
    case 'rule-gone':
      return plan.some((object) => object.kind === 'rule' && ruleKey(object) === ruleKey(event.rule));
  }
}

/** Plans that an event concerns, and all others in the same Pods: what an interface loses, others of its Pod may have had routes by. */
function touchedBy(events: readonly KernelEvent[], plans: readonly Plan[]): Plan[] {
  const hit = new Set(plans.filter((plan) => events.some((event) => concerns(event, plan))));
  const pods = new Set([...hit].flatMap(podsIn));
  return plans.filter((plan) => hit.has(plan) || podsIn(plan).some((pod) => pods.has(pod)));
}

/** Paths of the namespaces beside the host's. */
function podsIn(plan: Plan): string[] {
  return plan.flatMap(({ where }) => (where.netns === 'path' ? [where.path] : []));
}

function concernsLink({ name, mac }: Link, object: KernelObject): boolean {
  if (object.kind === 'link' || object.kind === 'veth') return object.name === name;
  if (object.kind === 'child') return object.parent === name || (object.parentMac !== undefined && object.parentMac === mac);
  return object.kind === 'nic' && object.mac === mac;
}

/** A Pod whose namespace is gone has nothing to compare. @throws Failure any other. */
function differencesIn(compared: Difference[] | Failure): Difference[] {
  if (!(compared instanceof Error)) return compared;
  if (isFailure(compared, 'netnsMissing') || isFailure(compared, 'notNetns')) return [];
  throw compared;
}

/** Applies what differs. A missing veth takes all that depends on it along, so the whole plan is applied then. What is somebody else's stays. */
function putBack({ kernel, log }: Defended, plan: Plan, differences: readonly Difference[]): void {
  const ours = differences.filter(({ kind }) => kind !== 'foreign');
  if (ours.length === 0) return;
  const wanted = new Set(ours.map(({ object }) => object));
  const whole = ours.some(({ object, kind }) => object.kind === 'veth' && kind === 'missing');
  // A link of another kind that is still there cannot be made again.
  const all = plan.filter((object) => wanted.has(object) || (object.kind !== 'child' && object.kind !== 'nic'));
  try {
    kernel.apply(whole ? all : plan.filter((object) => wanted.has(object)).flatMap(setRight));
  } catch (error) {
    log.error(`repair failed: ${sentence(asFailure(error))}`);
  }
}

/** What to apply for an object that is there. Making a veth again would be refused, and a shared table of the right version be left as it is. */
function setRight(object: KernelObject): Plan {
  if (object.kind === 'nft-table') return [{ ...object, shared: false }];
  if (object.kind !== 'veth') return [object];
  const { where, name, mac, mtu, ipv6 } = object;
  const ipv6Off = { kind: 'sysctl', where, key: ipv6Switch(name), value: '1' } as const;
  return [...(ipv6 ? [] : [ipv6Off]), { kind: 'link', where, name, mac, mtu }];
}

/** A table is compared by its digest alone, so one that somebody changed inside counts as different because the kernel told so. */
function withChangedTables(differences: Difference[], plan: Plan, events: readonly KernelEvent[]): Difference[] {
  const seen = new Set(differences.map(({ object }) => object));
  const changed = plan.flatMap((object) => {
    const change = events.find((event) => event.kind === 'nft-changed' && isTable(object, event.table));
    if (change?.kind !== 'nft-changed' || seen.has(object)) return [];
    return [{ object, kind: 'changed' as const, problem: `changed by ${change.by}` }];
  });
  return [...differences, ...changed];
}

/** Whether it is the host's table of that name. */
function isTable(object: KernelObject, name: string): boolean {
  return object.kind === 'nft-table' && object.where.netns === 'host' && object.table === name;
}

function tell(log: Log, counts: Map<string, number>, { object, kind, problem }: Difference, why: string): void {
  const what = describe(object);
  if (counts.size >= COUNTS_LIMIT) counts.clear();
  const times = (counts.get(what) ?? 0) + 1;
  counts.set(what, times);
  const where = nameOf(object.where);
  if (kind === 'foreign') log.warn(`${what} in ${where} has no effect: ${problem}; remove that one`, { problem, times });
  else log.warn(`put back ${what} in ${where}: ${why} (${times} ${times === 1 ? 'time' : 'times'})`, { problem, times });
}
