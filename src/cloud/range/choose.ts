/** Which units a node gets: aligned blocks where it wants many, so that what is written down stays short; else what fills gaps. Pure. */
import type { Holder, Slice } from './slice.ts';
import { SLICE_UNITS } from './units.ts';

/** What a node gets at a time while there is plenty: a /28. */
export const BLOCK_UNITS = 16;

/** At most so many places of the slice that are free and in the mask. */
export function chooseFrom(slice: Slice, mask: Uint8Array, holder: Holder, wanted: number): number[] {
  const isFree = (place: number): boolean => mask[place] === 1 && slice.isFree(place);
  const chosen: number[] = [];
  const later: { readonly places: readonly number[]; readonly rank: number }[] = [];
  for (let from = 0; from < SLICE_UNITS; from += BLOCK_UNITS) {
    const block = Array.from({ length: BLOCK_UNITS }, (_, i) => from + i);
    const free = block.filter(isFree);
    if (free.length === BLOCK_UNITS && wanted - chosen.length >= BLOCK_UNITS) chosen.push(...free);
    else if (free.length > 0) {
      const rank = block.some((place) => slice.isOf(holder, place)) ? 0 : free.length < BLOCK_UNITS ? 1 : 2;
      later.push({ places: free, rank });
    }
  }
  // Beside what it has, then where others are too; whole blocks last. Sorting is stable: low addresses first.
  for (const { places } of later.toSorted((a, b) => a.rank - b.rank)) chosen.push(...places.slice(0, Math.max(0, wanted - chosen.length)));
  return chosen.toSorted((a, b) => a - b);
}
