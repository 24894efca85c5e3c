/** Bridges, their ports and their forwarding tables (linux/if_bridge.h, linux/if_link.h IFLA_BR_*, IFLA_BRPORT_*). */
import { type Mac, macToBytes } from '../net/mac.ts';
import { newLink, setLink } from './netlink/link.ts';
import { flag, Message } from './netlink/message.ts';

const AF_BRIDGE = 7;
const RTM_SETLINK = 19;
const RTM_NEWNEIGH = 28;
const IFLA_PROTINFO = 12;
const IFLA_BR_MCAST_SNOOPING = 23;
const BRPORT = { hairpin: 4, learning: 8, unicastFlood: 9, multicastFlood: 27, broadcastFlood: 30 } as const;
const NDA_LLADDR = 2;
const NUD_REACHABLE_NOARP = 0x42;
const NTF_MASTER = 4;

/** A bridge that is born up and looks into no multicast membership. */
export function newBridge(name: string, mac: Mac): Message {
  return newLink({ name, mac, up: true }, 'bridge', (message) => message.u8(IFLA_BR_MCAST_SNOOPING, 0));
}

/** Makes a link a port of the bridge with that index. */
export function enslave(index: number, bridge: number): Message {
  return setLink(index, { master: bridge });
}

/**
 * A port to which only frames for known Ethernet addresses and broadcasts go: nothing is learned from it, nothing else flooded to it. Hairpin: a frame may
 * go back through the port it came from, which is how rewritten ARP requests become answers; so may a broadcast.
 */
export function strictPort(index: number): Message {
  const fixed = Buffer.alloc(16);
  fixed.writeUInt8(AF_BRIDGE, 0);
  fixed.writeInt32LE(index, 4);
  return new Message(RTM_SETLINK, 0, fixed).nest(IFLA_PROTINFO, (message) => {
    message
      .u8(BRPORT.hairpin, 1)
      .u8(BRPORT.learning, 0)
      .u8(BRPORT.unicastFlood, 0)
      .u8(BRPORT.multicastFlood, 0)
      .u8(BRPORT.broadcastFlood, 1);
  });
}

/** A static entry: frames for that Ethernet address go to this port. It dies with the port. */
export function newForwarding(port: number, mac: Mac): Message {
  const fixed = Buffer.alloc(12);
  fixed.writeUInt8(AF_BRIDGE, 0);
  fixed.writeInt32LE(port, 4);
  fixed.writeUInt16LE(NUD_REACHABLE_NOARP, 8);
  fixed.writeUInt8(NTF_MASTER, 10);
  return new Message(RTM_NEWNEIGH, flag.create | flag.replace, fixed).bytesAttribute(NDA_LLADDR, macToBytes(mac));
}
