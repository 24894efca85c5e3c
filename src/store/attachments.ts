/**
 * Attachments: which container interface holds which addresses. The node's most precious table.
 *
 * Invariants
 * - memory and database agree after each call, also after one that threw; only that an ADD was answered reaches the database later, with what comes
 *   next or by writeAnswered()
 * - an address has one lease: a primary key says so
 * - each change is one commit
 * - ended rests are forgotten a few at a time by the verbs themselves: the table is as long as what rests, however long the agent runs
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { failure } from '../errors/failure.ts';
import type { Ip } from '../net/address.ts';
import { addressHistory, type FormerLease } from './address-history.ts';
import type { PodIdentity } from './pod-identity.ts';
import { inTransaction, pathOf } from './sqlite.ts';

/** Ended rests that one close() forgets: more than it can add. */
const FORGOTTEN_AT_ONCE = 16;
/** To SQLite a negative LIMIT is none. */
const ALL = -1;

/** An interface of a container. `I` is what its datapath needs to make the plan again; it is stored as JSON and must hold the addresses. */
export interface Attachment<I extends { readonly addresses: readonly Ip[] }> {
  readonly container: string;
  readonly ifname: string;
  /** Name of the CNI network, for GC. */
  readonly network: string;
  readonly pod: PodIdentity;
  /** Path of the namespace. */
  readonly netns: string;
  /** Name of the PodSubnet. */
  readonly subnet: string;
  /** Id of the NIC that owns the addresses. */
  readonly nic: string;
  /** `opening` until the answer to ADD is out. */
  readonly state: 'opening' | 'ready';
  readonly created_ms: number;
  readonly interface: I;
}

/** An address that must not be used before that time. */
export interface RestingAddress {
  readonly address: Ip;
  readonly until_ms: number;
}

/** See the head of this file. */
export interface Attachments<I extends { readonly addresses: readonly Ip[] }> {
  find(container: string, ifname: string): Attachment<I> | undefined;
  list(): Attachment<I>[];
  /** Commits the attachment and its leases. @throws Failure FP150 leaseTaken, or as inTransaction(). */
  open(attachment: Attachment<I>): void;
  /** Notes in memory that the answer to ADD is out. True when it is the first that waits to be written. */
  answered(container: string, ifname: string): boolean;
  /** Commits what answered() noted. @throws Failure as inTransaction(). */
  writeAnswered(): void;
  /** Commits the end of the attachment; its addresses rest until then (ms since the epoch), 0 for not at all. Succeeds when it is over already. @throws Failure as inTransaction(). */
  close(attachment: Attachment<I>, until_ms: number): void;
  /** Addresses of the subnet that rest still. None rests longer than `longest_ms` from now: the clock may have been set back. */
  resting(subnet: string, now_ms: number, longest_ms: number): RestingAddress[];
  /** Until when the address rests (ms since the epoch), as it was written; undefined: it does not, or it has ended and is forgotten already. */
  restsUntil_ms(address: Ip): number | undefined;
  /** Who had the address before, the latest first; see address-history.ts. An attachment that never served anybody is not among them. */
  former(address: Ip): FormerLease[];
}

/**
 * Reads all attachments into memory. `read` checks the stored JSON; `now_ms` is the clock by which rests end, one that does not jump.
 * @throws Failure FP158 attachmentUnreadable.
 */
export function openAttachments<I extends { readonly addresses: readonly Ip[] }>(
  database: DatabaseSync,
  read: (json: unknown) => I,
  now_ms: () => number = () => performance.timeOrigin + performance.now(),
): Attachments<I> {
  const known = new Map(
    database
      .prepare('SELECT * FROM attachments')
      .all()
      .map((row) => attachmentOf(row, read, pathOf(database)))
      .map((one) => [keyOf(one), one]),
  );
  const { remove, cool, forget, shorten, cooling, rest, ...statements } = statementsOf(database);
  const write = writerOf<I>(statements);
  const history = addressHistory(database);
  const { unwritten, commit } = commitsOf(database, statements.ready);

  return {
    find: (container, ifname) => known.get(keyOf({ container, ifname })),
    list: () => [...known.values()],
    open(one) {
      commit(() => {
        write(one);
      });
      known.set(keyOf(one), one);
    },
    answered(container, ifname) {
      const one = known.get(keyOf({ container, ifname }));
      if (one === undefined || one.state === 'ready') return false;
      known.set(keyOf(one), { ...one, state: 'ready' });
      unwritten.set(keyOf(one), { container, ifname });
      return unwritten.size === 1;
    },
    writeAnswered() {
      if (unwritten.size > 0) commit(() => undefined);
    },
    close(one, until_ms) {
      commit(() => {
        const { changes } = remove.run(one.container, one.ifname);
        if (until_ms > 0) for (const address of one.interface.addresses) cool.run(address, one.subnet, Math.ceil(until_ms));
        forget.run(Math.floor(now_ms()), FORGOTTEN_AT_ONCE);
        // An ADD that failed had addresses for a moment, but nobody ever used them.
        const served = changes !== 0 && (until_ms > 0 || one.state === 'ready');
        if (served) for (const address of one.interface.addresses) history.add(formerLease(one, address));
      });
      known.delete(keyOf(one));
    },
    resting(subnet, from_ms, longest_ms) {
      inTransaction(database, () => {
        forget.run(Math.floor(from_ms), ALL);
        shorten.run(subnet, Math.ceil(from_ms + longest_ms));
      });
      // Written by close() alone, from addresses.
      return cooling.all(subnet).map((row) => ({ address: String(row['address']) as Ip, until_ms: Number(row['until_ms']) }));
    },
    restsUntil_ms(address) {
      const row = rest.get(address);
      return row === undefined ? undefined : Number(row['until_ms']);
    },
    former: (address) => history.of(address),
  };
}

/** For people, so by the clock they know, even where that one jumped. */
function formerLease<I extends { readonly addresses: readonly Ip[] }>(one: Attachment<I>, address: Ip): FormerLease {
  const { pod, container, subnet, nic, created_ms } = one;
  return { address, pod, container, subnet, nic, from_ms: created_ms, until_ms: Date.now() };
}

/** Commits of changes, each of which takes along what answered() noted. */
function commitsOf(database: DatabaseSync, ready: StatementSync) {
  const unwritten = new Map<string, { readonly container: string; readonly ifname: string }>();
  const commit = (change: () => void): void => {
    inTransaction(database, () => {
      for (const { container, ifname } of unwritten.values()) ready.run(container, ifname);
      change();
    });
    unwritten.clear();
  };
  return { unwritten, commit };
}

/** Writes an attachment and its leases, within a transaction. @throws Failure FP150 leaseTaken. */
function writerOf<I extends { readonly addresses: readonly Ip[] }>({
  insert,
  insertLease,
  warm,
  holder,
}: Pick<ReturnType<typeof statementsOf>, 'insert' | 'insertLease' | 'warm' | 'holder'>) {
  return (one: Attachment<I>): void => {
    for (const address of one.interface.addresses) {
      const other = holder.get(address);
      if (other !== undefined) throw failure('leaseTaken', { address, holder: `${String(other['container'])}/${String(other['ifname'])}` });
    }
    const { container, ifname, network, netns, subnet, nic, state, created_ms } = one;
    insert.run(container, ifname, network, JSON.stringify(one.pod), netns, subnet, nic, state, created_ms, JSON.stringify(one.interface));
    for (const address of one.interface.addresses) {
      insertLease.run(address, container, ifname);
      warm.run(address);
    }
  };
}

/** Every statement, prepared once. */
function statementsOf(database: DatabaseSync) {
  return {
    insert: database.prepare('INSERT INTO attachments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
    insertLease: database.prepare('INSERT INTO leases VALUES (?, ?, ?)'),
    ready: database.prepare("UPDATE attachments SET state = 'ready' WHERE container = ? AND ifname = ?"),
    remove: database.prepare('DELETE FROM attachments WHERE container = ? AND ifname = ?'),
    cool: database.prepare('INSERT OR REPLACE INTO cooling VALUES (?, ?, ?)'),
    warm: database.prepare('DELETE FROM cooling WHERE address = ?'),
    forget: database.prepare(
      'DELETE FROM cooling WHERE address IN (SELECT address FROM cooling WHERE until_ms <= ? ORDER BY until_ms LIMIT ?)',
    ),
    shorten: database.prepare('UPDATE cooling SET until_ms = ?2 WHERE subnet = ?1 AND until_ms > ?2'),
    cooling: database.prepare('SELECT address, until_ms FROM cooling WHERE subnet = ?'),
    rest: database.prepare('SELECT until_ms FROM cooling WHERE address = ?'),
    holder: database.prepare('SELECT container, ifname FROM leases WHERE address = ?'),
  };
}

function keyOf({ container, ifname }: { readonly container: string; readonly ifname: string }): string {
  return `${container}/${ifname}`;
}

function attachmentOf<I extends { readonly addresses: readonly Ip[] }>(
  row: Record<string, unknown>,
  read: (json: unknown) => I,
  path: string,
): Attachment<I> {
  const text = (column: string): string => String(row[column]);
  try {
    return {
      container: text('container'),
      ifname: text('ifname'),
      network: text('network'),
      // Written by open() alone; the columns' types are the database's promise.
      pod: JSON.parse(text('pod')) as PodIdentity,
      netns: text('netns'),
      subnet: text('subnet'),
      nic: text('nic'),
      state: text('state') === 'ready' ? 'ready' : 'opening',
      created_ms: Number(row['created_ms']),
      interface: read(JSON.parse(text('interface'))),
    };
  } catch (cause) {
    const attachment = `${text('container')}/${text('ifname')}`;
    throw failure('attachmentUnreadable', { path, attachment, text: cause instanceof Error ? cause.message : String(cause) }, cause);
  }
}
