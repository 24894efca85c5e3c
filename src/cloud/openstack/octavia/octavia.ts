/**
 * Load balancers by Octavia v2: one for each Service, found by its tags, made whole in one request, then changed one request at a time.
 *
 * Invariants
 * - nothing is made before it was looked for; of two by the same tags the one that users know is kept, and the other goes
 * - only what has our tags is changed, and all that is in it is ours
 * - a load balancer that Octavia gave up on before anybody was told its address goes, and another is made; one that users know is never deleted for that
 */
import { familyOf } from '../../../net/address.ts';
import type { Tags } from '../../cloud.ts';
import type { LoadBalancers, Standing, Step, WantedLoadBalancer } from '../../load-balancers.ts';
import type { Context } from '../context.ts';
import type { Session, Task } from '../session.ts';
import { allWordsOf, tagsIn } from '../tags.ts';
import { type BalancerOptions, type Octavia, octaviaOf } from './calls.ts';
import { type FloatingIps, floatingIps } from './floating.ts';
import type { Balancer } from './objects.ts';
import { missingForBalancers } from './permissions.ts';
import { nextChange, wholeBody } from './plan.ts';
import { resolver } from './resolve.ts';

/** Of a name or description; what is longer is cut. */
const LONGEST_NAME = 255;

/** With what to work. */
interface Parts {
  readonly options: BalancerOptions;
  readonly octavia: Octavia;
  readonly floating: FloatingIps;
  readonly resolved: ReturnType<typeof resolver>;
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
  const surplus = others.find(({ provisioning }) => !isChanging(provisioning));
  if (one === undefined) return { state: 'absent', next: await creation(parts, want, task) };
  if (surplus !== undefined) return { state: 'changing', id: one.id, next: removal(parts, surplus) };
  if (isChanging(one.provisioning)) return { state: 'changing', id: one.id, words: one.provisioning };
  if (one.provisioning !== 'ERROR') return await lookInside(parts, one, want, task);
  const words = `provisioning_status ERROR, operating_status ${one.operating}`;
  return { state: 'broken', id: one.id, words, ...(want.told === undefined && { next: removal(parts, one) }) };
}

/** Floating IPs go first: without their port nobody would find those that are not ours. */
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
  if (one !== undefined) return { state: 'there', id: one.id, next: removal(parts, one) };
  const [changing] = left;
  return changing === undefined ? { state: 'absent' } : { state: 'changing', id: changing.id, words: changing.provisioning };
}

async function lookInside(parts: Parts, one: Balancer, want: WantedLoadBalancer, task: Task): Promise<Standing> {
  const { octavia, floating, resolved, options } = parts;
  const { id, operating, address } = one;
  const onIt = await floating.on(one.port, task);
  const nextFloating = await floating.next(one.port, onIt, want, task);
  const own = onIt[0]?.address ?? address;
  const told = nextFloating === undefined ? { address: own } : {};
  const { listeners } = await resolved(want, [familyOf(address)], task);
  const change = nextChange(listeners, await octavia.whole(id, task), options);
  const next =
    change === undefined ? nextFloating : step(parts, change.kind, `${id} ${change.text}`, (later) => octavia.send(change.request, later));
  const isOther = want.address !== undefined && nextFloating === undefined && own !== want.address;
  const remark = isOther ? `; its address cannot become ${want.address}: for that, make the Service anew` : '';
  return { state: 'there', id, words: `${operating} at ${address}${remark}`, ...told, ...(next !== undefined && { next }) };
}

async function creation(parts: Parts, want: WantedLoadBalancer, task: Task): Promise<Step> {
  const { octavia, resolved, options } = parts;
  const { subnet, listeners } = await resolved(want, want.families, task);
  const isPublic = options.floatingNetwork !== undefined && !want.isInternal;
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
