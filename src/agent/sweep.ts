/**
 * Releases attachments whose Pod is gone although no DEL came: a reboot, a runtime that lost its state. A namespace that is missing is only believed
 * after it was missing twice, a grace time apart.
 */
import { asFailure, sentence } from '../errors/failure.ts';
import { isNetns } from '../kernel/netns.ts';
import { del } from './del.ts';
import { keyOf, type NodeAgent } from './node-agent.ts';
import { honourSpool } from './spool.ts';

const EVERY_ms = 15_000;
const GRACE_ms = 60_000;

/** Starts sweeping, spooled releases first. Returns the way to stop. */
export function startSweep(node: NodeAgent, spool: string): () => void {
  const missingSince = new Map<string, number>();
  const timer = setInterval(() => {
    const round = honourSpool(node, spool).then(() => sweep(node, missingSince, performance.now()));
    round.catch((error: unknown) => node.log.error(`sweep failed: ${sentence(asFailure(error))}`));
  }, EVERY_ms);
  return () => clearInterval(timer);
}

/** One round. `missingSince` is carried from round to round; times in milliseconds of any one clock. */
export async function sweep(node: NodeAgent, missingSince: Map<string, number>, now: number): Promise<void> {
  const attachments = node.attachments.list();
  const known = new Set(attachments.map(keyOf));
  for (const key of missingSince.keys()) if (!known.has(key)) missingSince.delete(key);
  for (const attachment of attachments) {
    const key = keyOf(attachment);
    const since = missingSince.get(key);
    if (isNetns(attachment.netns)) missingSince.delete(key);
    else if (since === undefined) missingSince.set(key, now);
    else if (now - since >= GRACE_ms && !node.locks.held(key)) {
      await del(node, attachment);
      node.log.warn(`swept ${key}: its namespace ${attachment.netns} is gone and no DEL came`, {
        addresses: attachment.interface.addresses.join(' '),
      });
    }
  }
}
