/**
 * What the driver remembers of interfaces, for EC2 does not tell it, or not at once: since when it knows one, which of them it made a moment ago, and what of
 * an interface never changes. Not the truth about them: what the account's own writes mean for a read is the controller's affair.
 */
import type { CloudNic, NicId, SubnetId } from '../cloud.ts';
import { type Cidr, containsCidr, hostCidr } from '../../net/cidr.ts';

/** So many, which is more than a large cluster has; the least lately read are forgotten. */
const most = 100_000;
/** So long after it was made EC2 may not know an interface everywhere. */
const notYet_ms = 60_000;

/** The memory of one driver. */
export interface KnownNics {
  /** When the interface came into being, as far as anybody can tell: EC2 does not say. `attachedAt_ms`: then it was there already. */
  since_ms(nic: NicId, attachedAt_ms: number | undefined): number;
  /** Notes what an answer said. `whose`: somebody else's. `lacksMark`: see Ec2Nic. */
  note(nic: Pick<CloudNic, 'id' | 'subnet' | 'primary4' | 'primary6'>, whose: string | undefined, lacksMark: boolean): void;
  /** Whether its own IPv6 address had no mark of EC2's, as it was told last. */
  lacksMark(nic: NicId): boolean;
  /** Notes that it has the mark now. */
  marked(nic: NicId): void;
  /** Notes that we made it just now. */
  made(nic: NicId): void;
  /** Notes that we deleted it: what EC2 does not know of it now, it will not know. */
  deleted(nic: NicId): void;
  /** Milliseconds since we made it, while EC2 may still not know it everywhere; else undefined. */
  newborn_ms(nic: NicId): number | undefined;
  facts(nic: NicId): NicFacts | undefined;
  /** Notes that blocks were given, or taken back, or may have been. */
  changed(nic: NicId, blocks: readonly Cidr[], how: Change): void;
  /** What was done last to the block, while a list may still be older than that. */
  lately(nic: NicId, block: Cidr): Change | undefined;
  /** Notes that blocks may have been given that nobody knows. */
  unclear(nic: NicId): void;
  isUnclear(nic: NicId): boolean;
}

/** What does not change while an interface lives. */
export interface NicFacts {
  readonly subnet: SubnetId;
  readonly primaries: readonly Cidr[];
  /** Somebody else's: by which tag. */
  readonly whose?: string;
}

/** What is done to blocks. */
export type Change = 'given' | 'taken';

interface Known {
  readonly since_ms: number;
  readonly made_ms?: number;
  readonly unclear_ms?: number;
  readonly lacksMark?: boolean;
  /** Changes of the last minute. */
  readonly blocks?: ReadonlyMap<Cidr, { readonly how: Change; readonly at_ms: number }>;
  readonly facts?: NicFacts;
}

/** An empty memory. */
export function knownNics(now_ms: () => number): KnownNics {
  const known = new Map<NicId, Known>();
  const put = (nic: NicId, more: Partial<Known>): Known => {
    const one = { since_ms: now_ms(), ...known.get(nic), ...more };
    known.delete(nic);
    known.set(nic, one);
    const [oldest] = known.size > most ? known.keys() : [];
    if (oldest !== undefined) known.delete(oldest);
    return one;
  };
  const age_ms = (at_ms: number | undefined): number => (at_ms === undefined ? Infinity : Math.max(0, now_ms() - at_ms));
  return {
    since_ms: (nic, attachedAt_ms = Infinity) => {
      const since_ms = Math.min(known.get(nic)?.since_ms ?? now_ms(), attachedAt_ms);
      return put(nic, { since_ms }).since_ms;
    },
    note: (nic, whose, lacksMark) => void put(nic.id, { facts: { ...factsOf(nic), ...(whose !== undefined && { whose }) }, lacksMark }),
    marked: (nic) => void put(nic, { lacksMark: false }),
    lacksMark: (nic) => known.get(nic)?.lacksMark === true,
    made: (nic) => void put(nic, { made_ms: now_ms() }),
    deleted: (nic) => void known.delete(nic),
    newborn_ms: (nic) => {
      const old_ms = age_ms(known.get(nic)?.made_ms);
      return old_ms < notYet_ms ? old_ms : undefined;
    },
    facts: (nic) => known.get(nic)?.facts,
    changed(nic, blocks, how) {
      const still = [...(known.get(nic)?.blocks ?? [])].filter(([, { at_ms }]) => age_ms(at_ms) < notYet_ms);
      put(nic, { blocks: new Map([...still, ...blocks.map((block) => [block, { how, at_ms: now_ms() }] as const)]) });
    },
    lately(nic, block) {
      const last = known.get(nic)?.blocks?.get(block);
      return age_ms(last?.at_ms) < notYet_ms ? last?.how : undefined;
    },
    unclear: (nic) => void put(nic, { unclear_ms: now_ms() }),
    isUnclear: (nic) => age_ms(known.get(nic)?.unclear_ms) < notYet_ms,
  };
}

/** What an answer says of it for good. */
export function factsOf({ subnet, primary4, primary6 }: Pick<CloudNic, 'subnet' | 'primary4' | 'primary6'>): NicFacts {
  return { subnet, primaries: [primary4, primary6].filter((ip) => ip !== undefined).map(hostCidr) };
}

/** The primary address that lies in one of the blocks. */
export function primaryIn(blocks: readonly Cidr[], { primaries }: NicFacts): Cidr | undefined {
  return primaries.find((primary) => blocks.some((block) => containsCidr(block, primary)));
}
