/**
 * Tells when somebody else changes an nftables table of ours: multicast group NFNLGRP_NFTABLES. Each transaction is told as its changes and a
 * closing NEWGEN that names the process; nothing else tells our own transactions (through libnftables) from those of others.
 */
import { errno } from './errno.ts';
import { native } from './native.ts';
import type { Netns } from './netns.ts';
import { attributesOf, messagesIn, type Received, textOf } from './netlink/message.ts';
import { NETFILTER, subsystem, typeIn } from './netlink/netfilter.ts';
import { NetlinkSocket } from './netlink/socket.ts';
import { runNft } from './nft.ts';

const NFNLGRP_NFTABLES = 7;
const NEWGEN = typeIn(subsystem.nftables, 15);
const GEN = { pid: 2, name: 3 } as const;
/** NFTA_*_TABLE: the table's name is attribute 1 of every kind of nf_tables object. */
const TABLE_NAME = 1;
const MSG_DONTWAIT = 0x40;
const inbox = Buffer.allocUnsafeSlow(64 * 1024);

/** A change by somebody else; `overrun` when the kernel dropped events, so there may have been one. */
export type NftChange = { readonly kind: 'changed'; readonly table: string; readonly by: string } | { readonly kind: 'overrun' };

/** Follows the events of transactions. Exported for its test with arbitrary bytes. */
export class NftTransactions {
  private readonly tables: readonly string[];
  private readonly own: string;
  private readonly touched = new Set<string>();
  /** The kernel's number of our process: another one than process.pid in a container with its own pid namespace. */
  private ownPid: number | undefined;

  /** `own`: the name of a table that only this process ever touches. */
  constructor(tables: readonly string[], own: string) {
    this.tables = tables;
    this.own = own;
  }

  /** The changes of somebody else that a message completes, one a table; none for all other messages. */
  heard(received: Received): NftChange[] {
    if (received.type >> 8 !== subsystem.nftables) return [];
    const attributes = attributesOf(received.payload, 4);
    if (received.type !== NEWGEN) {
      this.touched.add(textOf(attributes, TABLE_NAME) ?? '');
      return [];
    }
    const pid = attributes.get(GEN.pid);
    const who = pid === undefined || pid.length < 4 ? undefined : pid.readUInt32BE(0);
    if (this.touched.has(this.own)) this.ownPid = who;
    const isForeign = who === undefined || who !== this.ownPid;
    const tables = isForeign ? this.tables.filter((table) => this.touched.has(table)) : [];
    this.touched.clear();
    const by = `${textOf(attributes, GEN.name) ?? 'a process'} (pid ${who ?? 'unknown'})`;
    return tables.map((table) => ({ kind: 'changed', table, by }));
  }

  /** Events were lost: what was heard of a transaction is incomplete. */
  lost(): NftChange {
    this.touched.clear();
    return { kind: 'overrun' };
  }
}

/**
 * Watches tables (of any family) in a namespace, the process's own when undefined; calls back on a later turn of the event loop, once per table and
 * transaction of another process. Changes nothing, but makes and deletes a table in one transaction at the start, by which it learns its own number.
 * Returns the way to stop. @throws NetlinkError, Failure nftMissing, nftRefused.
 */
export function watchNft(netns: Netns | undefined, tables: readonly string[], changed: (change: NftChange) => void): () => void {
  const open = (): NetlinkSocket => new NetlinkSocket(NETFILTER, 1 << (NFNLGRP_NFTABLES - 1));
  const socket = netns === undefined ? open() : netns.run(open);
  const own = `flatpod_pid_${process.pid}`;
  const transactions = new NftTransactions(tables, own);
  let pending: NftChange[] = [];
  const deliver = (): void => {
    const changes = pending;
    pending = [];
    for (const change of changes) changed(change);
  };
  const drainAndDeliver = (): void => {
    // May be an FFI callback: no promise may be touched in here, so hand over on the next turn.
    const before = pending.length;
    drain(socket.fd, transactions, pending);
    if (before === 0 && pending.length > 0) setImmediate(deliver);
  };
  try {
    runNft(netns, `table inet ${own}\ndelete table inet ${own}\n`, 'probe');
  } catch (error) {
    socket.close();
    throw error;
  }
  drainAndDeliver();
  const stop = native.watchReadable(socket.fd, drainAndDeliver);
  return () => {
    stop();
    socket.close();
    pending = [];
  };
}

function drain(fd: number, transactions: NftTransactions, into: NftChange[]): void {
  for (;;) {
    const length = native.recv(fd, inbox, MSG_DONTWAIT);
    if (length === -errno.EINTR) continue;
    if (length === -errno.ENOBUFS) into.push(transactions.lost());
    else if (length < 0) return;
    else
      for (const received of messagesIn(inbox.subarray(0, length))) {
        into.push(...transactions.heard(received));
      }
  }
}
