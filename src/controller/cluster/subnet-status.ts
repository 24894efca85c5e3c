/** Writes what users read in the status of PodSubnets: seldom, many at a time, and only what is another. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../cloud/clock.ts';
import type { CloudSubnet } from '../../cloud/cloud.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { Log } from '../../log.ts';
import type { ClusterNode } from '../../store/kubernetes/core-objects.ts';
import type { ClusterSubnets, StoredPodSubnet } from '../../store/kubernetes/cluster-subnets.ts';
import type { PodSubnetStatus } from '../../store/pod-subnet.ts';
import { subnetIdOf } from '../../store/subnet-id.ts';
import type { ReadFacts } from '../facts.ts';
import { withReady } from '../conditions.ts';
import { type Seldom, seldom } from './seldom.ts';
import { subnetStanding } from './subnet-standing.ts';

/** What it is made from. */
export interface Reporting {
  readonly subnets: ClusterSubnets;
  readonly facts: ReadFacts;
  readonly nodes: () => readonly ClusterNode[];
  readonly held: (subnet: string) => { readonly held: number; readonly nodes: number };
  /** Called after the status of a PodSubnet was written. */
  readonly wrote: (subnet: string) => void;
  readonly clock: Clock;
  readonly log: Log;
}

const EVERY_ms = 5000;
const FIRST_ms = 500;

/** `ask` for a PodSubnet whenever something about it is another. */
export function subnetStatuses(of: Reporting): Seldom {
  const how = { clock: of.clock, log: of.log, every_ms: EVERY_ms, first_ms: FIRST_ms, what: 'the status of PodSubnets was not written' };
  return seldom(how, async (names) => {
    const found = names.flatMap((name) => of.subnets.get(name) ?? []);
    const ids = new Set(found.map(({ subnet }) => subnetIdOf(subnet)));
    const { subnets } = await of.facts(ids);
    const nodes = of.nodes();
    const again: string[] = [];
    for (const one of found) {
      const { name } = one.subnet.metadata;
      try {
        const fields = fieldsOf(one, subnets.get(subnetIdOf(one.subnet)), nodes, of);
        if (Object.entries(fields).some(([key, value]) => !isDeepStrictEqual(value, fieldOf(one.status, key))))
          await of.subnets.writeStatus(name, fields).then(() => of.wrote(name));
      } catch (error) {
        of.log.debug(`the status of PodSubnet ${name} is written later: ${sentence(asFailure(error))}`);
        again.push(name);
      }
    }
    return again;
  });
}

function fieldOf(status: PodSubnetStatus, key: string): unknown {
  return Object.entries(status).find(([name]) => name === key)?.[1];
}

function fieldsOf(
  { subnet, status, generation }: StoredPodSubnet,
  cloudSubnet: CloudSubnet | undefined,
  nodes: readonly ClusterNode[],
  { held: heldOf, clock }: Reporting,
): Partial<PodSubnetStatus> {
  const total = heldOf(subnet.metadata.name);
  const standing = { ...subnetStanding({ subnet, cloudSubnet, nodes, held: total.held }), observedGeneration: generation };
  const conditions = withReady(status.conditions, standing, clock.now_ms());
  if (cloudSubnet === undefined) return { ...total, conditions };
  const { zone, cidr4, cidr6, free4 } = cloudSubnet;
  return {
    ...(zone !== undefined && { zone }),
    cidrs: [cidr4, cidr6].filter((cidr) => cidr !== undefined),
    ...(cidr4 !== undefined && { free: free4 }),
    ...total,
    conditions,
  };
}
