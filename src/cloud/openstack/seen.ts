/**
 * Who was seen to hold what of a subnet. To list a large one takes Neutron most of a second for 1000 ports, and most changes need no list of their own: what is
 * chosen by an older one, Neutron refuses when others have it meanwhile.
 *
 * Invariants
 * - nothing is refused, and no holder is told, by an older list: what it does not allow is decided once more by one that was begun after it was asked for
 * - calls that look at one list choose different things
 * - what a call claimed stays claimed until a list was begun after the call had ended: before that no list need have it
 */
import { type Cidr, cidrFamily, hostCidr } from '../../net/cidr.ts';
import type { Neutron } from './neutron.ts';
import type { Port } from './port.ts';
import { type Occupied, occupiedBy } from './room.ts';
import type { Task } from './session.ts';
import { nameOf, type Subnet } from './subnet.ts';
import { turns } from './turns.ts';

/** What a decision is made by. */
export interface Sight {
  readonly occupied: readonly Occupied[];
  /** Given or about to be given by calls of this process, too late for the list. */
  readonly claimed: readonly Cidr[];
  /** Of these, what is not the deciding call's own. */
  readonly claimedByOthers: readonly Cidr[];
}

/** How a decision is to be made. */
export interface Deciding {
  readonly task: Task;
  /** By what Neutron says from now on, and nothing older: the last one was refused, or holds what Neutron does not keep for us. */
  readonly isFresh: boolean;
}

/** A decision: `takes` is claimed, so that no other call chooses it. */
export interface Decided {
  readonly takes: readonly Cidr[];
}

/** See the head of this file. */
export interface Seen {
  /**
   * Decides, and once more by a list that is read now when an older one led to a failure. `isFresh`: it was one that was read now.
   * @throws Failure of the decision, or of the list
   */
  decide<T extends Decided>(
    subnets: readonly Subnet[],
    how: Deciding,
    decision: (sight: Sight) => T,
  ): Promise<{ decided: T; isFresh: boolean }>;
  /** The call has ended, well or not: what it claimed, and has, newer lists have too. */
  over(task: Task): void;
  /** These ports were made a moment ago. */
  made(subnets: readonly Subnet[], ports: readonly Port[]): void;
  /** Nobody has these any more. */
  freed(subnets: readonly Subnet[], blocks: readonly Cidr[]): void;
}

/** Addresses that others gave back are seen after that time, or when nothing else is left. */
const KEPT_ms = 60_000;
const MOST_KEPT = 64;

interface Kept {
  /** When it was asked for. */
  readonly begun_ms: number;
  readonly occupied: readonly Occupied[];
  readonly claimed: Map<Cidr, Claim>;
}

interface Claim {
  readonly by?: Task;
  /** Infinity: the call goes on. */
  readonly ended_ms: number;
}

/** Lists of that Neutron, one at a time for each subnet; who waits for one uses it. */
export function seenOf(neutron: Pick<Neutron, 'ports'>, now_ms: () => number): Seen {
  const all = new Map<string, Kept>();
  const turn = turns();

  async function since(subnets: readonly Subnet[], least_ms: number, task: Task): Promise<Kept> {
    const key = keyOf(subnets);
    const known = (): Kept | undefined => {
      const kept = all.get(key);
      return kept !== undefined && kept.begun_ms >= least_ms ? kept : undefined;
    };
    return known() ?? (await turn(key, async () => known() ?? (await read(key, subnets, task))));
  }
  async function read(key: string, subnets: readonly Subnet[], task: Task): Promise<Kept> {
    const begun_ms = now_ms();
    const occupied = occupiedBy(await portsOf(subnets, neutron, task));
    // Others went on by the older list meanwhile, and this one may lack what they were given.
    const claimed = [...(all.get(key)?.claimed ?? [])].filter(([, { ended_ms }]) => ended_ms >= begun_ms);
    const kept: Kept = { begun_ms, occupied, claimed: new Map(claimed) };
    all.delete(key);
    all.set(key, kept);
    const [oldest] = all.keys();
    if (all.size > MOST_KEPT && oldest !== undefined) all.delete(oldest);
    return kept;
  }
  function claim(subnets: readonly Subnet[], blocks: readonly Cidr[], one: Claim): void {
    for (const block of blocks) all.get(keyOf(subnets))?.claimed.set(block, one);
  }
  function over(task: Task): void {
    const ended = { by: task, ended_ms: now_ms() };
    for (const { claimed } of all.values())
      for (const [block, { by, ended_ms }] of claimed) if (by === task && ended_ms === Infinity) claimed.set(block, ended);
  }

  return {
    async decide(subnets, { task, isFresh }, decision) {
      // What it claimed before was refused, or is seen on the NIC itself.
      over(task);
      const asked_ms = now_ms();
      const { occupied, claimed, begun_ms } = await since(subnets, isFresh ? asked_ms : asked_ms - KEPT_ms, task);
      const isNew = begun_ms >= asked_ms;
      try {
        const claimedByOthers = [...claimed].filter(([, { by }]) => by !== task).map(([block]) => block);
        const decided = decision({ occupied, claimed: [...claimed.keys()], claimedByOthers });
        claim(subnets, decided.takes, { by: task, ended_ms: Infinity });
        return { decided, isFresh: isNew };
      } catch (error) {
        if (isNew) throw error;
        return await this.decide(subnets, { task, isFresh: true }, decision);
      }
    },
    over,
    made: (subnets, ports) =>
      claim(
        subnets,
        ports.flatMap(({ fixed }) => fixed.map(({ ip }) => hostCidr(ip))),
        { ended_ms: now_ms() },
      ),
    freed(subnets, blocks) {
      const key = keyOf(subnets);
      const kept = all.get(key);
      if (kept === undefined) return;
      const free = new Set(blocks);
      for (const block of blocks) kept.claimed.delete(block);
      all.set(key, { ...kept, occupied: kept.occupied.filter(({ block, kind }) => kind !== 'further' || !free.has(block)) });
    },
  };
}

function keyOf(subnets: readonly Subnet[]): string {
  return nameOf(subnets.map(({ id, cidr }) => ({ subnet: id, family: cidrFamily(cidr) })));
}

/** All ports of the subnets, each once. */
async function portsOf(subnets: readonly Subnet[], neutron: Pick<Neutron, 'ports'>, task: Task): Promise<Port[]> {
  const all = await Promise.all(subnets.map(({ id, network }) => neutron.ports({ subnet: id, network }, task)));
  return [...new Map(all.flat().map((port) => [port.id, port])).values()];
}
