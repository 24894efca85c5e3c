/**
 * A netlink socket: requests with their acknowledgements, batches, dumps. Synchronous: rtnetlink does its work inside of send(),
 * so the answer is there when send() returns, and waiting for it never sleeps (but see remove-links.ts for DELLINK).
 *
 * Invariants
 * - every answer is matched by sequence number; what an earlier, failed exchange left behind is skipped
 * - a batch asks for the last acknowledgement only: the kernel works in order, and tells refusals unasked (netlink_rcv_skb in net/netlink/af_netlink.c)
 * - a dump that changed under our hands (NLM_F_DUMP_INTR) or overran the socket (ENOBUFS) is taken again, never returned
 * - the socket belongs for life to the namespace it was opened in
 */
import { errno, errnoName } from '../errno.ts';
import { native } from '../native.ts';
import { attributesOf, flag, HEADER, type Message, messagesIn, type Received, textOf, u32Of } from './message.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_NETLINK = 270;
const CAP_ACK = 10;
const EXT_ACK = 11;
const STRICT_CHECK = 12;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const ERROR = 2;
const DONE = 3;
const ACK_TLVS = 0x200;

/** A dump is taken at most this often before it counts as failed. */
const DUMP_TRIES = 50;
const ANSWER_DEADLINE_s = 5;
/** As many refusals must fit the receive buffer, and take about 1 KiB of it each. */
const SENT_AT_ONCE = 128;
const BUFFER = int(4 * 1024 * 1024);

/** The kernel's refusal of one message, in its own words where it has any (extended acknowledgement). */
export class NetlinkError extends Error {
  /** Positive errno. */
  readonly errno: number;
  /** Type of the attribute that the kernel objects to; absent when it does not say. */
  readonly attribute: number | undefined;

  constructor(code: number, text: string | undefined, attribute: number | undefined) {
    super(text === undefined || text === '' ? errnoName(code) : `${errnoName(code)}: ${text}`);
    this.name = 'NetlinkError';
    this.errno = code;
    this.attribute = attribute;
  }
}

// One buffer for all sockets: receiving is synchronous, and whoever keeps bytes copies them.
const inbox = Buffer.allocUnsafeSlow(256 * 1024);

let lastSequence = 0;

/** One socket, in the namespace it was opened in. Close it. */
export class NetlinkSocket {
  readonly fd: number;

  /** Opens in the calling thread's current namespace. `protocol`: 0 rtnetlink, 12 netfilter. `filter`: a program for what the groups bring. @throws NetlinkError. */
  constructor(protocol = 0, groups = 0, filter?: Uint8Array) {
    const fd = native.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, protocol);
    if (fd < 0) throw new NetlinkError(-fd, 'socket', undefined);
    this.fd = fd;
    const deadline = Buffer.alloc(16);
    deadline.writeBigInt64LE(BigInt(ANSWER_DEADLINE_s), 0);
    const one = int(1);
    native.setsockopt(fd, SOL_NETLINK, CAP_ACK, one);
    native.setsockopt(fd, SOL_NETLINK, EXT_ACK, one);
    if (protocol === 0) native.setsockopt(fd, SOL_NETLINK, STRICT_CHECK, one);
    native.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, deadline);
    // Whole tables go out at once to nftables; events come in when they like. What else there is fits the usual buffers.
    if (protocol !== 0) native.setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER);
    if (protocol !== 0 || groups !== 0) native.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER);
    const bound = filter === undefined ? native.bindNetlink(fd, groups) : native.attachFilter(fd, filter) || native.bindNetlink(fd, groups);
    if (bound < 0) {
      native.close(fd);
      throw new NetlinkError(-bound, 'bind', undefined);
    }
  }

  /** What the kernel names this socket by, in the events that its requests cause (nlmsg_pid). */
  get port(): number {
    return native.netlinkPort(this.fd);
  }

  /** Sends one message and waits for its acknowledgement. @throws NetlinkError. */
  request(message: Message): void {
    const [error] = this.batch([message]);
    if (error !== undefined) throw error;
  }

  /**
   * Sends all messages, at most {@link SENT_AT_ONCE} at once; the answer has, message by message, the error or undefined. The kernel goes on
   * after a refusal.
   */
  batch(messages: readonly Message[]): (NetlinkError | undefined)[] {
    const errors: (NetlinkError | undefined)[] = [];
    for (let at = 0; at < messages.length; at += SENT_AT_ONCE) errors.push(...this.exchange(messages.slice(at, at + SENT_AT_ONCE)));
    return errors;
  }

  /**
   * Sends messages as one nfnetlink batch: when one is refused, none has an effect. The answer is as of {@link batch}.
   * @throws NetlinkError when the kernel refuses the batch as such.
   */
  transaction(begin: Message, messages: readonly Message[], end: Message): (NetlinkError | undefined)[] {
    return messages.length === 0 ? [] : this.exchange(messages, { begin, end });
  }

  /** Sends one message that is answered by one message; undefined when the kernel has no such object (ENODEV, ENOENT, ESRCH). @throws NetlinkError. */
  get<T>(message: Message, decode: (received: Received) => T): T | undefined {
    const sequence = nextSequence();
    const encoded = message.finish(sequence);
    this.send(encoded);
    for (;;) {
      for (const received of this.receive()) {
        if (received.sequence !== sequence) continue;
        if (received.type !== ERROR) return decode(received);
        const error = errorIn(received, encoded);
        if (error === undefined || [errno.ENODEV, errno.ENOENT, errno.ESRCH].includes(error.errno)) return undefined;
        throw error;
      }
    }
  }

  /**
   * Reads a whole table. Complete and consistent, or an error; a table that is not there (ENOENT) is an empty one.
   * @throws NetlinkError, with EINTR when the table never stood still.
   */
  dump<T>(message: Message, decode: (received: Received) => T | undefined): T[] {
    for (let attempt = 0; attempt < DUMP_TRIES; attempt++) {
      const items = this.dumpOnce(message, decode);
      if (items !== undefined) return items;
    }
    throw new NetlinkError(errno.EINTR, 'the table changed during every dump', undefined);
  }

  /** Reads the acknowledgement of a message that was sent from elsewhere (the thread pool) and is complete: the refusal in it, or undefined. */
  refusalWaiting(): NetlinkError | undefined {
    let refusal: NetlinkError | undefined;
    for (const received of this.receive()) if (received.type === ERROR) refusal = errorIn(received, undefined);
    return refusal;
  }

  close(): void {
    native.close(this.fd);
  }

  private exchange(messages: readonly Message[], frame?: { readonly begin: Message; readonly end: Message }): (NetlinkError | undefined)[] {
    // The frame asks for no acknowledgement: older kernels give none.
    const begin = frame?.begin.finish(nextSequence());
    const first = lastSequence + 1;
    const last = messages.length - 1;
    const encoded = messages.map((message, i) => message.finish(nextSequence(), i === last || frame !== undefined ? flag.ack : 0));
    const end = frame?.end.finish(nextSequence());
    this.send(Buffer.concat([begin, ...encoded, end].filter((bytes) => bytes !== undefined)));
    const errors = Array<NetlinkError | undefined>(messages.length).fill(undefined);
    // Inside of a frame all are worked off at its end, and told in no order that is promised.
    let missing = frame === undefined ? 1 : messages.length;
    while (missing > 0) {
      for (const received of this.receive()) {
        if (received.type !== ERROR) continue;
        const index = (received.sequence - first) >>> 0;
        const ofFrame = frame !== undefined && (received.sequence === first - 1 || index === messages.length);
        const error = errorIn(received, encoded[index]);
        if (ofFrame && error !== undefined) throw error;
        if (index >= messages.length) continue;
        errors[index] = error;
        if (frame !== undefined || index === last) missing--;
      }
    }
    return errors;
  }

  /** Undefined when the dump is not complete. Always read to its end: the kernel refuses a dump (EBUSY) while an earlier one is not read. */
  private dumpOnce<T>(message: Message, decode: (received: Received) => T | undefined): T[] | undefined {
    const sequence = nextSequence();
    this.send(message.finish(sequence, flag.dump));
    const items: T[] = [];
    let interrupted = false;
    let undecodable: { readonly error: unknown } | undefined;
    for (;;) {
      const received = this.receiveOrOverrun();
      if (received === undefined) interrupted = true;
      for (const part of received ?? []) {
        if ((part.flags & flag.dumpInterrupted) !== 0) interrupted = true;
        if (part.sequence !== sequence) continue;
        if (part.type === ERROR || part.type === DONE) {
          if (undecodable !== undefined) throw undecodable.error;
          const error = errorIn(part, undefined);
          if (error?.errno === errno.ENOENT) return [];
          if (error !== undefined && error.errno !== errno.EINTR) throw error;
          return interrupted || error !== undefined ? undefined : items;
        }
        try {
          const item = decode(part);
          if (item !== undefined) items.push(item);
        } catch (error) {
          undecodable ??= { error };
        }
      }
    }
  }

  private send(bytes: Buffer): void {
    let sent: number;
    do sent = native.send(this.fd, bytes, bytes.length);
    while (sent === -errno.EINTR);
    if (sent < 0) throw new NetlinkError(-sent, 'send', undefined);
  }

  /** Undefined when the kernel dropped messages to this socket. */
  private receiveOrOverrun(): Generator<Received> | undefined {
    try {
      return this.receive();
    } catch (error) {
      if (error instanceof NetlinkError && error.errno === errno.ENOBUFS) return undefined;
      throw error;
    }
  }

  private receive(): Generator<Received> {
    let length: number;
    do length = native.recv(this.fd, inbox, 0);
    while (length === -errno.EINTR);
    if (length < 0)
      throw new NetlinkError(-length, length === -errno.EAGAIN ? `no answer within ${ANSWER_DEADLINE_s} s` : 'recv', undefined);
    return messagesIn(inbox.subarray(0, length));
  }
}

function nextSequence(): number {
  lastSequence = (lastSequence + 1) >>> 0;
  return lastSequence;
}

function int(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

/** The refusal in an NLMSG_ERROR; undefined when it is an acknowledgement. */
function errorIn(received: Received, request: Buffer | undefined): NetlinkError | undefined {
  if (received.payload.length < 4) return new NetlinkError(errno.EINVAL, 'truncated answer', undefined);
  const code = -received.payload.readInt32LE(0);
  if (code === 0) return undefined;
  if ((received.flags & ACK_TLVS) === 0) return new NetlinkError(code, undefined, undefined);
  // A dump's end has no header of the request in between.
  const attributes = attributesOf(received.payload, received.type === DONE ? 4 : 4 + HEADER);
  const offset = u32Of(attributes, 2);
  const attribute =
    offset === undefined || request === undefined || offset + 4 > request.length ? undefined : request.readUInt16LE(offset + 2) & 0x3fff;
  return new NetlinkError(code, textOf(attributes, 1), attribute);
}
