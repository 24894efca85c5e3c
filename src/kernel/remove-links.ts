/**
 * Deletes links without waiting for the kernel's rcu_barrier.
 *
 * DELLINK's acknowledgement, and its send() too, take 12–20 ms; the RTM_DELLINK event comes after 0.3 ms. So the message goes out on libuv's
 * thread pool, and a removal is done when the event is seen. While as many sends as allowed are under way, what comes in is collected
 * into one link group and deleted by a single message: one barrier for all.
 *
 * Invariants: each removal ends, by event, by the send's end, or by the deadline; a link that is not there is removed.
 */
import { write } from 'node:fs';
import { errno } from './errno.ts';
import type { Host } from './namespaces.ts';
import { deleteLink, deleteLinkGroup, setLink } from './netlink/link.ts';
import { flag, type Message } from './netlink/message.ts';
import { NetlinkError, NetlinkSocket } from './netlink/socket.ts';

/** All of libuv's threads but one, which stays free for files. The launcher asks for 16: each send holds one for the barrier's 12–20 ms. */
const SENDS_AT_ONCE = Math.max(1, Number(process.env['UV_THREADPOOL_SIZE'] ?? 4) - 1);
const DEADLINE_ms = 5000;
/** Group numbers from here on, one per batch; nobody else is known to use this range. */
const FIRST_GROUP = 0x66700000;

interface Removal {
  readonly index: number;
  readonly done: (error?: Error) => void;
}

/** See the head of this file. */
export class LinkRemover {
  private readonly host: Host;
  private readonly waiting: Removal[] = [];
  private readonly underWay = new Map<number, Removal[]>();
  private readonly idle: NetlinkSocket[] = [];
  private sends = 0;
  private closed = false;
  private group = FIRST_GROUP;

  /** `host` is used for short messages and stays the caller's. */
  constructor(host: Host) {
    this.host = host;
  }

  /** Resolves when the link is gone. The caller reports events by {@link gone}. Rejects with NetlinkError when the kernel refuses. */
  remove(index: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => reject(new NetlinkError(errno.EAGAIN, `link ${index} was not deleted within ${DEADLINE_ms} ms`, undefined)),
      DEADLINE_ms,
    );
    const done = (error?: Error): void => {
      clearTimeout(timer);
      if (error === undefined) resolve();
      else reject(error);
    };
    this.waiting.push({ index, done });
    this.next();
    return promise;
  }

  /** The link of that index is gone. Whether it was being removed here. */
  gone(index: number): boolean {
    for (const removal of this.underWay.get(index) ?? []) removal.done();
    return this.underWay.delete(index);
  }

  close(): void {
    this.closed = true;
    for (const socket of this.idle) socket.close();
    this.idle.length = 0;
  }

  private next(): void {
    if (this.sends >= SENDS_AT_ONCE || this.waiting.length === 0) return;
    // The last free sender takes all that wait; the others one each, so that a lone removal never waits for a group.
    const batch = this.waiting.splice(0, this.sends === SENDS_AT_ONCE - 1 ? this.waiting.length : 1);
    for (const removal of batch) this.underWay.set(removal.index, [...(this.underWay.get(removal.index) ?? []), removal]);
    this.send(batch, this.messageFor(batch));
    this.next();
  }

  private messageFor(batch: readonly Removal[]): Message {
    const [first] = batch;
    if (batch.length === 1 && first !== undefined) return deleteLink(first.index);
    const group = ++this.group;
    const errors = this.host.socket.batch(batch.map(({ index }) => setLink(index, { group })));
    // A link that cannot be put into the group has vanished by itself.
    for (const [i, removal] of batch.entries()) if (errors[i] !== undefined) this.gone(removal.index);
    return deleteLinkGroup(group);
  }

  private send(batch: readonly Removal[], message: Message): void {
    const socket = this.idle.pop() ?? this.host.netns?.socket() ?? new NetlinkSocket();
    this.sends++;
    write(socket.fd, message.finish(1, flag.ack), (cause) => {
      const refused = cause ?? socket.refusalWaiting();
      this.sends--;
      if (this.closed) socket.close();
      else this.idle.push(socket);
      const error = refused instanceof NetlinkError && refused.errno === errno.ENODEV ? undefined : refused;
      for (const removal of batch) this.finish(removal, error);
      this.next();
    });
  }

  private finish(removal: Removal, error: Error | undefined): void {
    const others = (this.underWay.get(removal.index) ?? []).filter((other) => other !== removal);
    if (others.length === 0) this.underWay.delete(removal.index);
    else this.underWay.set(removal.index, others);
    removal.done(error);
  }
}
