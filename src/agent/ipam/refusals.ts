/** Why an address is not given: sentences and numbers for the errors of the IPAM plugin. */
import type { IpamConfig, LeaseRange, LeaseSet } from '../../cni/ipam/config.ts';
import { failure } from '../../errors/failure.ts';
import { compareIps, type Ip, ipToBigInt } from '../../net/address.ts';
import { type AddressRange, isInRange, sayRange, sizeOfRange } from '../../net/range.ts';
import type { RangeLeases } from '../../store/range-leases.ts';
import { sayTaker, type Taker } from './taker.ts';

interface Refused {
  readonly leases: RangeLeases;
  readonly config: IpamConfig;
  readonly taker: Taker;
  readonly now_ms: number;
}

/** The ranges of a set, as host-local writes them. */
export function sayRanges(ranges: readonly AddressRange[]): string {
  return ranges.map(sayRange).join(',');
}

/** Why an address that was asked for is not this taker's to have; undefined when nothing but its holder may stand against it. */
export function reasonKept({ leases, config, taker, now_ms }: Refused, { scope, ranges }: LeaseSet, ip: Ip): string | undefined {
  for (const range of ranges) {
    if (range.gateway === ip) return `the gateway of ${range.subnet}`;
    if (isInRange(range, ip) && range.skip.some((skipped) => isInRange(skipped, ip))) return 'excluded by the configuration';
  }
  const other = config.reservations.find((kept) => kept.pod !== undefined && kept.pod !== taker.pod && isInRange(kept, ip));
  if (other?.pod !== undefined) return `reserved for ${other.pod}`;
  if (!config.cooldown.strict) return undefined;
  const rest = [...leases.resting(scope)].find(({ address, until_ms }) => address === ip && until_ms > now_ms);
  return rest && `one that rests for ${Math.ceil((rest.until_ms - now_ms) / 1000)} s more`;
}

/** The failure that tells where all addresses are. */
export function exhausted({ leases, config, taker, now_ms }: Refused, { scope, ranges }: LeaseSet): Error {
  const counts = ranges.map((range) => leases.counts(scope, range));
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  const next = Math.min(...counts.map(({ nextFree_ms }) => nextFree_ms ?? Number.POSITIVE_INFINITY));
  const size = ranges.reduce((total, range) => total + sizeOfRange(range), 0n);
  const kept = ranges.reduce((total, range) => total + keptIn(range, config), 0n);
  return failure('rangesExhausted', {
    ranges: sayRanges(ranges),
    who: sayTaker(taker),
    size: String(size),
    leased: sum(counts.map(({ leased }) => leased)),
    cooling: sum(counts.map(({ cooling }) => cooling)),
    next: Number.isFinite(next) ? ` (the first of them is free in ${Math.max(0, Math.ceil((next - now_ms) / 1000))} s)` : '',
    kept: String(kept),
  });
}

/** How many addresses of the range are skipped or reserved, each counted once. */
function keptIn(range: LeaseRange, { reservations }: IpamConfig): bigint {
  const [low, high] = [ipToBigInt(range.first), ipToBigInt(range.last)];
  const parts = [...range.skip, ...reservations]
    .filter((kept) => isInRange(kept, range.first) || isInRange(range, kept.first))
    .toSorted((a, b) => compareIps(a.first, b.first));
  let [total, upTo] = [0n, low];
  for (const { first, last } of parts) {
    const from = ipToBigInt(first) > upTo ? ipToBigInt(first) : upTo;
    const to = ipToBigInt(last) < high ? ipToBigInt(last) : high;
    if (to < from) continue;
    total += to - from + 1n;
    upTo = to + 1n;
  }
  return total;
}
