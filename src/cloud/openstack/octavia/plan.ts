/**
 * From what a load balancer is to be like and how it is to the next request of Octavia: pure. One at a time, since each makes the whole load balancer
 * immutable until Octavia has carried it out.
 *
 * Order: members first, since Pods come and go all the time; a listener only once its pool has members and a monitor; what is not wanted any more last.
 */
import type { WantedListener, WantedMember } from '../../load-balancers.ts';
import type { Request } from '../session.ts';
import type { Listener, Member, Pool } from './objects.ts';

/** How members are chosen and looked after: the same for all load balancers. */
export interface Balancing {
  readonly algorithm: 'ROUND_ROBIN' | 'LEAST_CONNECTIONS' | 'SOURCE_IP' | 'SOURCE_IP_PORT';
  /** Whether Octavia itself looks whether Pods answer. */
  readonly monitor: boolean;
}

/** A load balancer with all that is in it. */
export interface Whole {
  readonly id: string;
  readonly listeners: readonly Listener[];
  readonly pools: readonly (Pool & { readonly members: readonly Member[] })[];
}

/** A request, and in a few words what it does. */
export interface Change {
  readonly kind: 'assign' | 'unassign';
  readonly text: string;
  readonly request: Request;
}

/** Octavia looks at a Pod that often, waits that long for its answer, and believes it after that many of the same. */
const MONITOR = { delay: 5, timeout: 3, max_retries: 2, max_retries_down: 3 } as const;
const monitorTypes = { TCP: 'TCP', UDP: 'UDP-CONNECT', SCTP: 'SCTP' } as const;

/** Names a port's pool and listener; what has another name is not wanted. */
function nameOf({ transport, port }: Pick<WantedListener, 'transport' | 'port'>): string {
  return `${transport.toLowerCase()}-${port}`;
}

/** `listeners` of the one POST that makes it all. All of one family, with Neutron's own subnets. */
export function wholeBody(listeners: readonly WantedListener[], balancing: Balancing): object[] {
  return listeners.map((one) => ({
    ...listenerBody(one),
    default_pool: {
      ...poolBody(one, balancing),
      protocol: one.transport,
      members: one.members.map(memberBody),
      ...(balancing.monitor && { healthmonitor: monitorBody(one) }),
    },
  }));
}

/** undefined: it is as it is to be. `wanted`: of one family, with Neutron's own subnets. */
export function nextChange(wanted: readonly WantedListener[], is: Whole, balancing: Balancing): Change | undefined {
  const members = memberChange(wanted, is);
  if (members !== undefined) return members;
  for (const one of wanted) {
    const change = poolChange(one, poolOf(one, is), is, balancing);
    if (change !== undefined) return change;
  }
  for (const one of wanted) {
    const change = listenerChange(one, poolOf(one, is)?.id ?? '', is);
    if (change !== undefined) return change;
  }
  return removal(wanted, is);
}

/** The same of members alone, in pools that are there. */
export function memberChange(wanted: readonly WantedListener[], is: Whole): Change | undefined {
  for (const one of wanted) {
    const pool = poolOf(one, is);
    if (pool === undefined) continue;
    if (!sameMembers(one.members, pool.members)) return setMembers(one, pool, one.members);
    const placed = withoutUnplaced(one.members, pool.members);
    if (placed.length < one.members.length) return setMembers(one, pool, placed);
  }
  return undefined;
}

/**
 * Without some of those whose subnet was not known when they were made, and is now: a member keeps the subnet it was made with, so it goes, and the next
 * request makes it anew. Half of them at a time: the others serve meanwhile. So one that is alone stays as it is until another is beside it.
 */
function withoutUnplaced(wanted: readonly WantedMember[], are: readonly Member[]): readonly WantedMember[] {
  if (wanted.length === 1) return wanted;
  const unplaced = new Set(are.flatMap((one) => (one.subnet === undefined ? [endOf(one)] : [])));
  const late = wanted.filter((one) => one.subnet !== undefined && unplaced.has(endOf(one)));
  const goes = new Set(late.slice(0, Math.ceil(late.length / 2)));
  return wanted.filter((one) => !goes.has(one));
}

function poolOf(one: WantedListener, { pools }: Whole): Whole['pools'][number] | undefined {
  return pools.find(({ name }) => name === nameOf(one));
}

function setMembers(one: WantedListener, { id }: Pool, members: readonly WantedMember[]): Change {
  return {
    kind: 'assign',
    text: `gives ${nameOf(one)} ${members.length} members`,
    request: { method: 'PUT', path: `/pools/${id}/members`, body: { members: members.map(memberBody) } },
  };
}

function poolChange(one: WantedListener, pool: Pool | undefined, { id }: Whole, balancing: Balancing): Change | undefined {
  const name = nameOf(one);
  if (pool === undefined) {
    const body = { pool: { ...poolBody(one, balancing), protocol: one.transport, loadbalancer_id: id } };
    return { kind: 'assign', text: `makes pool ${name}`, request: { method: 'POST', path: '/pools', body } };
  }
  const { algorithm, persistence, monitor } = pool;
  if (algorithm !== balancing.algorithm || !samePersistence(one, persistence)) {
    const { name: _, ...fields } = poolBody(one, balancing);
    // null takes away what is there.
    const body = { pool: { session_persistence: null, ...fields } };
    return { kind: 'assign', text: `changes pool ${name}`, request: { method: 'PUT', path: `/pools/${pool.id}`, body } };
  }
  if (monitor === undefined && balancing.monitor) {
    const body = { healthmonitor: { ...monitorBody(one), pool_id: pool.id } };
    return { kind: 'assign', text: `makes a monitor for ${name}`, request: { method: 'POST', path: '/healthmonitors', body } };
  }
  if (monitor === undefined || balancing.monitor) return undefined;
  return { kind: 'unassign', text: `deletes the monitor of ${name}`, request: { method: 'DELETE', path: `/healthmonitors/${monitor}` } };
}

function listenerChange(one: WantedListener, pool: string, { id, listeners }: Whole): Change | undefined {
  const name = nameOf(one);
  const listener = listeners.find(({ protocol, port }) => protocol === one.transport && port === one.port);
  if (listener === undefined) {
    const body = { listener: { ...listenerBody(one), loadbalancer_id: id, default_pool_id: pool } };
    return { kind: 'assign', text: `listens on ${name}`, request: { method: 'POST', path: '/listeners', body } };
  }
  if (listener.pool === pool && sameSet(one.sources, listener.sources)) return undefined;
  const body = { listener: { default_pool_id: pool, allowed_cidrs: one.sources.length === 0 ? null : one.sources } };
  return { kind: 'assign', text: `changes ${name}`, request: { method: 'PUT', path: `/listeners/${listener.id}`, body } };
}

/** A pool that a listener uses cannot be deleted. */
function removal(wanted: readonly WantedListener[], { listeners, pools }: Whole): Change | undefined {
  const listener = listeners.find(({ protocol, port }) => !wanted.some((one) => one.transport === protocol && one.port === port));
  if (listener !== undefined) {
    const text = `listens no more on ${listener.protocol.toLowerCase()}-${listener.port}`;
    return { kind: 'unassign', text, request: { method: 'DELETE', path: `/listeners/${listener.id}` } };
  }
  const names = new Set(wanted.map(nameOf));
  // Of two with one name the first is used: an answer that was lost left the other.
  const pool = pools.find(({ name, id }) => !names.has(name) || pools.find((one) => one.name === name)?.id !== id);
  return pool && { kind: 'unassign', text: `deletes pool ${pool.name}`, request: { method: 'DELETE', path: `/pools/${pool.id}` } };
}

function listenerBody(one: WantedListener): object {
  const { transport, port, sources } = one;
  return { name: nameOf(one), protocol: transport, protocol_port: port, ...(sources.length > 0 && { allowed_cidrs: sources }) };
}

function poolBody(one: WantedListener, { algorithm }: Balancing): { readonly name: string; readonly session_persistence?: object } {
  const { affinity, transport } = one;
  const fields = { name: nameOf(one), lb_algorithm: algorithm };
  if (affinity === undefined) return fields;
  // For TCP Octavia takes none: how long HAProxy remembers a client cannot be set.
  const timeout = transport === 'TCP' ? {} : { persistence_timeout: affinity.timeout_s };
  return { ...fields, session_persistence: { type: 'SOURCE_IP', ...timeout } };
}

function monitorBody(one: WantedListener): object {
  return { type: monitorTypes[one.transport], ...MONITOR };
}

function memberBody({ address, port, subnet }: WantedMember): object {
  return { address, protocol_port: port, ...(subnet !== undefined && { subnet_id: subnet }) };
}

function sameMembers(wanted: readonly WantedMember[], are: readonly Member[]): boolean {
  return sameSet(wanted.map(endOf), are.map(endOf));
}

function endOf({ address, port }: Pick<Member, 'address' | 'port'>): string {
  return `${address} ${port}`;
}

function samePersistence({ affinity, transport }: WantedListener, is: Pool['persistence']): boolean {
  if (affinity === undefined || is === undefined) return affinity === undefined && is === undefined;
  return is.type === 'SOURCE_IP' && (transport === 'TCP' || is.timeout_s === affinity.timeout_s);
}

function sameSet(some: readonly string[], others: readonly string[]): boolean {
  const all = new Set(others);
  return new Set(some).size === all.size && some.every((one) => all.has(one));
}
