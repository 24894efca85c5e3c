/**
 * Addresses that somebody else was found to have on the network: they rest, like those that a Pod had, but for longer, and it is known why.
 * A row outlives a restart, and is gone once its time is over and another address is quarantined.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Ip } from '../net/address.ts';
import { inTransaction } from './sqlite.ts';

/** An address at rest because of somebody else. */
export interface Quarantined {
  readonly address: Ip;
  /** Name of the PodSubnet. */
  readonly subnet: string;
  /** The node's interface on that network. */
  readonly link: string;
  /** Who has it, in words: a MAC, and how it was met. */
  readonly holder: string;
  /** Milliseconds since the epoch, by a clock that does not jump. */
  readonly until_ms: number;
}

/** Writes them, and forgets those whose time was over at `now_ms`. @throws Failure store*. */
export function quarantine(database: DatabaseSync, found: readonly Quarantined[], now_ms: number): void {
  inTransaction(database, () => {
    database.prepare('DELETE FROM quarantine WHERE until_ms <= ?').run(Math.floor(now_ms));
    const insert = database.prepare('INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?, ?, ?)');
    for (const { address, subnet, link, holder, until_ms } of found) insert.run(address, subnet, link, holder, Math.ceil(until_ms));
  });
}

/** Why the address rests at `now_ms`; undefined: not because of somebody else. */
export function quarantineOf(database: DatabaseSync, address: Ip, now_ms: number): Quarantined | undefined {
  const row = database.prepare('SELECT * FROM quarantine WHERE address = ? AND until_ms > ?').get(address, Math.floor(now_ms));
  return row === undefined ? undefined : read(row);
}

/** Those of the subnet. None rests longer than `longest_ms` from now: the clock may have been set back, or the configuration changed. */
export function quarantinedIn(database: DatabaseSync, subnet: string, now_ms: number, longest_ms: number): Quarantined[] {
  const rows = database.prepare('SELECT * FROM quarantine WHERE subnet = ? AND until_ms > ?').all(subnet, Math.floor(now_ms));
  return rows.map(read).map((one) => ({ ...one, until_ms: Math.min(one.until_ms, now_ms + longest_ms) }));
}

function read(row: Record<string, unknown>): Quarantined {
  const text = (column: string): string => String(row[column]);
  // Written above alone, from addresses.
  return {
    address: text('address') as Ip,
    subnet: text('subnet'),
    link: text('link'),
    holder: text('holder'),
    until_ms: Number(row['until_ms']),
  };
}
