/** The blocks a node holds, by interface and by address. Finding the block of an address takes one look-up per block length in use. */
import { type Family, familyOf, type Ip } from '../net/address.ts';
import { type Cidr, cidrFamily, cidrOf, lengthOf } from '../net/cidr.ts';
import { type PoolNic, withoutOverlaps } from './grants.ts';
import { Block, NicBlocks } from './nic-blocks.ts';

/** What a new list of grants changed. */
interface TableChange {
  readonly added: readonly Block[];
  readonly dropped: readonly Block[];
  readonly overlapping: readonly Cidr[];
}

/** See the head of this file. */
export class BlockTable {
  readonly #exclude: readonly Cidr[];
  /** In the order of the grants: earlier interfaces fill first, so that later ones can go back. */
  #nics = new Map<string, NicBlocks>();
  #blocks = new Map<Cidr, Block>();
  #lengths: Record<Family, readonly number[]> = { 4: [], 6: [] };

  constructor(exclude: readonly Cidr[]) {
    this.#exclude = exclude;
  }

  nics(): Iterable<NicBlocks> {
    return this.#nics.values();
  }

  blocks(): Iterable<Block> {
    return this.#blocks.values();
  }

  has(cidr: Cidr): boolean {
    return this.#blocks.has(cidr);
  }

  /** The block that has the address. */
  of(ip: Ip): Block | undefined {
    for (const length of this.#lengths[familyOf(ip)]) {
      const block = this.#blocks.get(cidrOf(ip, length));
      if (block !== undefined) return block;
    }
    return undefined;
  }

  /** Makes the table hold what is granted. New blocks are wholly free and stand in no queue yet; dropped ones stand in none any more. */
  replace(granted: readonly PoolNic[]): TableChange {
    const { blocks: wanted, overlapping } = withoutOverlaps(granted);
    const before = this.#nics;
    this.#nics = new Map(granted.map(({ id }) => [id, before.get(id) ?? new NicBlocks(id)]));
    const dropped = [...this.#blocks.values()].filter((block) => wanted.get(block.cidr) !== block.nic.id);
    for (const block of dropped) {
      this.#blocks.delete(block.cidr);
      block.nic.drop(block);
    }
    const added: Block[] = [];
    for (const [cidr, id] of wanted) {
      const nic = this.#nics.get(id);
      if (nic === undefined || this.#blocks.has(cidr)) continue;
      const block = new Block(cidr, nic, this.#exclude);
      this.#blocks.set(cidr, block);
      added.push(block);
    }
    this.#lengths = { 4: this.#lengthsOf(4), 6: this.#lengthsOf(6) };
    return { added, dropped, overlapping };
  }

  #lengthsOf(family: Family): number[] {
    const blocks = [...this.#blocks.keys()].filter((cidr) => cidrFamily(cidr) === family);
    return [...new Set(blocks.map(lengthOf))];
  }
}
