/**
 * Notes where the time of an agent's verbs goes. Loaded before the agent's own code (`node --import`), it wraps the few calls that cost something;
 * the agent itself knows nothing of it. Writes JSON lines into the file BENCH_TRACE names: {"what", "start_ns", "took_ns"}, by CLOCK_MONOTONIC.
 * On SIGUSR2 it writes what it holds.
 */
import { writeFileSync } from 'node:fs';
import { Server, Socket } from 'node:net';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { Locks } from '../src/agent/locks.ts';
import { Pools } from '../src/agent/pools.ts';
import { native } from '../src/kernel/native.ts';
import type { Message } from '../src/kernel/netlink/message.ts';
import { NetlinkSocket } from '../src/kernel/netlink/socket.ts';
import { LinkRemover } from '../src/kernel/remove-links.ts';

const file = process.env['BENCH_TRACE'] ?? '';
let lines: string[] = [];
const now = (): number => Number(process.hrtime.bigint());
const note = (what: string, start_ns: number, took_ns: number): void =>
  void lines.push(`{"what":"${what}","start_ns":${start_ns},"took_ns":${took_ns}}`);

/** Names of the netlink message types that an ADD or DEL sends (linux/rtnetlink.h). */
const types: Readonly<Record<number, string>> = {
  16: 'NEWLINK',
  17: 'DELLINK',
  18: 'GETLINK',
  19: 'SETLINK',
  20: 'NEWADDR',
  24: 'NEWROUTE',
  25: 'DELROUTE',
  28: 'NEWNEIGH',
  32: 'NEWRULE',
  33: 'DELRULE',
};

/** Replaces a method by one that notes how long it took. Types are left behind: to replace a method is what they are there to forbid. */
function wrap(owner: object, name: string, what: (args: readonly unknown[]) => string): void {
  const inner: unknown = Reflect.get(owner, name);
  if (typeof inner !== 'function') throw new TypeError(`trace.ts: there is no ${name} any more`);
  Reflect.set(owner, name, function (this: unknown, ...args: unknown[]): unknown {
    const start = now();
    try {
      return Reflect.apply(inner, this, args);
    } finally {
      note(what(args), start, now() - start);
    }
  });
}

/** `GETLINK`, `NEWROUTE+NEWRULE`: what one send holds. */
function namesOf(sent: unknown): string {
  const messages = Array.isArray(sent) ? sent : [sent];
  return messages.map((message: Message) => types[message.type] ?? String(message.type)).join('+');
}

wrap(NetlinkSocket.prototype, 'batch', ([messages]) => namesOf(messages));
wrap(NetlinkSocket.prototype, 'get', ([message]) => namesOf(message));
wrap(DatabaseSync.prototype, 'exec', ([sql]) => String(sql).split(' ', 1)[0] ?? '');
wrap(StatementSync.prototype, 'run', () => 'statement');
wrap(StatementSync.prototype, 'get', () => 'statement');
wrap(LinkRemover.prototype, 'remove', () => 'DELLINK asked');
wrap(LinkRemover.prototype, 'gone', () => 'DELLINK told');
wrap(Pools.prototype, 'lease', () => 'lease');
wrap(Locks.prototype, 'take', () => 'locked');
for (const call of ['setns', 'socket', 'send', 'recv']) wrap(native, call, () => call);
wrap(Socket.prototype, 'end', () => 'reply');

/** The moment an event is told, by the owner's `emit`. */
function wrapEvent(owner: object, event: string, what: string): void {
  const inner: unknown = Reflect.get(owner, 'emit');
  if (typeof inner !== 'function') throw new TypeError('trace.ts: events are told in another way now');
  Reflect.set(owner, 'emit', function (this: unknown, ...args: unknown[]): unknown {
    if (args[0] === event) note(what, now(), 0);
    return Reflect.apply(inner, this, args);
  });
}

wrapEvent(Server.prototype, 'connection', 'accepted');
wrapEvent(Socket.prototype, 'data', 'data');

process.on('SIGUSR2', () => {
  writeFileSync(file, `${lines.join('\n')}\n`);
  lines = [];
});
