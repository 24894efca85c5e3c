/** When to look at a node again although nothing has woken us. */
import { fullReadDue_ms, isMoving } from './look.ts';
import type { NodeMemory } from './memory.ts';
import type { Situation } from './situation.ts';
import { isOurs } from './tags.ts';
import type { World } from './world.ts';

/** The earliest time at which something is due, in milliseconds of the clock. @param situation absent when nothing is known yet */
export function nextPass_ms(world: World, memory: NodeMemory, situation: Situation | undefined): number {
  if (memory.pause !== undefined) return memory.pause.until_ms;
  const { timings, clock } = world;
  const releases = [...memory.releasesRefused.values()].map(({ pause }) => pause).filter(({ until_ms }) => until_ms > clock.now_ms());
  const pauses = [...memory.growthPauses.values(), ...releases];
  const stuckAt = [...memory.askedBackSince_ms.values(), ...memory.lackedSince_ms.values()].map((since_ms) => since_ms + timings.stuck_ms);
  const oldAt = youngNics(situation).map((created_ms) => created_ms + timings.nicAge_ms);
  const polls = isMoving(memory) ? [memory.nextPoll_ms] : [];
  const later = [...stuckAt, ...oldAt].filter((at_ms) => at_ms > clock.now_ms());
  return Math.min(fullReadDue_ms(memory, world), ...pauses.map(({ until_ms }) => until_ms), ...later, ...polls);
}

/** Our NICs are looked at again when they are old enough to go. */
function youngNics(situation: Situation | undefined): number[] {
  if (situation === undefined) return [];
  const { nics, cluster, node } = situation;
  return nics.filter((nic) => isOurs(nic, cluster, node)).map(({ createdAt_ms }) => createdAt_ms);
}
