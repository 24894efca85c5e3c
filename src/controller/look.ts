/**
 * Looking at the cloud, as seldom as will do: everything at the start, after an unclear answer, to confirm that something vanished, and every few minutes;
 * in between only NICs that are on their way in or out.
 */
import type { CloudNic } from '../cloud/cloud.ts';
import { failure } from '../errors/failure.ts';
import type { NodeNetwork } from '../store/node-network.ts';
import type { NodeMemory, Picture } from './memory.ts';
import { type OwnWrite, withOwnWrites } from './own-writes.ts';
import { tagsOfNode } from './tags.ts';
import { asUsed } from './uses.ts';
import { missingAfter, type ProvenFrom } from './vanished.ts';
import type { World } from './world.ts';

/** Reads what must be read and remembers it. @throws Failure cloud* */
export async function look(world: World, memory: NodeMemory, node: NodeNetwork): Promise<Picture> {
  const { clock } = world;
  if (fullReadDue_ms(memory, world) <= clock.now_ms()) await readAll(world, memory, node);
  else if (isMoving(memory) && memory.nextPoll_ms <= clock.now_ms()) await readMoving(world, memory);
  const { reading } = memory;
  if (reading === undefined) throw new Error('a full read left no reading');
  const ids = reading.nics.map(({ subnet }) => subnet);
  const facts = await world.facts(world.subnets(node.name), ids);
  const nics = asUsed(withOwnWrites(reading.nics, memory.writes));
  // Only a full read made since can prove that something vanished.
  memory.missing = missingAfter(memory.missing, node, nics, reading.read_ms, provenFrom(memory, world));
  return { reading, facts, nics };
}

/**
 * A second read some seconds after the first that lacked it; and none by a controller so young that it may not know what was written just before it
 * was born: reads can be that old.
 */
function provenFrom(memory: NodeMemory, world: World): ProvenFrom {
  return (since_ms) => Math.max(since_ms + world.timings.confirm_ms, settled_ms(memory, world));
}

/** From when on a full read shows whatever was called before this controller was born, in milliseconds of the clock. */
export function settled_ms({ born_ms }: NodeMemory, { timings }: World): number {
  return born_ms + timings.settle_ms;
}

/** When everything is to be read again. */
export function fullReadDue_ms(memory: NodeMemory, world: World): number {
  const { reading, missing } = memory;
  if (reading === undefined || memory.mustRead) return 0;
  const unsure = [...missing.values()].filter(({ sure }) => !sure).map(({ since_ms }) => provenFrom(memory, world)(since_ms));
  const hidden = hidingWrites(memory).map(({ at_ms }) => at_ms + world.timings.settle_ms);
  // What such a call brought counts as held until then, and must be seen by then.
  const settled = memory.unclear_ms.map((at_ms) => at_ms + world.timings.settle_ms);
  // What agents gave back to a controller before this one is theirs again after that.
  const kept = world.releases || reading.read_ms >= settled_ms(memory, world) ? [] : [settled_ms(memory, world)];
  return Math.min(reading.read_ms + world.timings.fullRead_ms, ...unsure, ...hidden, ...settled, ...kept);
}

/**
 * Unassigns that a later read contradicts. It may have been stale, or the block came back by an assign whose answer was lost: as soon as the writes are
 * too old to be believed more than a read, the next one decides.
 */
function hidingWrites({ reading, writes }: NodeMemory): OwnWrite[] {
  return writes.filter((write) => {
    if (reading === undefined || write.did !== 'unassign' || write.at_ms > reading.read_ms) return false;
    return reading.nics.some(({ id, blocks }) => id === write.nic && write.blocks.some((block) => blocks.includes(block)));
  });
}

/** Whether a NIC is on its way in or out. */
export function isMoving(memory: NodeMemory): boolean {
  return moving(memory).length > 0;
}

function moving({ reading, writes }: NodeMemory): CloudNic[] {
  const nics = withOwnWrites(reading?.nics ?? [], writes);
  return nics.filter(({ attachment }) => attachment !== undefined && attachment.state !== 'attached');
}

async function readAll(world: World, memory: NodeMemory, node: NodeNetwork): Promise<void> {
  const { cloud, clock, timings, cluster } = world;
  const read_ms = clock.now_ms();
  const { instance: id } = node.spec;
  const [instance, attached, ours] = await Promise.all([
    cloud.instance(id),
    cloud.nics({ instance: id }),
    cloud.nics({ tags: tagsOfNode(cluster, node.name) }),
  ]);
  if (instance.state === 'running' && instance.isBare !== true && !attached.some(({ attachment }) => attachment?.deviceIndex === 0)) {
    // There is no running instance without one: the read is older than the instance, and what else it lacks nobody knows.
    throw failure('cloudNotFound', { cloud: cloud.name, object: `the first interface of ${id}`, text: 'not yet, presumably' });
  }
  const nics = new Map([...ours, ...attached].map((nic) => [nic.id, nic]));
  memory.reading = { instance, nics: [...nics.values()], read_ms };
  memory.writes = memory.writes.filter(({ at_ms }) => read_ms - at_ms < timings.settle_ms);
  memory.unclear_ms = memory.unclear_ms.filter((at_ms) => read_ms - at_ms < timings.settle_ms);
  memory.mustRead = false;
}

async function readMoving({ cloud, clock }: World, memory: NodeMemory): Promise<void> {
  const { reading } = memory;
  if (reading === undefined) return;
  const ids = moving(memory).map(({ id }) => id);
  const found = await cloud.nics({ ids });
  const others = reading.nics.filter(({ id }) => !found.some((nic) => nic.id === id));
  memory.reading = { ...reading, nics: [...others, ...found] };
  memory.nextPoll_ms = clock.now_ms() + Math.min(100 * 2 ** memory.polls, 5_000);
  memory.polls = Math.min(memory.polls + 1, 10);
}
