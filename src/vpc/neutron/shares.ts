/**
 * Who gets an address that several ports may use.
 *
 * On a provider's network the last one to speak has it: neighbours learn. This fabric goes by the books, so it decides:
 * a fixed address comes before any pair; the smaller of two pairs before the larger; of equal ones the one that was given last.
 * What is left of a block after that is still the port's.
 */
import { addressAt, type Cidr, containsCidr, firstOf, lengthOf, overlaps, sizeOf } from '../../net/cidr.ts';

/** What a port may use. */
export interface Claim {
  readonly port: string;
  readonly block: Cidr;
  /** An address of a port itself, not of a pair. */
  readonly isFixed: boolean;
  readonly since_ms: number;
}

/** The blocks of each port: none shares an address with another, or with those in `taken`. */
export function shares(claims: readonly Claim[], taken: readonly Cidr[]): Map<string, Cidr[]> {
  const given = [...taken];
  const shared = new Map<string, Cidr[]>();
  for (const { port, block } of claims.toSorted(byRight)) {
    const parts = without(
      block,
      given.filter((other) => overlaps(other, block)),
    );
    given.push(...parts);
    shared.set(port, [...(shared.get(port) ?? []), ...parts]);
  }
  return shared;
}

function byRight(a: Claim, b: Claim): number {
  if (a.isFixed !== b.isFixed) return a.isFixed ? -1 : 1;
  return lengthOf(b.block) - lengthOf(a.block) || b.since_ms - a.since_ms;
}

/** The fewest blocks that hold all addresses of `block` but those in `holes`. */
export function without(block: Cidr, holes: readonly Cidr[]): Cidr[] {
  if (holes.some((hole) => containsCidr(hole, block))) return [];
  if (!holes.some((hole) => overlaps(hole, block))) return [block];
  return halves(block).flatMap((half) => without(half, holes));
}

function halves(block: Cidr): Cidr[] {
  const length = lengthOf(block) + 1;
  return [firstOf(block), addressAt(block, sizeOf(block) / 2n)].map((first) => `${first}/${length}` as Cidr); // halved, so aligned
}
