/** What is wanted of an interface, in the lots that EC2 takes: one call gives one kind of block of one family, counted or by value. */
import { failure } from '../../errors/failure.ts';
import { type Cidr, cidrFamily, lengthOf, overlaps, sayCidr } from '../../net/cidr.ts';
import type { Wanted } from '../cloud.ts';
import type { Parameters } from './query.ts';

/** A kind of block. */
export interface Kind {
  readonly family: 4 | 6;
  readonly what: 'address' | 'prefix';
}

/** One lot: so many that EC2 chooses, or these. */
export type Lot = (Kind & { readonly count: number }) | (Kind & { readonly these: readonly Cidr[] });

const kinds: readonly Kind[] = [
  { family: 4, what: 'address' },
  { family: 4, what: 'prefix' },
  { family: 6, what: 'address' },
  { family: 6, what: 'prefix' },
];

const lengths = { 4: { address: 32, prefix: 28 }, 6: { address: 128, prefix: 80 } } as const;

/** Whether the block is of the kind. */
export function isOfKind({ family, what }: Kind): (block: Cidr) => boolean {
  return (block) => cidrFamily(block) === family && lengthOf(block) === lengths[family][what];
}

/** The lots, those by value last. @throws Failure cloudInvalid for a block of no kind, or two that overlap */
export function lotsOf(want: Wanted, action: string): Lot[] {
  const { these = [], addresses4 = 0, prefixes4 = 0, prefixes6 = 0 } = want;
  const wrong = these.find(
    (block, i) => !kinds.some((kind) => isOfKind(kind)(block)) || these.slice(0, i).some((other) => overlaps(other, block)),
  );
  if (wrong !== undefined) {
    const text = `${wrong} is neither a /32, /28, /128 nor /80, or overlaps another one`;
    throw failure('cloudInvalid', { cloud: 'aws', call: action, text });
  }
  const chosen: Lot[] = [
    { family: 4, what: 'address', count: addresses4 },
    { family: 4, what: 'prefix', count: prefixes4 },
    { family: 6, what: 'prefix', count: prefixes6 },
  ];
  return [...chosen, ...kinds.map((kind) => ({ ...kind, these: these.filter(isOfKind(kind)) }))].filter((lot) => sizeOfLot(lot) > 0);
}

/** How many blocks. */
export function sizeOfLot(lot: Lot): number {
  return 'these' in lot ? lot.these.length : lot.count;
}

/** In words. */
export function sayLot(lot: Lot): string {
  const { family, what } = lot;
  if ('these' in lot) return lot.these.length > 3 ? `${lot.these.length} given IPv${family} ${what}es` : lot.these.join(', ');
  return `${lot.count} ${what === 'address' ? `IPv${family} addresses` : `/${lengths[family][what]} prefixes`}`;
}

/** The lot as parameters of CreateNetworkInterface. EC2 chooses a primary address beside those that are given. */
export function createParameters(lot: Lot): Parameters {
  const { family, what } = lot;
  if (!('these' in lot)) return counted(lot);
  if (family === 4 && what === 'address') {
    return { PrivateIpAddresses: lot.these.map((block) => ({ Primary: false, PrivateIpAddress: sayCidr(block) })) };
  }
  const [name, field] =
    family === 6 && what === 'address' ? ['Ipv6Addresses', 'Ipv6Address'] : [`Ipv${family}Prefix`, `Ipv${family}Prefix`];
  return { [name]: lot.these.map((block) => ({ [field]: sayCidr(block) })) };
}

/** The lot as parameters of AssignPrivateIpAddresses or AssignIpv6Addresses. */
export function assignParameters(lot: Lot): Parameters {
  return 'these' in lot ? { [valuesName(lot)]: lot.these.map(sayCidr) } : counted(lot);
}

/** By value, for both ways: assign and unassign. */
export function valuesName({ family, what }: Kind): string {
  if (what === 'prefix') return `Ipv${family}Prefix`;
  return family === 4 ? 'PrivateIpAddress' : 'Ipv6Addresses';
}

function counted({ family, what, count }: Kind & { readonly count: number }): Parameters {
  if (what === 'prefix') return { [`Ipv${family}PrefixCount`]: count };
  return { [family === 4 ? 'SecondaryPrivateIpAddressCount' : 'Ipv6AddressCount']: count };
}

/** The call that assigns such a lot. */
export function assignAction({ family }: Kind): string {
  return family === 4 ? 'AssignPrivateIpAddresses' : 'AssignIpv6Addresses';
}

/** Blocks by kind, as unassigning takes them. */
export function lotsOfBlocks(blocks: readonly Cidr[]): (Kind & { readonly these: readonly Cidr[] })[] {
  return kinds.map((kind) => ({ ...kind, these: blocks.filter(isOfKind(kind)) })).filter(({ these }) => these.length > 0);
}
