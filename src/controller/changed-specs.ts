/** A PodSubnet that is another now may have what it had not: what the cloud refused of it before says nothing any more. */
import { isDeepStrictEqual } from 'node:util';
import type { PodSubnet } from '../store/pod-subnet.ts';
import type { NodeMemory } from './memory.ts';

/** Forgets pauses and refusals of growing in PodSubnets whose spec has changed since the last pass. `subnets`: those that the node may use now. */
export function forgetChanged(memory: NodeMemory, subnets: readonly PodSubnet[]): void {
  for (const { metadata, spec } of subnets) {
    const { name } = metadata;
    const before = memory.specs.get(name);
    if (before === spec) continue;
    memory.specs.set(name, spec);
    if (before === undefined || isDeepStrictEqual(before, spec)) continue;
    forget(memory, name);
  }
  if (memory.specs.size === subnets.length) return;
  const names = new Set(subnets.map(({ metadata }) => metadata.name));
  for (const name of memory.specs.keys()) {
    if (names.has(name)) continue;
    memory.specs.delete(name);
    // It may be made again, and be another one.
    forget(memory, name);
  }
}

function forget(memory: NodeMemory, name: string): void {
  memory.growthPauses.delete(name);
  memory.mostAtOnce.delete(name);
  // See growthKey; no name of a PodSubnet has a space.
  for (const key of memory.growthRefused.keys()) if (key.endsWith(` ${name}`)) memory.growthRefused.delete(key);
}
