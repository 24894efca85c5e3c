/** Routes: rtnetlink RTM_*ROUTE (linux/rtnetlink.h, rtmsg). */
import { bitsOf, type Family, type Ip, ipToBytes } from '../../net/address.ts';
import { type Cidr, cidrFamily, cidrOf, firstOf, lengthOf } from '../../net/cidr.ts';
import { AF_INET, AF_INET6, afOf, decodeIp } from './address.ts';
import { attributesOf, flag, Message, type Received, u32Of } from './message.ts';

/** Message types and attributes (linux/rtnetlink.h). */
const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const RTA = { dst: 1, oif: 4, gateway: 5, priority: 6, prefsrc: 7, multipath: 9, table: 15 } as const;

/** The kernel's table for everything that has no other. */
export const MAIN_TABLE = 254;
/** The kernel's own, of its addresses (RT_TABLE_LOCAL). */
export const LOCAL_TABLE = 255;
const RT_SCOPE = { global: 0, link: 253 } as const;
const RTN_UNICAST = 1;
const RTM_F_CLONED = 0x200;
const RTNH_F_ONLINK = 4;

/** A unicast route with one next hop. */
export interface Route {
  /** 0.0.0.0/0 or ::/0 for the default. */
  readonly dst: Cidr;
  /** Index of the outgoing interface. */
  readonly link?: number;
  readonly via?: Ip;
  readonly src?: Ip;
  readonly table: number;
  /** rtnetlink protocol number: who made it. */
  readonly protocol: number;
  /** link: the destination is on the link itself (IPv4 only; IPv6 has no scopes). */
  readonly scope: 'global' | 'link';
  /** The gateway is taken to be on the link. Said to the kernel, not read back. */
  readonly onLink?: boolean;
  /** Lower wins; 0 is the kernel's default (IPv6 shows 1024 then). */
  readonly metric?: number;
}

/** Adds the route; replaces one with the same destination, table and metric. */
export function newRoute(route: Route): Message {
  return routeMessage(RTM_NEWROUTE, flag.create | flag.replace, route);
}

/** Deletes the route that matches in destination, table, protocol and next hop. */
export function deleteRoute(route: Route): Message {
  return routeMessage(RTM_DELROUTE, 0, route);
}

/** What a dump may be narrowed to; the kernel filters (NETLINK_GET_STRICT_CHK). */
export interface RouteFilter {
  readonly protocol?: number;
  readonly table?: number;
}

/** Asks for the routes of a family. */
export function dumpRoutes(family: Family, filter: RouteFilter = {}): Message {
  const fixed = Buffer.alloc(12);
  fixed.writeUInt8(afOf(family), 0);
  fixed.writeUInt8(filter.protocol ?? 0, 5);
  const message = new Message(RTM_GETROUTE, 0, fixed);
  return filter.table === undefined ? message : message.u32(RTA.table, filter.table);
}

/** An answer or event about a unicast route with one next hop; undefined for everything else (local, multicast, multipath, cached). */
export function decodeRoute(received: Received): Route | undefined {
  const { payload } = received;
  if ((received.type !== RTM_NEWROUTE && received.type !== RTM_DELROUTE) || payload.length < 12) return undefined;
  const family = payload.readUInt8(0);
  if ((family !== AF_INET && family !== AF_INET6) || payload.readUInt8(7) !== RTN_UNICAST) return undefined;
  if ((payload.readUInt32LE(8) & RTM_F_CLONED) !== 0) return undefined;
  const attributes = attributesOf(payload, 12);
  const dst = destinationOf(family === AF_INET ? 4 : 6, payload.readUInt8(1), attributes.get(RTA.dst));
  if (dst === undefined || attributes.has(RTA.multipath)) return undefined;
  const [link, via, src, metric] = [
    u32Of(attributes, RTA.oif),
    decodeIp(attributes.get(RTA.gateway)),
    decodeIp(attributes.get(RTA.prefsrc)),
    u32Of(attributes, RTA.priority),
  ];
  return {
    dst,
    table: u32Of(attributes, RTA.table) ?? payload.readUInt8(4),
    protocol: payload.readUInt8(5),
    scope: payload.readUInt8(6) === RT_SCOPE.link ? 'link' : 'global',
    ...(link !== undefined && { link }),
    ...(via !== undefined && { via }),
    ...(src !== undefined && { src }),
    ...(metric !== undefined && { metric }),
  };
}

/** A destination of `length` bits; undefined when bytes and family disagree. */
export function destinationOf(family: Family, length: number, bytes: Buffer | undefined): Cidr | undefined {
  if (length > bitsOf(family)) return undefined;
  if (bytes === undefined) return length === 0 ? ((family === 4 ? '0.0.0.0/0' : '::/0') as Cidr) : undefined;
  const ip = decodeIp(bytes);
  return ip !== undefined && bytes.length * 8 === bitsOf(family) ? cidrOf(ip, length) : undefined;
}

function routeMessage(type: number, flags: number, route: Route): Message {
  const family = cidrFamily(route.dst);
  const fixed = Buffer.alloc(12);
  fixed.writeUInt8(afOf(family), 0);
  fixed.writeUInt8(lengthOf(route.dst), 1);
  fixed.writeUInt8(route.table < 256 ? route.table : 0, 4);
  fixed.writeUInt8(route.protocol, 5);
  fixed.writeUInt8(family === 4 ? RT_SCOPE[route.scope] : RT_SCOPE.global, 6);
  fixed.writeUInt8(RTN_UNICAST, 7);
  if (route.onLink === true) fixed.writeUInt32LE(RTNH_F_ONLINK, 8);
  const message = new Message(type, flags, fixed);
  if (lengthOf(route.dst) > 0) message.bytesAttribute(RTA.dst, ipToBytes(firstOf(route.dst)));
  if (route.table > 255) message.u32(RTA.table, route.table);
  if (route.via !== undefined) message.bytesAttribute(RTA.gateway, ipToBytes(route.via));
  if (route.src !== undefined) message.bytesAttribute(RTA.prefsrc, ipToBytes(route.src));
  if (route.link !== undefined) message.u32(RTA.oif, route.link);
  if (route.metric !== undefined) message.u32(RTA.priority, route.metric);
  return message;
}
