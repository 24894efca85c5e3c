/** Giving units of ranges to nodes, and taking them back: each a change of the ledger. */
import { failure } from '../../errors/failure.ts';
import { type Cidr, cidrFamily, firstOf } from '../../net/cidr.ts';
import { chooseFrom } from './choose.ts';
import type { ChangeOptions, Ledger } from './ledger.ts';
import type { Room } from './room.ts';
import type { Holder } from './slice.ts';
import { placesOf, SLICE_UNITS, unitAt } from './units.ts';

const cloud = 'range';

/** As many new units as that, all or none. @throws Failure cloudSubnetFull, cloudUnavailable and the like */
export async function giveSome(ledger: Ledger, room: Room, holder: Holder, wanted: number): Promise<Cidr[]> {
  if (room.free < wanted) throw full(holder, wanted, room.free);
  const given: Cidr[] = [];
  for (const cidr of inOrder(ledger, room, holder, wanted)) {
    const more = wanted - given.length;
    if (more === 0) break;
    const places = await ledger.change(cidr, (slice) => {
      const chosen = chooseFrom(slice, room.mask(cidr), holder, more);
      slice.give(holder, chosen);
      return chosen;
    });
    given.push(...places.map((place) => unitAt(cidr, place)));
  }
  if (given.length === wanted) return given;
  // Others were quicker.
  await takeBack(ledger, holder, given);
  throw full(holder, wanted, given.length);
}

/** Those very units; answers with those that are new. What the node has already stays its own. @throws Failure cloudAddressTaken, cloudInvalid, cloudUnavailable */
export async function giveThese(
  ledger: Ledger,
  room: (family: 4 | 6) => Room | undefined,
  holder: Holder,
  blocks: readonly Cidr[],
): Promise<Cidr[]> {
  const given: Cidr[] = [];
  for (const block of blocks) {
    const { slice: cidr, from, to } = placesIn(block, holder);
    const all = Array.from({ length: to - from }, (_, i) => from + i);
    const mask = room(cidrFamily(block))?.slices.includes(cidr) === true ? room(cidrFamily(block))?.mask(cidr) : undefined;
    if (!all.every((place) => mask?.[place] === 1))
      throw failure('cloudInvalid', { cloud, call: 'assign', text: `${block} is not among what the range of ${holder.podSubnet} gives` });
    try {
      const fresh = await ledger.change(cidr, (slice) => {
        const taken = all.find((place) => !slice.isFree(place) && !slice.isOf(holder, place));
        if (taken !== undefined) throw takenBy(unitAt(cidr, taken), slice.holderAt(taken));
        const free = all.filter((place) => slice.isFree(place));
        slice.give(holder, free);
        return free;
      });
      given.push(...fresh.map((place) => unitAt(cidr, place)));
    } catch (error) {
      await takeBack(ledger, holder, given);
      throw error;
    }
  }
  return given;
}

/** What is not the holder's is left alone. @throws Failure cloudUnavailable; with `onlyAsKnown` cloudConflict, see Ledger */
export async function takeBack(ledger: Ledger, holder: Holder, blocks: readonly Cidr[], how: ChangeOptions = {}): Promise<void> {
  const bySlice = new Map<Cidr, number[]>();
  for (const block of blocks) {
    const { slice, from, to } = placesIn(block, holder);
    bySlice.set(slice, [...(bySlice.get(slice) ?? []), ...Array.from({ length: to - from }, (_, i) => from + i)]);
  }
  await Promise.all(
    [...bySlice].map(([cidr, places]) =>
      ledger.change(cidr, (slice) => slice.free(places.filter((place) => slice.isOf(holder, place))), how),
    ),
  );
}

/** Where it all fits goes first, of those where the node has something already, of those the fullest; a slice that nobody has anything of goes last. */
function inOrder(ledger: Ledger, room: Room, { node, podSubnet }: Holder, wanted: number): Cidr[] {
  const own = new Set((ledger.ofNode(node).get(podSubnet) ?? []).flatMap((unit) => placesOf(unit)?.slice ?? []));
  const isKnown = (cidr: Cidr): boolean => ledger.slice(cidr) !== undefined;
  const rank = (cidr: Cidr): number => (own.has(cidr) ? 0 : isKnown(cidr) ? 1 : 2);
  const untouched = room.slices.filter((cidr) => !isKnown(cidr)).slice(0, 2 + Math.ceil(wanted / SLICE_UNITS));
  const free = [...room.slices.filter(isKnown), ...untouched]
    .map((cidr) => ({ cidr, free: room.freeIn(cidr), rank: rank(cidr) }))
    .filter((one) => one.free > 0);
  const fitting = (one: { readonly free: number }): number => (one.free >= wanted ? 0 : 1);
  return free.toSorted((a, b) => fitting(a) - fitting(b) || a.rank - b.rank || a.free - b.free).map(({ cidr }) => cidr);
}

function placesIn(block: Cidr, { podSubnet }: Holder): NonNullable<ReturnType<typeof placesOf>> {
  const places = placesOf(block);
  if (places !== undefined) return places;
  const text = `${block}: the range of ${podSubnet} is given by ${cidrFamily(block) === 4 ? 'address' : '/80'}, and no other way`;
  throw failure('cloudInvalid', { cloud, call: 'assign', text });
}

function full({ podSubnet }: Holder, wanted: number, free: number): Error {
  return failure('cloudSubnetFull', { subnet: `range:${podSubnet}`, wanted: `${wanted} addresses`, text: `${free} are free` });
}

function takenBy(unit: Cidr, holder: Holder | undefined): Error {
  const who = holder === undefined ? 'somebody' : `node ${holder.node}`;
  return failure('cloudAddressTaken', { cloud, address: firstOf(unit), holder: who, text: `for PodSubnet ${holder?.podSubnet ?? '?'}` });
}
