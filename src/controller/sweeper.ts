/**
 * Deletes NICs that we made and nobody owns: left by a node that is gone, or by a create whose answer came too late.
 *
 * Invariants
 * - only NICs with our tags, attached to nothing, in no node's grants and of no node's intent
 * - older than `sweepAge_ms`, seen so in two sweeps at least a minute apart, and once more right before
 */
import type { CloudNic, NicId } from '../cloud/cloud.ts';
import { asFailure, isFailure, sentence } from '../errors/failure.ts';
import type { NodeNetwork } from '../store/node-network.ts';
import { decisionFor } from './decision.ts';
import { notesOf } from './notes.ts';
import { intentOf, nodeOf, tagsOfCluster } from './tags.ts';
import type { World } from './world.ts';

/** Two sightings closer together than this are one. */
const apart_ms = 60_000;

/** When each NIC was first seen without an owner. */
export type Sightings = Map<NicId, number>;

/** What a sweep is done with. */
type Swept = Pick<World, 'cloud' | 'cluster' | 'networks' | 'clock' | 'timings' | 'log'>;

/** Looks once, and deletes what was seen long enough. Answers with the NICs deleted, or, with `dryRun`, with those that would be. @throws Failure */
export async function sweep(world: Swept, seen: Sightings, dryRun: boolean): Promise<CloudNic[]> {
  const { cloud, networks, clock, cluster, log } = world;
  const now_ms = clock.now_ms();
  const nics = await cloud.nics({ tags: tagsOfCluster(cluster) });
  const unowned = ownerless(nics, await networks.list(), now_ms - world.timings.sweepAge_ms);
  for (const id of seen.keys()) if (!unowned.some((nic) => nic.id === id)) seen.delete(id);
  for (const { id } of unowned) if (!seen.has(id)) seen.set(id, now_ms);
  const proven = unowned.filter(({ id }) => now_ms - (seen.get(id) ?? now_ms) >= apart_ms);
  if (dryRun) return proven;
  const deleted: CloudNic[] = [];
  for (const nic of proven) {
    try {
      if (!(await deleteIfStillFree(world, nic))) continue;
      deleted.push(nic);
      seen.delete(nic.id);
      log.info(`deleted ${nic.id}, which nobody owned`, { node: nodeOf(nic) ?? null });
    } catch (error) {
      const failed = asFailure(error);
      log.warn(`could not delete ${nic.id}, which nobody owns: ${sentence(failed)}`);
      // The others of the list would be refused as well, or be one call too many.
      if (!isFailure(error) || decisionFor(failed).next !== 'readBack') break;
    }
  }
  return deleted;
}

async function deleteIfStillFree({ cloud }: Swept, { id }: CloudNic): Promise<boolean> {
  const [now] = await cloud.nics({ ids: [id] });
  if (now === undefined || now.attachment !== undefined || now.branch !== undefined) return false;
  await cloud.deleteNic(id);
  return true;
}

/** Those of the NICs that no node's object speaks of. */
function ownerless(nics: readonly CloudNic[], nodes: readonly NodeNetwork[], madeBefore_ms: number): CloudNic[] {
  const granted = new Set(nodes.flatMap(({ status }) => status.nics.map(({ id }) => id)));
  const intended = new Set(nodes.flatMap(({ status }) => notesOf(status)?.intents.map(({ token }) => token) ?? []));
  return nics.filter(
    (nic) =>
      nic.attachment === undefined &&
      nic.branch === undefined &&
      nic.createdAt_ms <= madeBefore_ms &&
      !granted.has(nic.id) &&
      !intended.has(intentOf(nic) ?? ''),
  );
}
