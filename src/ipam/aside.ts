/**
 * Blocks that a node is granted and that nothing is leased from now: of an interface that it misses, or of one of another datapath than the PodSubnet's is by
 * now. Pods that were there before have their addresses still, and the controller counts these blocks as held.
 */
import { type Family, familyOf, type Ip } from '../net/address.ts';
import { type Cidr, cidrFamily, cidrOf, contains, lengthOf } from '../net/cidr.ts';
import type { PoolNic } from './grants.ts';

/** See the head of this file. */
export class Aside {
  readonly #blocks: ReadonlySet<Cidr>;
  /** Those of them that the controller wants back. */
  readonly #asked: readonly Cidr[];

  constructor(nics: readonly PoolNic[]) {
    this.#blocks = new Set(nics.flatMap(({ blocks }) => blocks));
    this.#asked = nics.flatMap(({ reclaiming }) => reclaiming);
  }

  /** How many of these addresses of the family lie in them. */
  count(addresses: Iterable<Ip>, family: Family): number {
    const lengths = new Set([...this.#blocks].filter((block) => cidrFamily(block) === family).map(lengthOf));
    if (lengths.size === 0) return 0;
    const isHere = (ip: Ip): boolean => familyOf(ip) === family && lengths.values().some((length) => this.#blocks.has(cidrOf(ip, length)));
    return [...addresses].filter(isHere).length;
  }

  /** Those asked for in which none of these addresses lies. */
  unused(addresses: readonly Ip[]): readonly Cidr[] {
    return this.#asked.filter((block) => !addresses.some((ip) => contains(block, ip)));
  }
}
