/** Whose the units of one slice are. */
import type { Cidr } from '../../net/cidr.ts';
import type { Share } from './ledger-store.ts';
import { blocksOf, placesOf, SLICE_UNITS } from './units.ts';

/** Who holds units: what a node has of a PodSubnet. */
export interface Holder {
  readonly node: string;
  readonly podSubnet: string;
}

/** Neither name has a space. */
function keyOf({ node, podSubnet }: Holder): string {
  return `${podSubnet} ${node}`;
}

function holderOf(key: string): Holder {
  const [podSubnet = '', node = ''] = key.split(' ');
  return { node, podSubnet };
}

const untouched = Array.from({ length: SLICE_UNITS }, (): string | undefined => undefined);

/** A slice as it is, or as it is to be. */
export class Slice {
  readonly cidr: Cidr;
  readonly #keys: (string | undefined)[];

  constructor(cidr: Cidr, keys: readonly (string | undefined)[] = untouched) {
    this.cidr = cidr;
    this.#keys = keys.slice();
  }

  /** From what was written down. Of a unit that two have by mistake the first keeps it; blocks of elsewhere are left out. */
  static from(cidr: Cidr, shares: readonly Share[]): Slice {
    const slice = new Slice(cidr);
    for (const { node, podSubnet, blocks } of shares) {
      for (const block of blocks) {
        const places = placesOf(block);
        if (places?.slice !== cidr) continue;
        for (let place = places.from; place < places.to; place++) slice.#keys[place] ??= keyOf({ node, podSubnet });
      }
    }
    return slice;
  }

  copy(): Slice {
    return new Slice(this.cidr, this.#keys);
  }

  /** undefined: nobody. */
  holderAt(place: number): Holder | undefined {
    const key = this.#keys[place];
    return key === undefined ? undefined : holderOf(key);
  }

  isFree(place: number): boolean {
    return this.#keys[place] === undefined;
  }

  isOf(holder: Holder, place: number): boolean {
    return this.#keys[place] === keyOf(holder);
  }

  give(holder: Holder, places: readonly number[]): void {
    for (const place of places) this.#keys[place] = keyOf(holder);
  }

  free(places: readonly number[]): void {
    for (const place of places) this.#keys[place] = undefined;
  }

  /** The places each holder has, in order. */
  places(): { readonly holder: Holder; readonly places: readonly number[] }[] {
    const found = new Map<string, number[]>();
    for (const [place, key] of this.#keys.entries()) {
      if (key === undefined) continue;
      const known = found.get(key);
      if (known === undefined) found.set(key, [place]);
      else known.push(place);
    }
    return [...found].map(([key, places]) => ({ holder: holderOf(key), places }));
  }

  /** To be written down: the fewest blocks, by name. */
  shares(): Share[] {
    return this.places()
      .map(({ holder, places }) => ({ ...holder, blocks: blocksOf(this.cidr, places) }))
      .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }

  isSame(other: Slice): boolean {
    return this.#keys.every((key, place) => key === other.#keys[place]);
  }

  /** Units that are somebody's, of those in the mask. */
  usedIn(mask: Uint8Array): number {
    let used = 0;
    for (let place = 0; place < SLICE_UNITS; place++) if (mask[place] === 1 && this.#keys[place] !== undefined) used++;
    return used;
  }

  /** Units that are nobody's, of those in the mask. */
  freeIn(mask: Uint8Array): number {
    return mask.reduce((sum, one) => sum + one, 0) - this.usedIn(mask);
  }
}
