/** Leaving: the node gives all blocks and further NICs back, then takes its own share out of the kernel. */
import { setTimeout as sleep } from 'node:timers/promises';
import { failure } from '../errors/failure.ts';
import type { NodeAgent } from './node-agent.ts';

const POLL_ms = 100;

/**
 * Resolves when the controller holds nothing for this node any more and the kernel nothing of ours. ADD is refused meanwhile; when it cannot be
 * done in time, the node serves on as before.
 * @throws Failure podsAttached, drainIncomplete.
 */
export async function drain(node: NodeAgent, deadline_ms: number): Promise<void> {
  const { cloud } = node;
  const pods = node.attachments.list().length;
  if (pods > 0) throw failure('podsAttached', { pods });
  if (cloud === undefined) return;
  cloud.grants.drain(true);
  const end = performance.now() + deadline_ms;
  const held = (): number =>
    (cloud.grants.status?.nics ?? []).reduce(
      (sum, nic) => sum + nic.blocks.length + (nic.deviceIndex === 0 ? 0 : 1),
      node.attachments.list().length,
    );
  // What was under way when the drain began may still bring addresses.
  while (held() > 0 || cloud.grants.status?.settled !== cloud.grants.draining) {
    if (performance.now() > end) {
      cloud.grants.drain(false);
      throw failure('drainIncomplete', { held: held(), seconds: Math.round(deadline_ms / 1000) });
    }
    cloud.grants.demandChanged(true);
    await sleep(POLL_ms);
  }
  const plan = cloud.grants.leave();
  await node.kernel.remove(plan);
}
