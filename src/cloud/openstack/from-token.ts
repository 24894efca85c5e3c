/** What the token of a request makes of its NIC: repeated, the request finds by it what it made. Pure. */
import { createHash } from 'node:crypto';
import { type Mac, parseMac } from '../../net/mac.ts';
import type { CreateNic } from '../cloud.ts';

/** The word by which a NIC of that token is found, and which the names of its reservations have. */
export function keyOf(token: string): string {
  return hashOf(token, 32);
}

/** Of one machine and locally administered (IEEE 802), as Neutron's own begin. `attempt`: another where somebody has that one. */
export function macOf(token: string, attempt: number): Mac {
  return parseMac(`fa${hashOf(`${token} ${attempt}`, 10)}`.replace(/..(?!$)/g, '$&:'));
}

/** The same exactly for requests that ask for the same, whatever their tokens. */
export function digestOf({ subnet, securityGroups, tags, multiMac = false, isTrunk = false, want = {} }: CreateNic): string {
  const { addresses4 = 0, prefixes4 = 0, prefixes6 = 0, these = [], within } = want;
  const sorted = Object.entries(tags).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return hashOf(
    JSON.stringify([subnet, securityGroups, sorted, multiMac, isTrunk, addresses4, prefixes4, prefixes6, these, ...(within ?? [])]),
    16,
  );
}

function hashOf(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}
