/** Which addresses of a vxnet are asked for when only their number is given: those that leave the most aligned /28 whole. Pure. */
import { type Ip, ipFromBigInt, ipToBigInt } from '../../net/address.ts';
import { type Cidr, cidrOf, firstOf, hostCidr, lastOf } from '../../net/cidr.ts';
import type { AddressRange } from '../../net/range.ts';

const BLOCK = 16;
/** So many addresses are looked at in any case; of a larger vxnet no more than needed, as 65 000 take half a second. */
const LOOKED_AT = 4096;

/** How many of which kind. */
export interface Counted {
  readonly addresses: number;
  readonly prefixes: number;
}

/**
 * As many free addresses of the range, in order; undefined when there are fewer. Prefixes are chosen first. `begun`: /28 of which a part is held already by
 * the one who asks: they are finished before others are begun, where the rest of them is free.
 */
export function chooseBlocks(
  range: AddressRange,
  isTaken: (ip: Ip) => boolean,
  wanted: Counted,
  begun: readonly Cidr[] = [],
): Cidr[] | undefined {
  const [first, last] = [Number(ipToBigInt(range.first)), Number(ipToBigInt(range.last))];
  const free = new Map<number, Ip[]>();
  const enough = wanted.prefixes + Math.ceil(wanted.addresses / BLOCK);
  for (let at = first, whole = 0; at <= last && (at < first + LOOKED_AT || whole < enough); at++) {
    const ip = ipFromBigInt(BigInt(at), 4);
    if (isTaken(ip)) continue;
    const block = Math.floor(at / BLOCK);
    const ips = [...(free.get(block) ?? []), ip];
    free.set(block, ips);
    if (ips.length === BLOCK) whole++;
  }
  const whole = [...free.values()].filter((ips) => ips.length === BLOCK).map(([ip = range.first]) => cidrOf(ip, 28));
  const prefixes = [...begun, ...whole].slice(0, wanted.prefixes);
  const left = [...free.values()].filter(([ip]) => ip !== undefined && !prefixes.includes(cidrOf(ip, 28)));
  // Sorting is stable: what is broken already first, and of each kind the lowest.
  const addresses = left
    .toSorted((a, b) => Number(a.length === BLOCK) - Number(b.length === BLOCK))
    .flat()
    .slice(0, wanted.addresses);
  if (prefixes.length < wanted.prefixes || addresses.length < wanted.addresses) return undefined;
  return [...prefixes, ...addresses.map(hostCidr)];
}

/** Neighbouring addresses joined, so that one call reserves each run. */
export function runsOf(ips: readonly Ip[]): AddressRange[] {
  const runs: { first: Ip; last: Ip }[] = [];
  for (const ip of ips.toSorted((a, b) => Number(ipToBigInt(a) - ipToBigInt(b)))) {
    const run = runs.at(-1);
    if (run !== undefined && ipToBigInt(run.last) + 1n === ipToBigInt(ip)) run.last = ip;
    else runs.push({ first: ip, last: ip });
  }
  return runs;
}

/** The addresses that no NIC may have: the network's own, the router's, the broadcast's. */
export function keptAddresses(cidr: Cidr, gateway: Ip): Set<Ip> {
  return new Set([firstOf(cidr), gateway, lastOf(cidr)]);
}
