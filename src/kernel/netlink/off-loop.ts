/**
 * Netlink exchanges that take the kernel long, on libuv's thread pool: reading and writing a netlink socket's descriptor is sending and receiving.
 * The socket must serve nothing else meanwhile.
 */
import { read, write } from 'node:fs';
import { promisify } from 'node:util';
import { errno } from '../errno.ts';
import { flag, type Message, messagesIn, type Received } from './message.ts';
import { NetlinkError, type NetlinkSocket } from './socket.ts';

const [readOffLoop, writeOffLoop] = [promisify(read), promisify(write)];
const SEQUENCE = 1;
const ERROR = 2;
const DONE = 3;
const DUMP_TRIES = 5;
/** The kernel makes the parts of a dump at most 32 KiB long. */
const PART = 64 * 1024;

/** Sends one message and resolves with the kernel's refusal, or undefined when it is done. @throws Error when it cannot be sent. */
export async function sendOffLoop(socket: NetlinkSocket, message: Message): Promise<NetlinkError | undefined> {
  await writeOffLoop(socket.fd, message.finish(SEQUENCE, flag.ack));
  return socket.refusalWaiting();
}

/**
 * Reads a whole table, part by part, the event loop free in between. Complete, or an error; not of one moment.
 * @throws NetlinkError.
 */
export async function dumpOffLoop<T>(socket: NetlinkSocket, message: Message, decode: (received: Received) => T | undefined): Promise<T[]> {
  for (let attempt = 1; attempt <= DUMP_TRIES; attempt++) {
    const items = await dumpOnce(socket, message, SEQUENCE + attempt, decode);
    if (items !== undefined) return items;
  }
  throw new NetlinkError(errno.EINTR, 'the table changed during every dump', undefined);
}

async function dumpOnce<T>(
  socket: NetlinkSocket,
  message: Message,
  sequence: number,
  decode: (received: Received) => T | undefined,
): Promise<T[] | undefined> {
  await writeOffLoop(socket.fd, message.finish(sequence, flag.dump));
  const inbox = Buffer.allocUnsafeSlow(PART);
  const items: T[] = [];
  let interrupted = false;
  for (;;) {
    const { bytesRead } = await readOffLoop(socket.fd, inbox, 0, PART, null);
    for (const part of messagesIn(inbox.subarray(0, bytesRead))) {
      if (part.sequence !== sequence) continue;
      if ((part.flags & flag.dumpInterrupted) !== 0) interrupted = true;
      if (part.type === ERROR || part.type === DONE) {
        const code = part.payload.length >= 4 ? -part.payload.readInt32LE(0) : 0;
        if (code !== 0) throw new NetlinkError(code, 'dump', undefined);
        return interrupted ? undefined : items;
      }
      const item = decode(part);
      if (item !== undefined) items.push(item);
    }
  }
}
