/** Which claim has an address, and which claims have one on a node: found without looking through all claims. */
import { familyOf, type Ip } from '../../net/address.ts';
import { type Cidr, cidrOf } from '../../net/cidr.ts';
import type { HeldAddress } from '../../store/kubernetes/stored-claim.ts';
import { Groups } from './groups.ts';

/** See the head of this file. Claims are named by their keys. */
export class ClaimIndex {
  readonly #holders = new Map<Ip, string>();
  readonly #byNode = new Groups<string, string>();
  readonly #byPrefix = new Groups<Cidr, Ip>();
  readonly #known = new Map<string, readonly HeldAddress[]>();

  /** The claim has these now; undefined: there is no such claim. */
  put(key: string, addresses: readonly HeldAddress[] | undefined): void {
    const before = this.#known.get(key) ?? [];
    if (before === addresses) return;
    for (const { address, node } of before) {
      if (node !== undefined) this.#byNode.remove(node, key);
      if (this.#holders.get(address) !== key) continue;
      this.#holders.delete(address);
      this.#byPrefix.remove(prefixOf(address), address);
    }
    if (addresses === undefined) this.#known.delete(key);
    else this.#known.set(key, addresses);
    for (const { address, node } of addresses ?? []) {
      if (node !== undefined) this.#byNode.add(node, key);
      this.#holders.set(address, key);
      this.#byPrefix.add(prefixOf(address), address);
    }
  }

  holderOf(address: Ip): string | undefined {
    return this.#holders.get(address);
  }

  /** Claims with an address on that node. */
  on(node: string): readonly string[] {
    return this.#byNode.of(node);
  }

  /** Addresses of claims that lie in a prefix as clouds give them: a /28, or a /80 of IPv6. */
  within(prefix: Cidr): readonly Ip[] {
    return this.#byPrefix.of(prefix);
  }
}

function prefixOf(address: Ip): Cidr {
  return cidrOf(address, familyOf(address) === 4 ? 28 : 80);
}
