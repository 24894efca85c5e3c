/** Which blocks of each subnet were asked for by value a moment ago: lists may not show them yet. All of it has an end. */
import type { Cidr } from '../../net/cidr.ts';
import type { SubnetId } from '../cloud.ts';

/** The memory of one driver. */
export interface AskedLately {
  /** These are asked for from now on. Call the answer when that is over: they count as asked for lately for some seconds more. */
  ask(subnet: SubnetId, blocks: readonly Cidr[]): () => void;
  /** What is being asked for right now. */
  now(subnet: SubnetId): Cidr[];
  /** Also what was some seconds ago. */
  lately(subnet: SubnetId): Cidr[];
}

/** EC2's lists are seldom older than that. */
const LAG_ms = 15_000;

/** An empty memory. */
export function askedLately(now_ms: () => number): AskedLately {
  const all = new Map<SubnetId, Map<Cidr, number>>();
  const after = (subnet: SubnetId, time_ms: number): Cidr[] =>
    [...(all.get(subnet) ?? [])].filter(([, until_ms]) => until_ms > time_ms).map(([block]) => block);
  const note = (subnet: SubnetId, blocks: readonly Cidr[], until_ms: number): void => {
    const still = [...(all.get(subnet) ?? [])].filter(([, its_ms]) => its_ms > now_ms());
    all.set(subnet, new Map([...still, ...blocks.map((block) => [block, until_ms] as const)]));
  };
  return {
    ask(subnet, blocks) {
      note(subnet, blocks, Number.POSITIVE_INFINITY);
      return () => note(subnet, blocks, now_ms() + LAG_ms);
    },
    now: (subnet) => after(subnet, Number.MAX_VALUE),
    lately: (subnet) => after(subnet, now_ms()),
  };
}
