/** Ethernet frames (IEEE 802.3), as a packet socket sends and receives them: without preamble, tag and check sequence. */
import type { Ip } from '../net/address.ts';
import { type Mac, macToBytes, parseMac } from '../net/mac.ts';
import { type Instruction, JUMP_EQUAL, type LOAD_BYTE, LOAD_WORD, RETURN } from './bpf.ts';

/** Offset of a load that answers whom the frame was for (SKF_AD_OFF + SKF_AD_PKTTYPE of linux/filter.h), and its answer: somebody else (linux/if_packet.h). */
const PACKET_TYPE = 0xffff_f000 + 4;
const PACKET_OTHERHOST = 3;
const WHOLE = 0xffff;

/** Something at an offset from the frame's begin. */
export interface Match {
  readonly load: typeof LOAD_WORD | typeof LOAD_BYTE;
  readonly at: number;
  readonly value: number;
}

/** Length of destination, source and type. */
export const ETHERNET_HEADER = 14;

/** Who says that an address is theirs. */
export interface Rival {
  readonly mac: Mac;
  /** `has`: uses it; `wants`: is asking for it this moment, as we do. */
  readonly how: 'has' | 'wants';
}

/** How an address family asks on a link who has an address, and says whose it is. Everything is a whole frame. */
export interface AddressProtocol {
  readonly etherType: number;
  /** The question that disturbs nobody's cache: the asker does not claim the address. */
  probe(address: Ip, mac: Mac): Buffer;
  /** Tells everybody that the address is at that MAC from now on. */
  announcement(address: Ip, mac: Mac): Buffer;
  /** Whoever claims the address by this frame; undefined: nobody, or whoever has the MAC `own`. Any bytes may be given. */
  rivalIn(frame: Buffer, address: Ip, own: Mac): Rival | undefined;
  /** Keeps the frames that {@link rivalIn} could find a rival in, of this network and no VLAN beside it. */
  filter(address: Ip): Buffer;
  /** Groups that probes and answers are sent to; none where they go to everybody. */
  groups(address: Ip): readonly Ip[];
}

/** To everybody on the link. */
export const BROADCAST = parseMac('ff:ff:ff:ff:ff:ff');

/** A frame to `to` with that payload; the driver pads it to the least length. */
export function ethernetFrame(to: Mac, from: Mac, etherType: number, payload: Uint8Array): Buffer {
  const type = Buffer.alloc(2);
  type.writeUInt16BE(etherType);
  return Buffer.concat([macToBytes(to), macToBytes(from), type, payload]);
}

/**
 * A program that keeps frames for us or for many in which one of the sets of words (offset and value) is found whole. A frame of a VLAN that has no
 * link here reaches the parent's sockets too, without its tag but as somebody else's (__netif_receive_skb_core in net/core/dev.c): another network's.
 */
export function keepWhere(alternatives: readonly (readonly Match[])[]): Instruction[] {
  const sets = alternatives.map((matches): Instruction[] => [
    ...matches.flatMap(({ load, at, value }, j): Instruction[] => {
      // To what follows this set: the next one, or the end.
      const rest = 2 * (matches.length - j - 1) + 1;
      return [
        [load, 0, 0, at],
        [JUMP_EQUAL, 0, rest, value >>> 0],
      ];
    }),
    [RETURN, 0, 0, WHOLE],
  ]);
  return [[LOAD_WORD, 0, 0, PACKET_TYPE], [JUMP_EQUAL, 0, 1, PACKET_OTHERHOST], [RETURN, 0, 0, 0], ...sets.flat(), [RETURN, 0, 0, 0]];
}
