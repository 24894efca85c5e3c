/**
 * A router's namespace brought to what is wanted: bridges, ports, routes, neighbours. It looks at the kernel each time and changes what differs,
 * so it does not matter who changed what, or when the program was killed.
 */
import { errno } from '../../kernel/errno.ts';
import { newBridge } from '../../kernel/bridge.ts';
import { newAddress } from '../../kernel/netlink/address.ts';
import { decodeLink, deleteLink, dumpLinks, type Link } from '../../kernel/netlink/link.ts';
import type { Message } from '../../kernel/netlink/message.ts';
import { decodeNeighbour, deleteNeighbour, dumpNeighbours, newNeighbour } from '../../kernel/netlink/neighbour.ts';
import { decodeRoute, deleteRoute, dumpRoutes, MAIN_TABLE, newRoute, type Route } from '../../kernel/netlink/route.ts';
import { NetlinkError, type NetlinkSocket } from '../../kernel/netlink/socket.ts';
import { bitsOf, familyOf } from '../../net/address.ts';
import { gatewayMac } from '../mac.ts';
import { isBranchEnd, UPLINK } from './names.ts';
import { aliasOf, plug, type RouterNetns } from './plug.ts';
import { carry } from './trunk.ts';
import type { Router } from './wanted.ts';

/** Our rtnetlink protocol number in the VPC's own namespaces; nobody else routes there. */
export const PROTOCOL = 86;
const LOOPBACK = 1;

/** Changes what differs and goes on after a failure. Returns what failed. */
export function bringTo(place: RouterNetns, wanted: Router): Error[] {
  const router = place.socket;
  const failed: Error[] = [];
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      failed.push(error instanceof Error ? error : new Error(String(error)));
    }
  };
  unplugOthers(router, wanted, attempt);
  const before = links(router);
  for (const { name } of wanted.bridges) if (!before.has(name)) attempt(() => router.request(newBridge(name, gatewayMac)));
  const withBridges = links(router);
  for (const bridge of wanted.bridges) {
    const link = withBridges.get(bridge.name)?.index;
    if (link === undefined) continue;
    for (const address of bridge.addresses) attempt(() => router.request(newAddress({ link, address, length: bitsOf(familyOf(address)) })));
  }
  for (const port of wanted.ports) {
    if (!withBridges.has(port.name))
      attempt(() => plug(place, port, port.bridge === undefined ? undefined : withBridges.get(port.bridge)?.index));
  }
  const now = links(router);
  for (const trunk of wanted.trunks) attempt(() => carry(router, trunk, now));
  for (const message of [...neighbourChanges(router, wanted, now), ...routeChanges(router, wanted, now)])
    attempt(() => router.request(message));
  return failed;
}

/** Takes out what is not wanted, and what leads elsewhere than it should. */
function unplugOthers(router: NetlinkSocket, wanted: Router, attempt: (work: () => void) => void): void {
  const aliases = new Map<string, string | undefined>(wanted.ports.map((port) => [port.name, aliasOf(port)]));
  for (const { name } of wanted.bridges) aliases.set(name, undefined);
  for (const link of links(router).values()) {
    if (link.index === LOOPBACK || link.name === UPLINK || isBranchEnd(link.name)) continue;
    if (aliases.has(link.name) && aliases.get(link.name) === link.alias) continue;
    attempt(() => takeOut(router, link.index));
  }
}

/** A VLAN link goes with its trunk. */
function takeOut(router: NetlinkSocket, link: number): void {
  try {
    router.request(deleteLink(link));
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.errno !== errno.ENODEV) throw error;
  }
}

function links(router: NetlinkSocket): Map<string, Link> {
  return new Map(router.dump(dumpLinks(), decodeLink).map((link) => [link.name, link]));
}

/** Old ones first: an address may have moved to another link. */
function routeChanges(router: NetlinkSocket, wanted: Router, now: ReadonlyMap<string, Link>): Message[] {
  const want = new Map<string, Route>();
  for (const { dst, link: name, via } of wanted.routes) {
    const link = now.get(name)?.index;
    if (link === undefined) continue; // its bridge could not be made: told already
    const route: Route = {
      dst,
      link,
      table: MAIN_TABLE,
      protocol: PROTOCOL,
      scope: via === undefined ? 'link' : 'global',
      ...(via && { via }),
    };
    want.set(keyOf(route), route);
  }
  const have = ([4, 6] as const).flatMap((family) => router.dump(dumpRoutes(family, { protocol: PROTOCOL }), decodeRoute));
  const uplink = now.get(UPLINK)?.index;
  const stale = have.filter((route) => route.link !== uplink && !want.has(keyOf(route)));
  for (const route of have) want.delete(keyOf(route));
  return [...stale.map(deleteRoute), ...[...want.values()].map(newRoute)];
}

function keyOf({ dst, link, via }: Route): string {
  return `${dst} ${link} ${via}`;
}

function neighbourChanges(router: NetlinkSocket, wanted: Router, now: ReadonlyMap<string, Link>): Message[] {
  const want = new Map<
    string,
    { link: number; address: Router['neighbours'][number]['address']; mac: Router['neighbours'][number]['mac'] }
  >();
  for (const { link: name, address, mac } of wanted.neighbours) {
    const link = now.get(name)?.index;
    if (link !== undefined) want.set(`${link} ${address} ${mac}`, { link, address, mac });
  }
  const have = router.dump(dumpNeighbours(), decodeNeighbour);
  const uplink = now.get(UPLINK)?.index;
  const stale = have.filter(({ link, address, mac }) => link !== uplink && !want.has(`${link} ${address} ${mac}`));
  for (const { link, address, mac } of have) want.delete(`${link} ${address} ${mac}`);
  return [...stale.map(deleteNeighbour), ...[...want.values()].map(newNeighbour)];
}
