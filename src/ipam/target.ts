/**
 * How many addresses a node should hold of a PodSubnet: when to ask the cloud for more, when to give some back.
 *
 * free = held − inUse − cooling. Growth looks at free ones only: cooling addresses come back, but not in time for the Pod that waits now.
 * More is added when free falls below `spare` (and what waits), and given back only when it exceeds twice `spare`: within that band nothing moves,
 * so Pods that come and go make no cloud calls. With `spare: 0` there is no band: whoever asks for no reserve gets none.
 */
import { type Cidr, cidrFamily } from '../net/cidr.ts';
import { usableSize } from './usable.ts';

/** What is known of one PodSubnet on one node. All but `unit` are addresses of the family that counts. */
export interface Holding {
  readonly inUse: number;
  readonly cooling: number;
  /** ADDs that wait for an address. */
  readonly waiting: number;
  /** Granted and not given back: see {@link heldAddresses}. */
  readonly held: number;
  /** Never hold fewer than this, used or not. */
  readonly minimum: number;
  /** Free addresses to keep. */
  readonly spare: number;
  /** Never hold more than this. */
  readonly maximum: number;
  /** Addresses per block: 1, 16 for /28 prefixes, and for an IPv6 subnet `maximum`: one /80 is all a node needs. */
  readonly unit: number;
}

/** Blocks to ask the cloud for: enough, and never so many that more than `maximum` would be held (a /28 that does not fit wholly is not added). */
export function blocksToAdd(holding: Holding): number {
  const { inUse, cooling, waiting, held, minimum, spare, maximum, unit } = holding;
  const free = held - inUse - cooling;
  const need = Math.max(spare + waiting - free, minimum - held, 0);
  const room = Math.max(maximum - held, 0);
  return Math.min(Math.ceil(need / unit), Math.floor(room / unit));
}

/**
 * Blocks that may be taken back: none while something waits, none that would leave fewer than `minimum` held or fewer than 2 × `spare` free.
 * Free addresses above `maximum` (it was lowered) go back at once.
 */
export function blocksToTakeBack(holding: Holding): number {
  const { inUse, cooling, waiting, held, minimum, spare, maximum, unit } = holding;
  if (waiting > 0) return 0;
  const free = held - inUse - cooling;
  const over = Math.min(free - 2 * spare, held - minimum);
  const aboveMaximum = Math.min(free, held - maximum);
  return Math.max(Math.floor(over / unit), Math.min(Math.ceil(aboveMaximum / unit), Math.floor(free / unit)), 0);
}

/**
 * How many addresses of the family that counts these blocks are worth: IPv4 ones where the subnet has IPv4, else IPv6 ones, of which a single /80
 * has more than anyone needs and so is worth `maximum`.
 */
export function heldAddresses(blocks: readonly Cidr[], countedFamily: 4 | 6, exclude: readonly Cidr[], maximum: number): number {
  const counted = blocks.filter((cidr) => cidrFamily(cidr) === countedFamily);
  const held = counted.reduce((sum, cidr) => sum + usableSize(cidr, exclude), 0);
  return countedFamily === 4 ? held : Math.min(held, maximum);
}
