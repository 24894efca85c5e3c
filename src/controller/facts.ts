/** What all nodes share and what seldom changes: the VPC's blocks and its subnets. Read once for all nodes, and again when old. */
import type { Clock } from '../cloud/clock.ts';
import { isFailure } from '../errors/failure.ts';
import { podSubnetOf } from '../cloud/range/ids.ts';
import type { Cloud, CloudNetwork, CloudSubnet, SubnetId } from '../cloud/cloud.ts';

/** The VPC and the subnets asked for that exist. */
export interface Facts {
  readonly network: CloudNetwork;
  readonly subnets: ReadonlyMap<SubnetId, CloudSubnet>;
}

/** Answers from memory where it can. @throws Failure cloud* of the reads it makes. */
export type ReadFacts = (ids: ReadonlySet<SubnetId>) => Promise<Facts>;

/** Those of the ids that are subnets. A cloud refuses a whole list for one malformed id: then each is asked for alone, and that one is none. */
async function knownSubnets(cloud: Cloud, ids: readonly SubnetId[]): Promise<CloudSubnet[]> {
  try {
    return await cloud.subnets(ids);
  } catch (error) {
    if (!isFailure(error, 'cloudInvalid')) throw error;
    if (ids.length === 1) return [];
    return (await Promise.all(ids.map((id) => knownSubnets(cloud, [id])))).flat();
  }
}

/** A memory of the VPC that forgets after `keep_ms`. */
export function factsOf(cloud: Cloud, clock: Clock, keep_ms: number): ReadFacts {
  let network: { readonly found: Promise<CloudNetwork>; readonly at_ms: number } | undefined;
  const subnets = new Map<SubnetId, { readonly found: Promise<CloudSubnet | undefined>; readonly at_ms: number }>();

  function currentNetwork(): Promise<CloudNetwork> {
    if (network !== undefined && clock.now_ms() - network.at_ms < keep_ms) return network.found;
    const found = cloud.network();
    network = { found, at_ms: clock.now_ms() };
    // A failure is not kept; whoever awaits `found` sees it.
    found.catch(() => (network = undefined));
    return found;
  }

  /** Whoever asks while it is being read waits for the same answer. */
  function remember(id: SubnetId, read: Promise<readonly CloudSubnet[]>, at_ms: number): void {
    const one = { found: read.then((all) => all.find((subnet) => subnet.id === id)), at_ms };
    subnets.set(id, one);
    one.found.catch(() => {
      if (subnets.get(id) === one) subnets.delete(id);
    });
  }

  return async (ids) => {
    // Of ranges the controller itself keeps the books: to ask costs nothing.
    const keepFor_ms = (id: SubnetId): number => (podSubnetOf(id) === undefined ? keep_ms : 0);
    const old = [...ids].filter((id) => clock.now_ms() - (subnets.get(id)?.at_ms ?? Number.NEGATIVE_INFINITY) >= keepFor_ms(id));
    const [at_ms, read] = [clock.now_ms(), old.length === 0 ? undefined : knownSubnets(cloud, old)];
    for (const id of old) if (read !== undefined) remember(id, read, at_ms);
    const known = await Promise.all([...ids].map(async (id) => subnets.get(id)?.found));
    return {
      network: await currentNetwork(),
      subnets: new Map(known.flatMap((subnet) => (subnet === undefined ? [] : [[subnet.id, subnet]]))),
    };
  };
}
