/**
 * Load balancers by Octavia v2: one for each Service, found by its tags, made whole in one request, then changed one request at a time.
 *
 * Invariants
 * - nothing is made before it was looked for; of two by the same tags the one that users know is kept, and the other goes
 * - only what has our tags is changed, and all that is in it is ours
 * - members come first: whatever else is refused, no address of a Pod that ended stays in it
 * - a load balancer that Octavia gave up on before anybody was told its address goes, and another is made; one that users know is never deleted for that
 */
import { familyOf } from '../../../net/address.ts';
import { cidrFamily } from '../../../net/cidr.ts';
import type { Tags } from '../../cloud.ts';
import type { LoadBalancers, Standing, Step, WantedLoadBalancer } from '../../load-balancers.ts';
import type { Context } from '../context.ts';
import type { Session, Task } from '../session.ts';
import { allWordsOf, tagsIn } from '../tags.ts';
import { type BalancerOptions, type Octavia, octaviaOf } from './calls.ts';
import { type FloatingIps, floatingIps } from './floating.ts';
import type { Balancer } from './objects.ts';
import { missingForBalancers } from './permissions.ts';
import { type Change, memberChange, nextChange, wholeBody } from './plan.ts';
import { type Resolver, resolver } from './resolve.ts';

/** Of a name or description; what is longer is cut. */
const LONGEST_NAME = 255;

/** With what to work. */
interface Parts {
  readonly options: BalancerOptions;
  readonly octavia: Octavia;
  readonly floating: FloatingIps;
  readonly resolved: Resolver;
  readonly begin: (call: string, object?: string) => Task;
}

/** Octavia's load balancers. */
export function octaviaBalancers(session: Session, context: Context, options: BalancerOptions): LoadBalancers {
  const begin = (call: string, object = 'load balancers'): Task => context.begin(call, object);
  const parts: Parts = {
    options,
    octavia: octaviaOf(session),
    floating: floatingIps(context.neutron, options.floatingNetwork, (text) => begin(text)),
    resolved: resolver(context.neutron, options.subnet),
    begin,
  };
  return {
    name: 'openstack',
    async list(tags) {
      const task = begin('list load balancers');
      const found = await parts.octavia.balancers(allWordsOf(tags), task);
      const addresses = await parts.floating.ours(tags, task);
      return [...found.map(({ id, words }) => ({ id, tags: tagsIn(words) })), ...addresses.map(({ id, tags: has }) => ({ id, tags: has }))];
    },
    look: (want) => look(parts, want, begin('look', want.name)),
    leave: (tags) => leave(parts, tags, begin('leave')),
    perform: (one) => one.send(),
    missingPermissions: () => missingForBalancers(session, begin('permissions')),
  };
}

async function look(parts: Parts, want: WantedLoadBalancer, task: Task): Promise<Standing> {
  const all = await parts.octavia.balancers(allWordsOf(want.tags), task);
  const [one, ...others] = preferred(all, await known(parts, all, want, task));
  const isAll = want.membersOnly === undefined;
  const surplus = others.find(({ provisioning }) => !isChanging(provisioning));
  if (one === undefined) return { state: 'absent', ...(isAll && { next: await creation(parts, want, task) }) };
  if (surplus !== undefined && isAll) return { state: 'changing', id: one.id, next: await ending(parts, surplus, task) };
  if (isChanging(one.provisioning)) return { state: 'changing', id: one.id, words: one.provisioning };
  if (one.provisioning !== 'ERROR') return await (isAll ? lookInside : lookAtMembers)(parts, one, want, task);
  const isUnknown = isAll && want.told === undefined;
  return { state: 'broken', id: one.id, words: wordsOfError(one), ...(isUnknown && { next: await ending(parts, one, task) }) };
}

/** Floating IPs go first: without their port nobody would find those that are not ours. */
async function ending(parts: Parts, one: Balancer, task: Task): Promise<Step> {
  const [onIt] = await parts.floating.on(one.port, task);
  return onIt === undefined ? removal(parts, one) : parts.floating.away(onIt);
}

function wordsOfError({ operating }: Balancer): string {
  return `provisioning_status ERROR, operating_status ${operating}`;
}

/** As {@link ending}, and of floating IPs also those that are on none any more. */
async function leave(parts: Parts, tags: Tags, task: Task): Promise<Standing> {
  const { octavia, floating } = parts;
  const left = await octavia.balancers(allWordsOf(tags), task);
  for (const one of left) {
    const [onIt] = await floating.on(one.port, task);
    if (onIt !== undefined) return { state: 'there', id: one.id, next: floating.away(onIt) };
  }
  const [stray] = await floating.ours(tags, task);
  if (stray !== undefined) return { state: 'there', id: stray.id, next: floating.away(stray.floating) };
  const one = left.find(({ provisioning }) => !isChanging(provisioning));
  const { state, words } =
    one?.provisioning === 'ERROR' ? ({ state: 'broken', words: wordsOfError(one) } as const) : ({ state: 'there' } as const);
  if (one !== undefined) return { state, id: one.id, ...(words !== undefined && { words }), next: removal(parts, one) };
  const [changing] = left;
  return changing === undefined ? { state: 'absent' } : { state: 'changing', id: changing.id, words: changing.provisioning };
}

async function lookInside(parts: Parts, one: Balancer, want: WantedLoadBalancer, task: Task): Promise<Standing> {
  const { octavia, floating, resolved, options } = parts;
  const { id, operating, address } = one;
  const onIt = await floating.on(one.port, task);
  const own = onIt[0]?.address ?? address;
  const isSettled = floating.isSettled(one, onIt, want);
  const told = isSettled ? { address: own } : {};
  const { listeners } = await resolved.whole(want, [familyOf(address)], task);
  const change = nextChange(listeners, await octavia.whole(id, task), options);
  // Last: a floating IP that cannot be had keeps nothing else back.
  const next = change === undefined ? await floating.next(one, onIt, want, task) : stepOf(parts, one, change);
  const isOther = want.address !== undefined && isSettled && own !== want.address;
  const remark = isOther ? `; its address cannot become ${want.address}: for that, make the Service anew` : '';
  return { state: 'there', id, words: `${operating} at ${address}${remark}`, ...told, ...(next !== undefined && { next }) };
}

/** Tells no address: whether it is as wanted nobody asked. */
async function lookAtMembers(parts: Parts, one: Balancer, want: WantedLoadBalancer, task: Task): Promise<Standing> {
  const listeners = await parts.resolved.members(want.listeners, familyOf(one.address), task);
  const change = memberChange(listeners, await parts.octavia.whole(one.id, task));
  return { state: 'there', id: one.id, words: one.operating, ...(change !== undefined && { next: stepOf(parts, one, change) }) };
}

function stepOf(parts: Parts, { id }: Balancer, { kind, text, request }: Change): Step {
  return step(parts, kind, `${id} ${text}`, (task) => parts.octavia.send(request, task));
}

async function creation(parts: Parts, want: WantedLoadBalancer, task: Task): Promise<Step> {
  const { octavia, resolved, floating, options } = parts;
  const { subnet, listeners } = await resolved.whole(want, want.families, task);
  const isPublic = floating.isWanted(cidrFamily(subnet.cidr), want);
  const body = {
    name: want.name.slice(0, LONGEST_NAME),
    vip_subnet_id: subnet.id,
    tags: allWordsOf(want.tags),
    listeners: wholeBody(listeners, options),
    ...(want.address !== undefined && !isPublic && { vip_address: want.address }),
    ...(options.provider !== undefined && { provider: options.provider }),
    ...(options.flavor !== undefined && { flavor_id: options.flavor }),
  };
  return step(parts, 'create', `makes load balancer ${want.name}`, (one) => octavia.create(body, one));
}

function removal(parts: Parts, { id }: Balancer): Step {
  return step(parts, 'delete', `deletes load balancer ${id}`, (task) => parts.octavia.remove(id, task));
}

function step({ begin }: Parts, kind: Step['kind'], text: string, send: (task: Task) => Promise<void>): Step {
  return { kind, isRelease: kind === 'delete', text, send: () => send(begin(text)) };
}

/** The one whose address users were told. Of one alone nobody has to ask. */
async function known({ floating }: Parts, all: readonly Balancer[], { told }: WantedLoadBalancer, task: Task): Promise<string | undefined> {
  if (all.length < 2 || told === undefined) return undefined;
  for (const { id, address, port } of all)
    if (address === told || (await floating.on(port, task)).some((one) => one.address === told)) return id;
  return undefined;
}

function isChanging(provisioning: Balancer['provisioning']): boolean {
  return provisioning.startsWith('PENDING_');
}

/** The one that users know; else one that works; else the oldest. */
function preferred(all: readonly Balancer[], first: string | undefined): Balancer[] {
  const rank = ({ id, provisioning }: Balancer): number => {
    if (id === first) return 0;
    return provisioning === 'ERROR' || provisioning === 'PENDING_DELETE' ? 2 : 1;
  };
  return all.toSorted((a, b) => rank(a) - rank(b) || a.createdAt_ms - b.createdAt_ms || (a.id < b.id ? -1 : 1));
}
