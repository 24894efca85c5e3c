/**
 * What the IPAM plugin is asked for, whichever dialect it was written in: host-local's, static's, whereabouts', or our own (docs/ipam.md).
 * Keys match in any case, as they do in the originals, which are written in Go. Keys that a dialect does not know are ignored, as there.
 */
import type { Ip } from '../../net/address.ts';
import type { Cidr } from '../../net/cidr.ts';
import type { AddressRange } from '../../net/range.ts';
import type { ResultDns, ResultIp, ResultRoute } from '../result.ts';

/** How an ipam section is written. `subnet` is our own for a PodSubnet. */
export type Dialect = 'host-local' | 'static' | 'whereabouts' | 'pool' | 'subnet';

/** A range that addresses are leased from. */
export interface LeaseRange extends AddressRange {
  /** The network it is a part of; its length goes into the result. */
  readonly subnet: Cidr;
  readonly gateway: Ip | undefined;
  /** Never given: the gateway, and what the configuration excludes. */
  readonly skip: readonly AddressRange[];
}

/** Ranges of one family, of which any serves: one address is given out of each set. */
export interface LeaseSet {
  /** What an address is unique in. */
  readonly scope: string;
  /** By which the address given last is remembered, within the scope. */
  readonly name: string;
  readonly ranges: readonly LeaseRange[];
}

/** Addresses that are kept for whoever asks for them, or for one Pod. */
export interface Reservation extends AddressRange {
  /** `namespace/name`; this Pod gets the first address of it that is free. */
  readonly pod: string | undefined;
}

/** How long a freed address is passed over. */
export interface Cooldown {
  readonly ms: number;
  /** Not even given when there is nothing else. */
  readonly strict: boolean;
}

/** See the head of this file. */
export interface IpamConfig {
  readonly dialect: Dialect;
  /** Name of the CNI network. */
  readonly network: string;
  readonly sets: readonly LeaseSet[];
  /** Addresses that the configuration gives as they are; nobody keeps account of them. */
  readonly fixed: readonly ResultIp[];
  /** Addresses asked for; each is given, or nothing is. */
  readonly requested: readonly Ip[];
  readonly order: 'lowest' | 'next' | 'random';
  readonly cooldown: Cooldown;
  readonly reservations: readonly Reservation[];
  /** Whether a Pod that has an address at this interface gets the same again, as whereabouts has it; otherwise that is an error. */
  readonly sameAgain: boolean;
  readonly routes: readonly ResultRoute[];
  readonly dns: ResultDns;
  /** Whether the ranges are those of a cluster, where there is one: a PodSubnet leases them to its nodes. */
  readonly clusterWide: boolean;
  /** A PodSubnet of that name is asked instead of ranges. */
  readonly subnet: string | undefined;
}

/** The scopes of the configuration, each once. */
export function scopesOf({ sets }: Pick<IpamConfig, 'sets'>): string[] {
  return [...new Set(sets.map(({ scope }) => scope))];
}
