/**
 * Leasing: one address out of each set, all in one transaction, or none.
 *
 * Invariants
 * - every address of a set is given before exhaustion is told, those that rest last of all (unless the cooldown is strict)
 * - how full a range is does not matter to the time this takes: runs of used addresses are jumped over
 */
import type { IpamConfig, LeaseRange, LeaseSet, Reservation } from '../../cni/ipam/config.ts';
import type { ResultIp } from '../../cni/result.ts';
import { failure } from '../../errors/failure.ts';
import { firstFree, mayBeGiven, type SearchedRange, startOf } from '../../ipam/ranges/free.ts';
import type { Ip } from '../../net/address.ts';
import { lengthOf } from '../../net/cidr.ts';
import { isInRange } from '../../net/range.ts';
import type { RangeLease, RangeLeases } from '../../store/range-leases.ts';
import { exhausted, reasonKept, sayRanges } from './refusals.ts';
import { sayTaker, type Taker } from './taker.ts';

/** What leasing works with. */
interface Leasing {
  readonly leases: RangeLeases;
  readonly config: IpamConfig;
  readonly taker: Taker;
  readonly now_ms: number;
}

/** Rests that one ADD ends at most, so that none pays for thousands. */
const ENDED_AT_ONCE = 64;
const ALL = Number.MAX_SAFE_INTEGER;

/** Gives one address out of each set, as a result has them. @throws Failure rangesExhausted, addressOutOfRanges, rangeAddressTaken, addressKept, attachmentServed, store*. */
export function leaseAddresses(leases: RangeLeases, config: IpamConfig, taker: Taker, now_ms = Date.now()): ResultIp[] {
  if (config.sets.length === 0) return [];
  const leasing: Leasing = { leases, config, taker, now_ms };
  return leases.change(() => {
    const wanted = new Set(config.requested);
    const ips = config.sets.map((set) => {
      leases.endRests(set.scope, now_ms, ENDED_AT_ONCE);
      const asked = [...wanted].find((ip) => set.ranges.some((range) => isInRange(range, ip)));
      if (asked !== undefined) wanted.delete(asked);
      return resultIp(set, leaseFrom(leasing, set, asked));
    });
    if (wanted.size > 0) {
      const ranges = config.sets.map(({ ranges: some }) => sayRanges(some)).join('; ') || 'no range';
      throw failure('addressOutOfRanges', { addresses: [...wanted].join(', '), ranges });
    }
    return ips;
  });
}

function resultIp({ ranges }: LeaseSet, ip: Ip): ResultIp {
  const range = ranges.find((one) => isInRange(one, ip));
  if (range === undefined) throw new Error(`${ip} was leased from a set that does not hold it`);
  return { address: `${ip}/${lengthOf(range.subnet)}`, ...(range.gateway !== undefined && { gateway: range.gateway }) };
}

function leaseFrom(leasing: Leasing, set: LeaseSet, asked: Ip | undefined): Ip {
  const had = hadBefore(leasing, set);
  if (had !== undefined) return had;
  if (asked !== undefined) return leaseAsked(leasing, set, asked);
  const ip = reservedFor(leasing, set) ?? freeIn(leasing, set) ?? restingIn(leasing, set);
  if (ip === undefined) throw exhausted(leasing, set);
  take(leasing, set, ip);
  leasing.leases.noteGiven(set.scope, set.name, ip);
  return ip;
}

/** What the interface has of this set. whereabouts gives it once more, and to the Pod's next container too; the others refuse. */
function hadBefore({ leases, config, taker, now_ms }: Leasing, set: LeaseSet): Ip | undefined {
  const inSet = ({ address }: RangeLease): boolean => set.ranges.some((range) => isInRange(range, address));
  const own = leases.of(set.scope, taker.container, taker.ifname).find(inSet);
  if (!config.sameAgain) {
    if (own === undefined) return undefined;
    const { container, ifname } = taker;
    throw failure('attachmentServed', { container, ifname, ranges: sayRanges(set.ranges), address: own.address });
  }
  const former = own ?? leases.ofPod(set.scope, taker.pod, taker.ifname).find(inSet);
  if (former !== undefined && former.container !== taker.container) leases.handOver(former, taker.container, now_ms);
  return former?.address;
}

function leaseAsked(leasing: Leasing, set: LeaseSet, asked: Ip): Ip {
  const reason = reasonKept(leasing, set, asked);
  if (reason !== undefined) throw failure('addressKept', { address: asked, who: sayTaker(leasing.taker), reason });
  take(leasing, set, asked);
  return asked;
}

function take({ leases, config, taker, now_ms }: Leasing, { scope }: LeaseSet, address: Ip): void {
  leases.take({ scope, address, ...taker, network: config.network, since_ms: now_ms });
}

/** The first free address that is kept for this very Pod. */
function reservedFor({ leases, config, taker }: Leasing, set: LeaseSet): Ip | undefined {
  if (taker.pod === '') return undefined;
  const own = config.reservations.filter(({ pod }) => pod === taker.pod);
  const searched = own.flatMap((kept) => set.ranges.flatMap((range) => within(kept, range)));
  return firstFree(searched, undefined, (ip) => leases.usedUntil(set.scope, ip));
}

/** What of the reservation lies in the range. */
function within(kept: Reservation, range: LeaseRange): SearchedRange[] {
  const first = isInRange(range, kept.first) ? kept.first : isInRange(kept, range.first) ? range.first : undefined;
  const last = isInRange(range, kept.last) ? kept.last : isInRange(kept, range.last) ? range.last : undefined;
  return first === undefined || last === undefined ? [] : [{ first, last, skip: range.skip }];
}

/** The ranges as they are searched for anybody. */
function searchedIn({ config }: Leasing, { ranges }: LeaseSet): SearchedRange[] {
  return ranges.map(({ first, last, skip }) => ({ first, last, skip: [...skip, ...config.reservations] }));
}

function freeIn(leasing: Leasing, set: LeaseSet): Ip | undefined {
  const { leases, config, now_ms } = leasing;
  const searched = searchedIn(leasing, set);
  const start = startOf(config.order, searched, leases.given(set.scope, set.name), below);
  const search = (): Ip | undefined => firstFree(searched, start, (ip) => leases.usedUntil(set.scope, ip));
  const found = search();
  if (found !== undefined || leases.endRests(set.scope, now_ms, ALL) === 0) return found;
  return search();
}

/** Of the addresses that rest the one that has rested longest. */
function restingIn(leasing: Leasing, set: LeaseSet): Ip | undefined {
  if (leasing.config.cooldown.strict) return undefined;
  const searched = searchedIn(leasing, set);
  for (const { address } of leasing.leases.resting(set.scope)) if (mayBeGiven(searched, address)) return address;
  return undefined;
}

/** A random number from 0 up to, but without, the limit. Nothing secret: node:crypto would take a one-shot process longer than all the rest. */
function below(limit: bigint): bigint {
  let bits = 0n;
  for (let i = 0; i < 5; i++) bits = (bits << 32n) | BigInt(Math.floor(Math.random() * 2 ** 32));
  return bits % limit;
}
