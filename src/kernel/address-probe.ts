/**
 * Asks the network whether somebody has an address, before one of ours uses it: IPv4 address conflict detection (RFC 5227, section 2.1), IPv6 duplicate
 * address detection (RFC 4862, section 5.4).
 *
 * Invariants
 * - asked and heard on the parent, by the parent's own MAC: so an answer comes back whatever MACs the network's port and the interface let in
 * - nobody is taken for silent before three probes were sent and the time after the last of them is over, with the link up and its carrier there at begin and end
 * - who probes for the same address at the same time is a rival: both then stand back
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { failure } from '../errors/failure.ts';
import { familyOf, type Ip } from '../net/address.ts';
import type { Mac } from '../net/mac.ts';
import { arp } from './arp.ts';
import { errno, errnoName } from './errno.ts';
import type { AddressProtocol, Rival } from './ethernet.ts';
import { joinGroups } from './ipv6-groups.ts';
import { groupMac, ndp } from './ndp.ts';
import { decodeLink, getLink, hasCarrier } from './netlink/link.ts';
import { NetlinkError, NetlinkSocket } from './netlink/socket.ts';
import type { Netns } from './netns.ts';
import { openPacketSocket, type PacketSocket } from './packet-socket.ts';

/** PROBE_NUM of RFC 5227: a lossy network swallows one, hardly three. */
const PROBES = 3;
/**
 * Milliseconds between them, and before the first. RFC 5227 has seconds, made for hosts that boot together after a power cut and for slow radio; a Pod
 * waits for this, so here all of it takes 150 ms at most. On a LAN an answer comes within one; that the moments differ keeps two that began together apart.
 */
const FIRST_ms = [0, 10] as const;
const BETWEEN_ms = [25, 45] as const;
/** Milliseconds of listening after the last: time for a host that is busy, or that wakes up first. */
const LISTEN_ms = 50;

/** The protocol of the address's family. */
export function protocolOf(address: Ip): AddressProtocol {
  return familyOf(address) === 4 ? arp : ndp;
}

/**
 * Whoever else has the address, or wants it this moment, on the network of that link; undefined when nobody answers, which takes up to 150 ms. `netns`:
 * where the link is, undefined for the process's own.
 * @throws Failure FP291 networkNotAsked when nobody can be asked: the link is missing, down or without carrier.
 */
export async function findRival(netns: Netns | undefined, link: string, address: Ip): Promise<Rival | undefined> {
  const notAsked = (why: string, cause?: unknown) => failure('networkNotAsked', { link, address, why }, cause);
  try {
    const { index, mac } = usable(netns, link, notAsked);
    const protocol = protocolOf(address);
    const groups = protocol.groups(address);
    const hearing = { etherType: protocol.etherType, filter: protocol.filter(address), groups: groups.map(groupMac) };
    const inside = <T>(open: () => T): T => (netns === undefined ? open() : netns.run(open));
    using _member = inside(() => joinGroups(index, groups));
    using socket = inside(() => openPacketSocket(index, hearing));
    const rival = await ask(socket, address, mac, () => notAsked('the interface takes no more frames'));
    if (rival === undefined) usable(netns, link, notAsked);
    return rival;
  } catch (error) {
    if (!(error instanceof NetlinkError)) throw error;
    throw notAsked(reasonOf(error), error);
  }
}

async function ask(socket: PacketSocket, address: Ip, mac: Mac, stuck: () => Error): Promise<Rival | undefined> {
  const protocol = protocolOf(address);
  const probe = protocol.probe(address, mac);
  const heard = (): Rival | undefined => {
    for (const frame of socket.received()) {
      const rival = protocol.rivalIn(frame, address, mac);
      if (rival !== undefined) return rival;
    }
    return undefined;
  };
  for (let sent = 0; sent < PROBES; sent++) {
    await sleep(between(sent === 0 ? FIRST_ms : BETWEEN_ms));
    const rival = heard();
    if (rival !== undefined) return rival;
    if (!socket.send(probe)) throw stuck();
  }
  await sleep(LISTEN_ms);
  return heard();
}

/** The link's index and MAC. @throws Failure networkNotAsked unless it is up and has a carrier. */
function usable(netns: Netns | undefined, name: string, notAsked: (why: string) => Error): { index: number; mac: Mac } {
  const socket = netns?.socket() ?? new NetlinkSocket();
  try {
    const [link, carrier] = socket.get(getLink(name), (received) => [decodeLink(received), hasCarrier(received)] as const) ?? [];
    if (link === undefined) throw notAsked('there is no such interface');
    if (!link.up) throw notAsked('it is down');
    if (carrier !== true) throw notAsked('it has no carrier');
    if (link.mac === undefined) throw notAsked('it has no Ethernet address');
    return { index: link.index, mac: link.mac };
  } finally {
    socket.close();
  }
}

function reasonOf(error: NetlinkError): string {
  switch (error.errno) {
    case errno.ENODEV:
    case errno.ENXIO:
      return 'the interface has gone';
    case errno.ENETDOWN:
      return 'it went down';
    case errno.EPERM:
      return 'the agent needs CAP_NET_RAW for that';
    default:
      return errnoName(error.errno);
  }
}

function between([least, most]: readonly [number, number]): number {
  return least + Math.random() * (most - least);
}
