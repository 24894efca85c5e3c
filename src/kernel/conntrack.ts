/**
 * Connections that the kernel remembers (nf_conntrack_netlink; linux/netfilter/nfnetlink_conntrack.h). An address that gets a new owner must not
 * inherit those of the old one: their NAT and their "established" would apply to the new one's packets.
 *
 * The kernel walks its whole table inside of send() (50 ms at 100 000 entries), so that runs on libuv's thread pool, off the event loop.
 */
import { failure } from '../errors/failure.ts';
import { familyOf, type Ip, ipToBytes } from '../net/address.ts';
import { flushByDump } from './conntrack-dump.ts';
import { errno } from './errno.ts';
import type { Netns } from './netns.ts';
import { flag, Message } from './netlink/message.ts';
import { NETFILTER, nfgenmsg, protocolFamily, subsystem, typeIn } from './netlink/netfilter.ts';
import { NetlinkSocket } from './netlink/socket.ts';
import { sendOffLoop } from './netlink/off-loop.ts';

const CT_DELETE = typeIn(subsystem.conntrack, 2);
const CTA = { tupleOrig: 1, tupleReply: 2, filter: 25 } as const;
const CTA_TUPLE_IP = 1;
const CTA_IP_SRC = { 4: 1, 6: 3 } as const;
/** CTA_FILTER_ORIG_FLAGS and CTA_FILTER_REPLY_FLAGS hold which parts of the tuple must match: 1 is the source address. */
const FILTER = { tupleOrig: 1, tupleReply: 2 } as const;
const MATCH_SOURCE = 1;

/**
 * Forgets every connection that the address takes part in: those it opened (source of the original direction) and those to it, also through a
 * DNAT (source of the reply direction). Resolves with the number of entries where it is known: only when the kernel cannot filter (before Linux 6.8)
 * and the table is read instead.
 * @throws Failure conntrackNotFlushed, also when it is not done within the deadline (it goes on then, unwatched).
 */
export async function flushConntrack(netns: Netns | undefined, address: Ip, deadline_ms = 10_000): Promise<number | undefined> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`not done within ${deadline_ms} ms`)), deadline_ms);
  try {
    return await Promise.race([flush(netns, address), late]);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw failure('conntrackNotFlushed', { address, netns: netns?.path ?? 'host', why }, cause);
  } finally {
    clearTimeout(timer);
  }
}

async function flush(netns: Netns | undefined, address: Ip): Promise<number | undefined> {
  const open = (): NetlinkSocket => new NetlinkSocket(NETFILTER);
  const socket = netns === undefined ? open() : netns.run(open);
  try {
    for (const direction of ['tupleOrig', 'tupleReply'] as const) {
      const refusal = await sendOffLoop(socket, deleteBySource(address, direction));
      if (refusal === undefined || refusal.errno === errno.ENOENT) continue;
      // A kernel that cannot filter deletions takes the tuple for that of one connection, and misses its ports.
      if (refusal.errno === errno.EINVAL) return await flushByDump(socket, address);
      throw refusal;
    }
    return undefined;
  } finally {
    socket.close();
  }
}

/** Without the tuple an old kernel would forget everything: the filter never goes alone. */
function deleteBySource(address: Ip, direction: 'tupleOrig' | 'tupleReply'): Message {
  const family = familyOf(address);
  const message = new Message(CT_DELETE, flag.ack, nfgenmsg(family === 4 ? protocolFamily.ip : protocolFamily.ip6));
  return message
    .nest(CTA[direction], () => message.nest(CTA_TUPLE_IP, () => message.bytesAttribute(CTA_IP_SRC[family], ipToBytes(address))))
    .nest(CTA.filter, () => message.u32(FILTER[direction], MATCH_SOURCE));
}
