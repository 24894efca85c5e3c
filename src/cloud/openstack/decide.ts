/** What an assign gives its NIC, of what is seen to be free. Pure. */
import { type Cidr, cidrFamily, containsCidr, lengthOf } from '../../net/cidr.ts';
import type { Wanted } from '../cloud.ts';
import type { Asked } from '../wire/asked.ts';
import type { Addressing } from './context.ts';
import type { Held, Reservation } from './held.ts';
import type { Port } from './port.ts';
import { chosen, type Counts, type Lengths, missingOf, occupiedBy, roomOf } from './room.ts';
import type { Decided, Sight } from './seen.ts';
import type { Subnet } from './subnet.ts';

/** A NIC as it was read, with what it holds. */
export interface Scene {
  readonly port: Port;
  readonly held: Held;
  readonly reservations: readonly Reservation[];
  readonly subnets: readonly Subnet[];
  readonly addressing: Addressing;
}

/** What is asked for, and how. */
export interface Asking {
  readonly want: Wanted;
  readonly lengths: Lengths;
  /** What was refused though nobody is seen to hold it. */
  readonly shunned: readonly Cidr[];
  readonly asked: Asked;
}

/** What of the blocks asked for is new to the NIC. */
export interface Gift extends Decided {
  /** Asked for by value. */
  readonly missing: readonly Cidr[];
  /** Reserved before, and never let through. */
  readonly reused: readonly Cidr[];
  /** Chosen here; others would do as well. */
  readonly counted: readonly Cidr[];
}

/** Nothing that is ours to choose. */
export const noGift: Gift = { missing: [], reused: [], counted: [], takes: [] };

/** Whether Neutron chooses the addresses that are counted: anywhere in the subnet. */
export function isByNeutron({ addressing }: Scene, { within }: Wanted): boolean {
  return addressing === 'fixed-ips' && within === undefined;
}

/** Whether an older list may not be gone by: of a /80 Neutron keeps the first address alone from others, and any address of IPv6 may lie in one. */
export function needsFresh({ these = [], prefixes6 = 0 }: Wanted): boolean {
  return prefixes6 > 0 || these.some((block) => cidrFamily(block) === 6);
}

/** See the head of this file. The NIC itself was read a moment ago, whatever is seen of it. @throws Failure cloudInvalid, cloudAddressTaken, cloudSubnetFull */
export function giftFor(scene: Scene, { want, lengths, shunned, asked }: Asking, { occupied, claimed, claimedByOthers }: Sight): Gift {
  const { port, held, reservations, subnets } = scene;
  const { these = [], ...counts } = want;
  const own = occupiedBy([port, ...reservations.map((one) => one.port)]);
  const now = [...own, ...occupied.filter(({ holder }) => holder !== port.id)];
  const room = roomOf(subnets, now, { shunned: [...shunned, ...claimed], claimed: claimedByOthers });
  const missing = missingOf(these, room, lengths, asked, port.id);
  if (isByNeutron(scene, want)) return { ...noGift, missing, takes: missing };
  // What was reserved and never let through is as good as new.
  const spare = held.pending.map(({ block }) => block).filter((block) => !these.includes(block) && isWithin(block, want.within));
  const reused = reuse(spare, counts);
  const counted = chosen(lessBy(counts, reused), room, these, held.blocks, asked);
  return { missing, reused, counted, takes: [...missing, ...counted] };
}

function isWithin(block: Cidr, within: Wanted['within']): boolean {
  return within === undefined || cidrFamily(block) === 6 || within.some((one) => containsCidr(one, block));
}

function reuse(spare: readonly Cidr[], { addresses4 = 0, prefixes4 = 0, prefixes6 = 0 }: Counts): Cidr[] {
  const some = (family: 4 | 6, length: number, most: number): Cidr[] =>
    spare.filter((block) => cidrFamily(block) === family && lengthOf(block) === length).slice(0, most);
  return [...some(4, 32, addresses4), ...some(4, 28, prefixes4), ...some(6, 80, prefixes6)];
}

function lessBy({ addresses4 = 0, prefixes4 = 0, prefixes6 = 0, ...where }: Counts, had: readonly Cidr[]): Counts {
  const of = (length: number): number => had.filter((block) => lengthOf(block) === length).length;
  return { ...where, addresses4: addresses4 - of(32), prefixes4: prefixes4 - of(28), prefixes6: prefixes6 - of(80) };
}
