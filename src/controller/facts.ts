/** What all nodes share and what seldom changes: the VPC's blocks and its subnets. Read once for all nodes, and again when old. */
import type { Clock } from '../cloud/clock.ts';
import { isFailure } from '../errors/failure.ts';
import { podSubnetOf } from '../cloud/range/ids.ts';
import type { Cloud, CloudNetwork, CloudSubnet, SubnetId, Tags } from '../cloud/cloud.ts';
import { areTags } from '../cloud/named.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { subnetsNamed } from '../store/subnet-id.ts';

/** The VPC and the subnets asked for that exist. */
export interface Facts {
  readonly network: CloudNetwork;
  readonly subnets: ReadonlyMap<SubnetId, CloudSubnet>;
  /** Of the PodSubnets that name subnets by tags: by their names, those that have these now. */
  readonly tagged: ReadonlyMap<string, Tagged>;
}

/** The subnets with some tags. */
export interface Tagged {
  readonly ids: readonly SubnetId[];
  /** Why the cloud could not say, in a sentence. */
  readonly problem?: string;
}

/** The subnets of these PodSubnets and those ids; from memory where it can. @throws Failure cloud* of the reads it makes. */
export type ReadFacts = (podSubnets: readonly PodSubnet[], ids?: Iterable<SubnetId>) => Promise<Facts>;

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

/** Those with the tags, or why this cloud does not tell them: that is the matter of one PodSubnet. */
async function subnetsWith(cloud: Cloud, tags: Tags): Promise<Found> {
  try {
    return { subnets: await cloud.subnets(tags) };
  } catch (error) {
    if (!isFailure(error, 'cloudInvalid')) throw error;
    return { subnets: [], problem: error.details };
  }
}

interface Found {
  readonly subnets: readonly CloudSubnet[];
  readonly problem?: string;
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

  const byTags = new Map<string, { readonly found: Promise<Found>; readonly at_ms: number }>();

  function withTags(tags: Tags): Promise<Found> {
    const key = Object.entries(tags)
      .map((tag) => JSON.stringify(tag))
      .toSorted()
      .join();
    const before = byTags.get(key);
    if (before !== undefined && clock.now_ms() - before.at_ms < keep_ms) return before.found;
    const one = { found: subnetsWith(cloud, tags), at_ms: clock.now_ms() };
    byTags.set(key, one);
    one.found.catch(() => {
      if (byTags.get(key) === one) byTags.delete(key);
    });
    return one.found;
  }

  return async (podSubnets, more = []) => {
    const ids = new Set(more);
    const tagged = new Map<string, Promise<Found>>();
    for (const one of podSubnets) {
      const named = subnetsNamed(one);
      if (areTags(named)) tagged.set(one.metadata.name, withTags(named));
      else for (const id of named) ids.add(id);
    }
    // Of ranges the controller itself keeps the books: to ask costs nothing.
    const keepFor_ms = (id: SubnetId): number => (podSubnetOf(id) === undefined ? keep_ms : 0);
    const old = [...ids].filter((id) => clock.now_ms() - (subnets.get(id)?.at_ms ?? Number.NEGATIVE_INFINITY) >= keepFor_ms(id));
    const [at_ms, read] = [clock.now_ms(), old.length === 0 ? undefined : knownSubnets(cloud, old)];
    for (const id of old) if (read !== undefined) remember(id, read, at_ms);
    const found = await Promise.all([...tagged].map(async ([name, asked]) => [name, await asked] as const));
    const known = await Promise.all([...ids].map(async (id) => subnets.get(id)?.found));
    const all = [...known.filter((subnet) => subnet !== undefined), ...found.flatMap(([, one]) => one.subnets)];
    return {
      network: await currentNetwork(),
      subnets: new Map(all.map((subnet) => [subnet.id, subnet])),
      tagged: new Map(found.map(([name, { subnets: those, ...problem }]) => [name, { ids: those.map(({ id }) => id), ...problem }])),
    };
  };
}
