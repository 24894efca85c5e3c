/**
 * Leases that another program kept, taken over: those of a host-local directory at the first request for its network, so that nobody gets an address
 * that a container from before has; and whatever `flatpod ipam import` reads.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { failure } from '../../errors/failure.ts';
import { hostLocalFile } from '../../ipam/ranges/host-local-files.ts';
import type { Log } from '../../log.ts';
import type { Ip } from '../../net/address.ts';
import { type RangeLease, type RangeLeases, sayHolder } from '../../store/range-leases.ts';

/** What was found. */
export interface Former {
  readonly leases: readonly RangeLease[];
  /** The address given last, by set. */
  readonly given: readonly { readonly set: string; readonly address: Ip }[];
}

/** What became of it. */
export interface TakenOver {
  readonly taken: number;
  /** Were known already. */
  readonly known: number;
  /** Addresses that somebody else has by now, in words. */
  readonly conflicts: readonly string[];
}

/** A file of an address has a few dozen bytes. */
const LONGEST = 4096;

/** Reads a host-local directory. The scope is its path. @throws Failure importUnusable. */
export function readDirectory(path: string, network: string): Former {
  const [leases, given]: [RangeLease[], { set: string; address: Ip }[]] = [[], []];
  try {
    for (const name of readdirSync(path)) {
      const file = join(path, name);
      const { mtimeMs, size } = statSync(file);
      const found = size <= LONGEST ? hostLocalFile(name, readFileSync(file, 'utf8')) : undefined;
      if (found?.kind === 'given') given.push({ set: found.set, address: found.address });
      if (found?.kind !== 'lease') continue;
      const { address, container, ifname } = found;
      leases.push({ scope: path, address, container, ifname, network, pod: '', since_ms: mtimeMs });
    }
  } catch (cause) {
    throw failure('importUnusable', { path, reason: cause instanceof Error ? cause.message : String(cause) }, cause);
  }
  return { leases, given };
}

/** Writes it into the books, within a change. */
export function takeOver(leases: RangeLeases, { leases: former, given }: Former): TakenOver {
  let [taken, known] = [0, 0];
  const conflicts: string[] = [];
  for (const lease of former) {
    const holder = leases.holder(lease.scope, lease.address);
    if (holder === undefined) {
      leases.take(lease);
      taken++;
    } else if (holder.container === lease.container && holder.ifname === lease.ifname) known++;
    else conflicts.push(`${lease.address} of ${sayHolder(lease)} is ${sayHolder(holder)}'s`);
  }
  const [first] = former;
  if (first !== undefined)
    for (const { set, address } of given) if (leases.given(first.scope, set) === undefined) leases.noteGiven(first.scope, set, address);
  return { taken, known, conflicts };
}

/** At the first request for a network that host-local has a directory of. @throws Failure importUnusable: giving addresses all the same could give one twice. */
export function takeOverDirectory(leases: RangeLeases, log: Log, scope: string, network: string): void {
  if (leases.isTakenOver(scope) || statSync(scope, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  const { taken } = leases.change(() => {
    if (leases.isTakenOver(scope)) return { taken: 0 };
    leases.noteTakenOver(scope, Date.now());
    return takeOver(leases, readDirectory(scope, network));
  });
  if (taken > 0) log.info(`took over ${taken} leases that host-local kept in ${scope}`);
}
