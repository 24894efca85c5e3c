/**
 * Deletes NICs that we made and nobody owns: left by a node that is gone, or by a create whose answer came too late.
 *
 * Invariants
 * - only NICs with our tags, attached to nothing (or to an instance that there is no more, from which they are unplugged first), in no node's grants and of
 *   no node's intent
 * - older than `sweepAge_ms`, seen so in two sweeps at least a minute apart, and once more right before
 */
import type { Cloud, CloudNic, InstanceId, NicId } from '../cloud/cloud.ts';
import { pauseAfter } from '../cloud/limits/backoff.ts';
import { asFailure, isFailure, sentence } from '../errors/failure.ts';
import type { NodeNetwork } from '../store/node-network.ts';
import { decisionFor } from './refusal-table.ts';
import { notesOf } from './notes.ts';
import { intentOf, nodeOf, tagsOfCluster } from './tags.ts';
import type { World } from './world.ts';

/** Two sightings closer together than this are one. */
const apart_ms = 60_000;

/** What sweeps remember from one to the next. */
export interface Sightings {
  /** When each NIC was first seen without an owner. */
  readonly since_ms: Map<NicId, number>;
  /** Refusals in a row, of one NIC or of whatever is deleted, and when to ask again. */
  readonly refused: Map<NicId | 'all', { readonly times: number; readonly until_ms: number }>;
}

/** Nothing was seen yet. */
export function noSightings(): Sightings {
  return { since_ms: new Map(), refused: new Map() };
}

/** What a sweep is done with. */
type Swept = Pick<World, 'cloud' | 'cluster' | 'networks' | 'clock' | 'timings' | 'log' | 'random'>;

/** Looks once, and deletes what was seen long enough. Answers with the NICs deleted, or, with `dryRun`, with those that would be. @throws Failure */
export async function sweep(world: Swept, seen: Sightings, dryRun: boolean): Promise<CloudNic[]> {
  const { clock, log } = world;
  const now_ms = clock.now_ms();
  const old = (await unowned(world)).filter(({ age_ms }) => age_ms >= world.timings.sweepAge_ms).map(({ nic }) => nic);
  remember(seen, old, now_ms);
  const proven = old.filter(({ id }) => now_ms - (seen.since_ms.get(id) ?? now_ms) >= apart_ms);
  if (dryRun) return proven;
  const deleted: CloudNic[] = [];
  const isPaused = (what: NicId | 'all'): boolean => (seen.refused.get(what)?.until_ms ?? 0) > now_ms;
  for (const nic of isPaused('all') ? [] : proven.filter(({ id }) => !isPaused(id))) {
    try {
      if (!(await deleteIfStillFree(world, nic))) continue;
      deleted.push(nic);
      seen.since_ms.delete(nic.id);
      seen.refused.delete('all');
      log.info(`deleted ${nic.id}, which nobody owned`, { node: nodeOf(nic) ?? null });
    } catch (error) {
      const failed = asFailure(error);
      log.warn(`could not delete ${nic.id}, which nobody owns: ${sentence(failed)}`);
      // The others of the list would be refused as well, or be one call too many; but that one cannot be unplugged says nothing of deleting.
      const isOfAll = nic.attachment === undefined && (!isFailure(error) || decisionFor(failed).next !== 'readBack');
      const what = isOfAll ? 'all' : nic.id;
      const times = (seen.refused.get(what)?.times ?? 0) + 1;
      // Nobody waits for it.
      seen.refused.set(what, { times, until_ms: now_ms + pauseAfter('settled', times, world.random) });
      if (isOfAll) break;
    }
  }
  return deleted;
}

/** Forgets those that are gone or owned by now. */
function remember({ since_ms, refused }: Sightings, found: readonly CloudNic[], now_ms: number): void {
  const ids = new Set<NicId | 'all'>(['all', ...found.map(({ id }) => id)]);
  for (const id of since_ms.keys()) if (!ids.has(id)) since_ms.delete(id);
  for (const id of refused.keys()) if (!ids.has(id)) refused.delete(id);
  for (const { id } of found) if (!since_ms.has(id)) since_ms.set(id, now_ms);
}

/** A NIC of ours that nobody owns. */
export interface Unowned {
  readonly nic: CloudNic;
  /** The node it was made for. */
  readonly node: string | undefined;
  /** Whether there is such a node. */
  readonly isNodeThere: boolean;
  readonly age_ms: number;
}

/** Where it is looked for. */
export interface Places extends Pick<World, 'cloud' | 'cluster' | 'clock'> {
  /** Whose objects speak of interfaces. */
  readonly networks: { list(): Promise<readonly Speaking[]> };
}

/** What is known of a node. */
export type Speaking = Pick<NodeNetwork, 'name' | 'status'> & { readonly spec: Pick<NodeNetwork['spec'], 'instance'> };

/** All there are now, also those too young to be deleted. @throws Failure cloud*, store*, kube* */
export async function unowned({ cloud, cluster, networks, clock }: Places): Promise<Unowned[]> {
  const nics = await cloud.nics({ tags: tagsOfCluster(cluster) });
  // Read after the NICs: what was made meanwhile has its owner.
  const nodes = await networks.list();
  const names = new Set(nodes.map(({ name }) => name));
  const nobodys = ownerless(nics, nodes);
  const gone = await goneAmong(cloud, new Set(nobodys.flatMap(({ attachment }) => attachment?.instance ?? [])));
  return nobodys
    .filter(({ attachment }) => attachment === undefined || gone.has(attachment.instance))
    .map((nic) => {
      const node = nodeOf(nic);
      return { nic, node, isNodeThere: node !== undefined && names.has(node), age_ms: clock.now_ms() - nic.createdAt_ms };
    });
}

/** Instances that ended while something was plugged into them: the cloud may never unplug it. */
async function goneAmong(cloud: Pick<Cloud, 'instance'>, instances: ReadonlySet<InstanceId>): Promise<ReadonlySet<InstanceId>> {
  const gone = new Set<InstanceId>();
  for (const id of instances) {
    try {
      if ((await cloud.instance(id)).state === 'terminated') gone.add(id);
    } catch (error) {
      if (!isFailure(error)) throw error;
      // What cannot be said of one now is said at a later sweep.
      if (error.kind === 'cloudNotFound') gone.add(id);
    }
  }
  return gone;
}

/** What has to be unplugged first is deleted by a later sweep. */
async function deleteIfStillFree({ cloud }: Swept, { id, attachment: before }: CloudNic): Promise<boolean> {
  const [now] = await cloud.nics({ ids: [id] });
  if (now === undefined || now.branch !== undefined || now.attachment?.instance !== before?.instance) return false;
  if (now.attachment !== undefined) {
    await cloud.detachNic(id);
    return false;
  }
  await cloud.deleteNic(id);
  return true;
}

/** Those of the NICs that no node's object speaks of. */
function ownerless(nics: readonly CloudNic[], nodes: readonly Speaking[]): CloudNic[] {
  const granted = new Set(nodes.flatMap(({ status }) => status.nics.map(({ id }) => id)));
  const intended = new Set(nodes.flatMap(({ status }) => notesOf(status)?.intents.map(({ token }) => token) ?? []));
  const machines = new Set(nodes.map(({ spec }) => spec.instance));
  return nics.filter(
    (nic) =>
      nic.branch === undefined &&
      !(nic.attachment !== undefined && machines.has(nic.attachment.instance)) &&
      !granted.has(nic.id) &&
      !intended.has(intentOf(nic) ?? ''),
  );
}
