/** `flatpod ipam release` and `import`: what changes the books by hand. */
import { readFileSync, statSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type Former, readDirectory, takeOver, type TakenOver } from '../../agent/ipam/take-over.ts';
import { whereaboutsScope } from '../../cni/ipam/whereabouts.ts';
import { failure } from '../../errors/failure.ts';
import { readIpPool } from '../../ipam/ranges/ip-pool.ts';
import { tryParseIp } from '../../net/address.ts';
import type { RangeLease } from '../../store/range-leases.ts';
import { notFound, withBooks, withOwnBooks } from './books.ts';
import type { ImportOptions, ReleaseOptions } from './commands.ts';

const LONGEST_REST_s = 86_400;

/** Releases it and prints what was released. @throws Failure leaseNotFound, leaseAmbiguous, badOption, store*. */
export async function releaseLeases(what: string, { state, scope, ifname, rest, json }: ReleaseOptions): Promise<number> {
  const seconds = Number(rest);
  if (!(seconds >= 0 && seconds <= LONGEST_REST_s))
    throw failure('badOption', { option: '--rest', value: rest, remedy: `give seconds from 0 to ${LONGEST_REST_s}` });
  const address = tryParseIp(what);
  const isMeant = (lease: RangeLease): boolean =>
    address === undefined ? lease.container === what && (ifname === undefined || lease.ifname === ifname) : lease.address === address;
  const released = withBooks(state, (books) =>
    books.change(() => {
      const meant = books.list(scope).filter(isMeant);
      const scopes = [...new Set(meant.map((lease) => lease.scope))];
      // A container may have addresses of several; one address of several has several owners.
      if (address !== undefined && scopes.length > 1) throw failure('leaseAmbiguous', { what, scopes: scopes.join(', ') });
      for (const lease of meant) books.release(lease, seconds === 0 ? 0 : Date.now() + seconds * 1000);
      return meant;
    }),
  );
  if (released === undefined || released.length === 0) throw notFound(what, scope);
  const lines = released.map((lease) => `released ${lease.address} of ${lease.container} ${lease.ifname} in ${lease.scope}\n`);
  process.stdout.write(json ? `${JSON.stringify({ released })}\n` : lines.join(''));
  return 0;
}

/** Takes leases over and prints what became of them; 1 when somebody else had one of the addresses. @throws Failure importUnusable, store*. */
export async function importLeases(path: string, { state, scope, network, json }: ImportOptions): Promise<number> {
  const isFolder = path !== '-' && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  const found = isFolder ? readDirectory(resolve(path), network ?? basename(resolve(path))) : poolsIn(path, network ?? '');
  const former: Former = scope === undefined ? found : { ...found, leases: found.leases.map((lease) => ({ ...lease, scope })) };
  const result = withOwnBooks(state, (books) =>
    books.change(() => {
      if (isFolder) books.noteTakenOver(scope ?? resolve(path), Date.now());
      return takeOver(books, former);
    }),
  );
  process.stdout.write(json ? `${JSON.stringify(result)}\n` : sayTakenOver(result));
  return result.conflicts.length === 0 ? 0 : 1;
}

function sayTakenOver({ taken, known, conflicts }: TakenOver): string {
  const lines = [`${taken} leases taken over, ${known} known before`, ...conflicts.map((conflict) => `left alone: ${conflict}`)];
  return lines.map((line) => `${line}\n`).join('');
}

/** IPPools in YAML or JSON: one or several documents, lists among them. */
function poolsIn(path: string, network: string): Former {
  try {
    const documents = parseAllDocuments(readFileSync(path === '-' ? 0 : path, 'utf8'));
    for (const { errors } of documents) if (errors[0] !== undefined) throw errors[0];
    const pools = documents.flatMap((document) => membersOf(document.toJS())).map(readIpPool);
    if (pools.length === 0) throw new RangeError('there is no IPPool in it');
    const leases = pools.flatMap(({ networkName, leases: found }) => {
      const scope = whereaboutsScope(networkName);
      return found.map((lease): RangeLease => ({ scope, ...lease, network, since_ms: Date.now() }));
    });
    return { leases, given: [] };
  } catch (cause) {
    throw failure('importUnusable', { path, reason: cause instanceof Error ? cause.message.slice(0, 300) : String(cause) }, cause);
  }
}

/** The members of a list, or the object itself. */
function membersOf(value: unknown): unknown[] {
  return typeof value === 'object' && value !== null && 'items' in value && Array.isArray(value.items) ? value.items : [value];
}
