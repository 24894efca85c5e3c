/** `flatpod ipam list` and `show`: who has which address. */
import { failure } from '../../errors/failure.ts';
import { type Ip, tryParseIp } from '../../net/address.ts';
import { type RangeLease, sayHolder } from '../../store/range-leases.ts';
import { table } from '../table.ts';
import { notFound, withBooks } from './books.ts';
import type { BooksOptions } from './commands.ts';

/** Prints all leases, in the order of scopes and addresses. */
export async function listLeases({ state, scope, json }: BooksOptions): Promise<number> {
  const leases = withBooks(state, (books) => books.list(scope)) ?? [];
  const rows = leases.map((lease) => [lease.address, lease.pod, lease.container, lease.ifname, lease.network, at(lease), lease.scope]);
  const heading = ['ADDRESS', 'POD', 'CONTAINER', 'INTERFACE', 'NETWORK', 'SINCE', 'SCOPE'];
  process.stdout.write(json ? `${JSON.stringify({ leases })}\n` : table(process.stdout, heading, rows));
  return 0;
}

/** Prints who has it, in each scope, and where it rests. @throws Failure leaseNotFound, badOption. */
export async function showLease(text: string, { state, scope, json }: BooksOptions): Promise<number> {
  const address = addressIn(text);
  const found = withBooks(state, (books) => {
    const leases = books.list(scope).filter((lease) => lease.address === address);
    return { leases, rests: books.rests(address).filter((rest) => scope === undefined || rest.scope === scope) };
  });
  if (found === undefined || found.leases.length + found.rests.length === 0) throw notFound(address, scope);
  const { leases, rests } = found;
  const lines = [
    ...leases.map((lease) => `${address} in ${lease.scope}: ${sayHolder(lease)} of network ${lease.network || '-'} since ${at(lease)}`),
    ...rests.map((rest) => `${address} in ${rest.scope}: nobody; it rests until ${time(rest.until_ms)}`),
  ];
  process.stdout.write(json ? `${JSON.stringify({ address, leases, rests })}\n` : lines.map((line) => `${line}\n`).join(''));
  return 0;
}

/** @throws Failure badOption. */
function addressIn(text: string): Ip {
  const address = tryParseIp(text);
  if (address === undefined)
    throw failure('badOption', { option: 'address', value: text, remedy: 'write it like 10.1.0.7 or 2001:db8::7' });
  return address;
}

function at({ since_ms }: RangeLease): string {
  return time(since_ms);
}

/** To the second. */
function time(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
