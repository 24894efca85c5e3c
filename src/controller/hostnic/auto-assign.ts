/**
 * `subnet-auto-assign: on` of hostnic-ipam-config: which namespace has which block. Pure.
 *
 * A namespace without a block is given the first free one of the pool, and another one when its Pods wait because those it has are full. What it had is
 * free again when the namespace is gone and nobody has an address of it.
 *
 * Invariants
 * - what stands in the ConfigMap stays as it is, but for namespaces that were there and are gone: whoever writes it may do so before the namespace is made
 * - no block is given to two namespaces, and none of which an address is in use
 */
import { overlaps } from '../../net/cidr.ts';
import { blockNamed } from '../../import/hostnic/subnets.ts';
import { DEFAULT } from '../../import/hostnic/ipam-config.ts';

/** From a namespace to the names of its blocks, or of vxnets. */
export type Ipam = ReadonlyMap<string, readonly string[]>;

/** What it depends on. */
export interface AssignFacts {
  readonly ipam: Ipam;
  /** Those there are. */
  readonly namespaces: ReadonlySet<string>;
  /** Those that had an entry, and were there, when this was looked at before. */
  readonly known: ReadonlySet<string>;
  /** Names of the blocks of the pool that namespaces may have, in the order in which they are given. */
  readonly blocks: readonly string[];
  /** Whether an address of the block is in use. */
  readonly isInUse: (block: string) => boolean;
  /** Namespaces whose Pods wait since their blocks are full, or have none that Pods may have. */
  readonly full: ReadonlySet<string>;
}

/** What is to stand there. */
export interface Assignment {
  readonly ipam: Ipam;
  readonly known: ReadonlySet<string>;
  /** Namespaces for which no block is free. */
  readonly unserved: readonly string[];
}

/** See the head of this file. */
export function assignBlocks({ ipam, namespaces, known, blocks, isInUse, full }: AssignFacts): Assignment {
  const after = new Map([...ipam].filter(([name]) => name === DEFAULT || namespaces.has(name) || !known.has(name)));
  const taken = new Set([...after.values()].flat());
  const cidrs = [...taken].flatMap((name) => blockNamed(name) ?? []);
  const isFree = (name: string): boolean => {
    const cidr = blockNamed(name);
    return cidr !== undefined && !taken.has(name) && !cidrs.some((other) => overlaps(other, cidr)) && !isInUse(name);
  };
  const unserved: string[] = [];
  for (const namespace of [...namespaces].toSorted()) {
    const has = after.get(namespace) ?? [];
    if (has.length > 0 && !full.has(namespace)) continue;
    const next = blocks.find(isFree);
    if (next === undefined) {
      unserved.push(namespace);
      continue;
    }
    taken.add(next);
    after.set(namespace, [...has, next]);
  }
  return { ipam: after, known: new Set([...after.keys()].filter((name) => namespaces.has(name))), unserved };
}
