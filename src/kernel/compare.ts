/** Holds a plan against the kernel: which of its objects are missing or different. Changes nothing. */
import { Namespaces, type Visited } from './namespaces.ts';
import type { Link } from './netlink/link.ts';
import type { NetlinkSocket } from './netlink/socket.ts';
import { compareTable } from './nft-table.ts';
import { neighbourKey, routeKey, ruleKey, type Snapshot, snapshotOf } from './snapshot.ts';
import { describe, type KernelObject, nameOf, type Plan } from './state.ts';
import { readSysctl } from './sysctl.ts';

/** One object that is not as it should be. */
export interface Difference {
  readonly object: KernelObject;
  /** `missing`, or what is there instead, in words. */
  readonly problem: string;
}

/** `route 10.0.0.5/32 … in host: missing`. */
export function sayDifference({ object, problem }: Difference): string {
  return `${describe(object)} in ${nameOf(object.where)}: ${problem}`;
}

/** Compares many plans with one reading of each namespace. @throws Failure when a namespace cannot be opened, NetlinkError when it cannot be read. */
export function comparePlan(hostSocket: NetlinkSocket, plan: Plan): Difference[] {
  using namespaces = new Namespaces(hostSocket);
  const snapshots = new Map<Visited, Snapshot>();
  const differences: Difference[] = [];
  for (const object of plan) {
    const visited = namespaces.at(object.where);
    let snapshot = snapshots.get(visited);
    if (snapshot === undefined) snapshots.set(visited, (snapshot = snapshotOf(visited)));
    const problem = problemWith(object, snapshot, visited);
    if (problem !== undefined) differences.push({ object, problem });
  }
  return differences;
}

function problemWith(object: KernelObject, snapshot: Snapshot, visited: Visited): string | undefined {
  switch (object.kind) {
    case 'veth':
      return problemWithLink(snapshot.links.get(object.name), { ...object, alias: object.owner });
    case 'link':
      return problemWithLink(snapshot.links.get(object.name), object);
    case 'address': {
      const link = snapshot.links.get(object.link)?.index;
      const found = snapshot.addresses.some((a) => a.link === link && a.address === object.address && a.length === object.length);
      return found ? undefined : 'missing';
    }
    case 'route': {
      const found = snapshot.routes.get(routeKey(object.dst, object.table)) ?? [];
      const link = snapshot.links.get(object.link)?.index;
      if (found.some((r) => r.link === link && r.via === object.via && r.protocol === object.protocol)) return undefined;
      const other = found[0];
      if (other === undefined) return 'missing';
      return `there is one via ${other.via ?? 'link'} dev ${snapshot.linkNames.get(other.link ?? 0) ?? '?'} protocol ${other.protocol} instead`;
    }
    case 'rule': {
      const found = snapshot.rules.get(ruleKey(object)) ?? [];
      if (found.some((rule) => rule.table === object.table && rule.protocol === object.protocol)) return undefined;
      return found[0] === undefined ? 'missing' : `there is one to table ${found[0].table} protocol ${found[0].protocol} instead`;
    }
    case 'neighbour': {
      const found = snapshot.neighbours.get(neighbourKey(snapshot.links.get(object.link)?.index ?? 0, object.address));
      if (found === undefined) return 'missing';
      return found.mac === object.mac ? undefined : `it is ${found.mac}`;
    }
    case 'sysctl': {
      const value = readSysctl(visited.netns, object.key);
      return value === object.value ? undefined : `it is ${value ?? 'missing'}`;
    }
    case 'nft-table':
      return compareTable(visited.netns, object);
  }
}

function problemWithLink(
  link: Link | undefined,
  wanted: { readonly mac?: string; readonly mtu?: number; readonly alias?: string },
): string | undefined {
  if (link === undefined) return 'missing';
  if (!link.up) return 'it is down';
  if (wanted.mtu !== undefined && link.mtu !== wanted.mtu) return `its MTU is ${link.mtu}`;
  if (wanted.mac !== undefined && link.mac !== wanted.mac) return `its MAC is ${link.mac ?? 'none'}`;
  if (wanted.alias !== undefined && link.alias !== wanted.alias) return `its alias is ${link.alias ?? 'none'}: somebody else made it`;
  return undefined;
}
