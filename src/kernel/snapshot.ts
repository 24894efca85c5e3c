/** What a namespace holds right now, read by whole dumps: for CHECK, repair and the sweep, never for ADD. */
import type { Ip } from '../net/address.ts';
import type { Visited } from './namespaces.ts';
import { decodeAddress, dumpAddresses, type LinkAddress } from './netlink/address.ts';
import { decodeLink, dumpLinks, type Link } from './netlink/link.ts';
import { decodeNeighbour, decodeProxy, dumpNeighbours, dumpProxies, type Neighbour } from './netlink/neighbour.ts';
import { decodeRoute, dumpRoutes, type Route, type RouteFilter } from './netlink/route.ts';
import { decodeRule, dumpRules, type Rule } from './netlink/rule.ts';

/** Tables of one namespace at about one moment, ready to be looked things up in. */
export interface Snapshot {
  readonly links: ReadonlyMap<string, Link>;
  readonly linkNames: ReadonlyMap<number, string>;
  readonly addresses: readonly LinkAddress[];
  /** Keyed by destination and table: `10.0.0.5/32@254`. Several may share a key with different metrics. */
  readonly routes: ReadonlyMap<string, readonly Route[]>;
  /** Keyed by priority and selectors, see {@link ruleKey}. */
  readonly rules: ReadonlyMap<string, readonly Rule[]>;
  /** Keyed by link index and address. */
  readonly neighbours: ReadonlyMap<string, Neighbour>;
  /** Keyed likewise. */
  readonly proxies: ReadonlySet<string>;
}

/** Names a route of a snapshot. */
export function routeKey(dst: string, table: number): string {
  return `${dst}@${table}`;
}

/** Two rules with one key differ at most in table and protocol. */
export function ruleKey(rule: Pick<Rule, 'family' | 'priority' | 'from' | 'to' | 'mark' | 'iif'>): string {
  const mark = rule.mark === undefined ? '' : `${rule.mark.value}/${rule.mark.mask}`;
  return `${rule.family} ${rule.priority} ${rule.from ?? ''} ${rule.to ?? ''} ${mark} ${rule.iif ?? ''}`;
}

/** Names a neighbour entry of a snapshot; `link` is an index. */
export function neighbourKey(link: number, address: Ip): string {
  return `${link} ${address}`;
}

/** Dumps the namespace's tables. `filter` narrows the routes. @throws NetlinkError. */
export function snapshotOf({ socket }: Visited, filter: RouteFilter = {}): Snapshot {
  const links = socket.dump(dumpLinks(), decodeLink);
  const routes = [4, 6] as const;
  return {
    links: new Map(links.map((link) => [link.name, link])),
    linkNames: new Map(links.map((link) => [link.index, link.name])),
    addresses: socket.dump(dumpAddresses(), decodeAddress),
    routes: Map.groupBy(
      routes.flatMap((family) => socket.dump(dumpRoutes(family, filter), decodeRoute)),
      (route) => routeKey(route.dst, route.table),
    ),
    rules: Map.groupBy(
      routes.flatMap((family) => socket.dump(dumpRules(family), decodeRule)),
      ruleKey,
    ),
    neighbours: new Map(socket.dump(dumpNeighbours(), decodeNeighbour).map((found) => [neighbourKey(found.link, found.address), found])),
    proxies: new Set(socket.dump(dumpProxies(), decodeProxy).map(({ link, address }) => neighbourKey(link, address))),
  };
}
