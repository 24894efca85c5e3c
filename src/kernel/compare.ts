/** Holds plans against the kernel: which of their objects are missing or different. Changes nothing. */
import { type Failure, isFailure } from '../errors/failure.ts';
import { knownBy } from './children.ts';
import { type Host, Namespaces, type Visited } from './namespaces.ts';
import { otherVariant } from './netlink/child.ts';
import type { Link } from './netlink/link.ts';
import { compareTable } from './nft-table.ts';
import { neighbourKey, routeKey, ruleKey, type Snapshot, snapshotOf } from './snapshot.ts';
import {
  type ChildObject,
  describe,
  type KernelObject,
  nameOf,
  type NicObject,
  type Plan,
  type RouteObject,
  type RuleObject,
  type VethObject,
} from './state.ts';
import { ipv6Switch, readSysctl } from './sysctl.ts';

/** One object that is not as it should be. */
export interface Difference extends Problem {
  readonly object: KernelObject;
}

interface Problem {
  /** `foreign`: somebody else's object stands in the way, and adding ours does not help. */
  readonly kind: 'missing' | 'changed' | 'foreign';
  /** `missing`, or what is there instead, in words. */
  readonly problem: string;
}

/** What has been read so far, by the namespace's name. */
type Read = Map<string, Snapshot>;

const missing: Problem = { kind: 'missing', problem: 'missing' };

/** `route 10.0.0.5/32 … in host: missing`. */
export function sayDifference({ object, problem }: Difference): string {
  return `${describe(object)} in ${nameOf(object.where)}: ${problem}`;
}

/** What of the plan is missing or different. @throws Failure when a namespace cannot be opened, NetlinkError when it cannot be read. */
export function comparePlan(host: Host, plan: Plan): Difference[] {
  return compareWith(host, plan, new Map());
}

/**
 * Compares many plans with one reading of each namespace. For each plan its differences, or the Failure when a namespace of it cannot be opened.
 * @throws NetlinkError when a namespace cannot be read.
 */
export function comparePlans(host: Host, plans: readonly Plan[]): (Difference[] | Failure)[] {
  const read: Read = new Map();
  return plans.map((plan) => {
    try {
      return compareWith(host, plan, read);
    } catch (error) {
      if (isFailure(error)) return error;
      throw error;
    }
  });
}

function compareWith(host: Host, plan: Plan, read: Read): Difference[] {
  using namespaces = new Namespaces(host);
  return plan.flatMap((object) => {
    const visited = namespaces.at(object.where);
    let snapshot = read.get(visited.name);
    if (snapshot === undefined) read.set(visited.name, (snapshot = snapshotOf(visited)));
    const problem = problemWith(object, snapshot, visited);
    return problem === undefined ? [] : [{ object, ...problem }];
  });
}

function problemWith(object: KernelObject, snapshot: Snapshot, visited: Visited): Problem | undefined {
  switch (object.kind) {
    case 'veth':
      return problemWithLink(snapshot.links.get(object.name), { ...object, alias: object.owner }) ?? problemWithIpv6(object, visited);
    case 'child':
      return problemWithChild(snapshot.links.get(object.name), object);
    case 'nic':
      return problemWithNic(snapshot, object);
    case 'link':
      return problemWithLink(snapshot.links.get(object.name), object);
    case 'address': {
      const link = snapshot.links.get(object.link)?.index;
      const found = snapshot.addresses.some((a) => a.link === link && a.address === object.address && a.length === object.length);
      return found ? undefined : missing;
    }
    case 'route':
      return problemWithRoute(object, snapshot);
    case 'rule':
      return problemWithRule(object, snapshot);
    case 'neighbour': {
      const found = snapshot.neighbours.get(neighbourKey(snapshot.links.get(object.link)?.index ?? 0, object.address));
      if (found === undefined) return missing;
      return found.mac === object.mac ? undefined : changed(`it is ${found.mac}`);
    }
    case 'proxy': {
      const link = knownBy(snapshot.links.get(object.link), object.linkMac, () => [...snapshot.links.values()]);
      return snapshot.proxies.has(neighbourKey(link?.index ?? 0, object.address)) ? undefined : missing;
    }
    case 'sysctl': {
      const value = readSysctl(visited.netns, object.key);
      return value === object.value ? undefined : changed(`it is ${value ?? 'missing'}`);
    }
    case 'nft-table': {
      // Of the host's tables the kernel's events tell; in Pods nobody listens.
      const problem = compareTable(visited.netns, object, object.where.netns === 'path');
      return problem === undefined ? undefined : changed(problem);
    }
  }
}

function problemWithRoute(route: RouteObject, snapshot: Snapshot): Problem | undefined {
  const { routes, links, linkNames } = snapshot;
  const found = routes.get(routeKey(route.dst, route.table)) ?? [];
  const link = links.get(route.link)?.index;
  if (link === undefined && route.optional === true) return undefined;
  if (found.some((r) => r.link === link && r.via === route.via && r.protocol === route.protocol)) return undefined;
  if (wasMoved(route, snapshot)) return undefined;
  const [other] = found;
  if (other === undefined) return missing;
  const dev = linkNames.get(other.link ?? 0) ?? '?';
  return changed(`there is one via ${other.via ?? 'link'} dev ${dev} protocol ${other.protocol} instead`);
}

/**
 * Whether a later plugin put a container's route into a table that packets from some address are sent to, as the reference plugin `sbr` does: it takes
 * all routes of the interface out of the main table. On the host every table is ours, and a route elsewhere does not count.
 */
function wasMoved({ where, dst, link, via, protocol }: RouteObject, { routes, rules, links }: Snapshot): boolean {
  if (where.netns === 'host') return false;
  // Where rules of ours lead, routes of ours are beside those of main, not instead of them.
  const theirs = [...rules.values()].flat().filter((rule) => rule.from !== undefined && rule.protocol !== protocol);
  const tables = new Set(theirs.map(({ table }) => table));
  const index = links.get(link)?.index;
  return [...tables].some((table) => routes.get(routeKey(dst, table))?.some((r) => r.link === index && r.via === via));
}

/** Of rules with one priority and one selector the kernel follows the first. */
function problemWithRule(rule: RuleObject, { rules }: Snapshot): Problem | undefined {
  const found = rules.get(ruleKey(rule)) ?? [];
  const own = found.findIndex(({ table, protocol }) => table === rule.table && protocol === rule.protocol);
  const [first] = found;
  if (own === 0) return undefined;
  if (first === undefined) return missing;
  const other = `one to table ${first.table} protocol ${first.protocol}`;
  return own < 0 ? changed(`there is ${other} instead`) : { kind: 'foreign', problem: `${other} stands before it` };
}

/** A link of another alias is somebody else's: nothing about it is ours to set right. */
function problemWithLink(
  link: Link | undefined,
  wanted: { readonly mac?: string; readonly mtu?: number; readonly alias?: string },
): Problem | undefined {
  if (link === undefined) return missing;
  if (wanted.alias !== undefined && link.alias !== wanted.alias)
    return { kind: 'foreign', problem: `its alias is ${link.alias ?? 'none'}: somebody else made it` };
  if (wanted.mac !== undefined && link.mac !== wanted.mac) return changed(`its MAC is ${link.mac ?? 'none'}`);
  if (!link.up) return changed('it is down');
  if (wanted.mtu !== undefined && link.mtu !== wanted.mtu) return changed(`its MTU is ${link.mtu}`);
  return undefined;
}

/** Whether a link is the one that was made there, as it was made; that it is up is another object's matter. */
function problemWithChild(link: Link | undefined, { of, mac, mtu, owner }: ChildObject): Problem | undefined {
  if (link === undefined) return missing;
  if (link.kind !== of.type || link.alias !== owner) return somebodyElses(link);
  const other = otherVariant(link, of);
  if (other !== undefined) return of.type === 'vlan' ? { kind: 'foreign', problem: other } : changed(other);
  if (mac !== undefined && link.mac !== mac) return changed(`its MAC is ${link.mac ?? 'none'}`);
  return link.mtu === mtu ? undefined : changed(`its MTU is ${link.mtu}`);
}

/** Known by its MAC, whatever it is called; one that has another by now, by the alias it went with. */
function problemWithNic({ links }: Snapshot, { name, mac, owner }: NicObject): Problem | undefined {
  const link = links.get(name);
  if (link?.mac === mac) return undefined;
  const renamed = [...links.values()].find((one) => one.mac === mac || one.alias === owner);
  if (renamed === undefined) return link === undefined ? missing : somebodyElses(link);
  return changed(renamed.name === name ? `its MAC is ${renamed.mac ?? 'none'}` : `it is called ${renamed.name}`);
}

function somebodyElses({ kind, alias }: Link): Problem {
  return { kind: 'foreign', problem: `it is a ${kind ?? 'device'} with the alias ${alias ?? 'none'}: somebody else made it` };
}

/** Of an end without IPv6; of one with it nothing is asked. */
function problemWithIpv6({ name, ipv6 }: VethObject, { netns }: Visited): Problem | undefined {
  return !ipv6 && readSysctl(netns, ipv6Switch(name)) === '0' ? changed('it takes part in IPv6') : undefined;
}

function changed(problem: string): Problem {
  return { kind: 'changed', problem };
}
