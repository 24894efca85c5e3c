/** Whole frames on one link (packet(7)): a socket that never blocks and is asked, rather than tells, whether something came. */
import { macToBytes, type Mac } from '../net/mac.ts';
import { errno } from './errno.ts';
import { native } from './native.ts';
import { NetlinkError } from './netlink/socket.ts';

const AF_PACKET = 17;
const SOCK_RAW_NONBLOCK_CLOEXEC = 3 | 0o4000 | 0o2000000;
const SOL_PACKET = 263;
const PACKET_ADD_MEMBERSHIP = 1;
const PACKET_MR_MULTICAST = 0;
const MSG_DONTWAIT = 0x40;

const inbox = Buffer.allocUnsafeSlow(2048);

/** What a socket is to hear. */
export interface Hearing {
  readonly etherType: number;
  readonly filter: Uint8Array;
  /** Groups whose frames the interface would otherwise leave to others. */
  readonly groups: readonly Mac[];
}

/** See the head of this file. Close it. */
export interface PacketSocket extends Disposable {
  /** Sends a frame as it is. False: there was no room for it, and it is lost. @throws NetlinkError: the link is down or gone. */
  send(frame: Uint8Array): boolean;
  /** What has come since the last call, each frame as a copy. Its own frames are not among it. @throws NetlinkError: the link went down. */
  received(): Buffer[];
}

/**
 * Opens a socket on the link with that index, in the calling thread's current namespace; it belongs there for good. Without `hearing` it only sends.
 * @throws NetlinkError without CAP_NET_RAW, or when the link is gone or down.
 */
export function openPacketSocket(index: number, hearing?: Hearing): PacketSocket {
  const fd = native.socket(AF_PACKET, SOCK_RAW_NONBLOCK_CLOEXEC, 0);
  if (fd < 0) throw new NetlinkError(-fd, 'packet socket', undefined);
  try {
    // The filter before the binding, with which hearing begins.
    if (hearing !== undefined) demand('filter', native.attachFilter(fd, hearing.filter));
    demand('bind', native.bindPacket(fd, hearing?.etherType ?? 0, index));
    for (const group of hearing?.groups ?? [])
      demand('join', native.setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership(index, group)));
  } catch (error) {
    native.close(fd);
    throw error;
  }
  return {
    send(frame) {
      const sent = native.send(fd, frame, frame.length);
      if (sent === -errno.EAGAIN || sent === -errno.ENOBUFS || sent === -errno.EINTR) return false;
      demand('send', sent);
      return true;
    },
    received() {
      const frames: Buffer[] = [];
      for (;;) {
        const length = native.recv(fd, inbox, MSG_DONTWAIT);
        if (length === -errno.EAGAIN) return frames;
        if (length === -errno.EINTR || length === -errno.ENOBUFS) continue;
        demand('receive', length);
        frames.push(Buffer.from(inbox.subarray(0, length)));
      }
    },
    [Symbol.dispose]: () => void native.close(fd),
  };
}

/** struct packet_mreq. */
function membership(index: number, group: Mac): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeInt32LE(index, 0);
  bytes.writeUInt16LE(PACKET_MR_MULTICAST, 4);
  bytes.writeUInt16LE(6, 6);
  bytes.set(macToBytes(group), 8);
  return bytes;
}

function demand(what: string, result: number): void {
  if (result < 0) throw new NetlinkError(-result, what, undefined);
}
