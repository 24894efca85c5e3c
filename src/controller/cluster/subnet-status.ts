/** Writes what users read in the status of PodSubnets: seldom, many at a time, and only what is another. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../../cloud/clock.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { Log } from '../../log.ts';
import type { ClusterNode } from '../../store/kubernetes/core-objects.ts';
import { clashAmong, type ClusterSubnets, type StoredPodSubnet } from '../../store/kubernetes/cluster-subnets.ts';
import type { PodSubnetStatus } from '../../store/pod-subnet.ts';
import { MOST_CLOUD_SUBNETS } from '../../store/cloud-subnets.ts';
import { cloudSubnetsOf } from '../cloud-subnets.ts';
import type { Facts, ReadFacts } from '../facts.ts';
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
    const facts = await of.facts(found.map(({ subnet }) => subnet));
    const nodes = of.nodes();
    const again: string[] = [];
    for (const one of found) {
      const { name } = one.subnet.metadata;
      try {
        const fields = fieldsOf(one, facts, nodes, of);
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
  facts: Facts,
  nodes: readonly ClusterNode[],
  { held: heldOf, clock, subnets }: Reporting,
): Partial<PodSubnetStatus> {
  const { name } = subnet.metadata;
  const total = heldOf(name);
  const cloudSubnets = cloudSubnetsOf(subnet, facts).toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const listed = cloudSubnets.slice(0, MOST_CLOUD_SUBNETS);
  const problem = facts.tagged.get(name)?.problem;
  const clash = clashAmong(subnet, subnets.list());
  const standing = { ...subnetStanding({ subnet, cloudSubnets, problem, nodes, held: total.held, clash }), observedGeneration: generation };
  const conditions = withReady(status.conditions, standing, clock.now_ms());
  if (cloudSubnets.length === 0) return { ...total, conditions };
  const zones = [...new Set(cloudSubnets.flatMap(({ zone }) => zone ?? []))].toSorted();
  const of4 = cloudSubnets.filter(({ cidr4 }) => cidr4 !== undefined);
  return {
    ...(zones.length > 0 && { zone: zones.join(', ') }),
    cloudSubnets: subnet.spec.cloudSubnets === undefined ? [] : listed.map(({ id }) => id),
    cidrs: listed.flatMap(({ cidr4, cidr6 }) => [cidr4, cidr6].filter((cidr) => cidr !== undefined)),
    ...(of4.length > 0 && { free: of4.reduce((sum, { free4 }) => sum + free4, 0) }),
    ...total,
    conditions,
  };
}
