/** A NIC whose namespace died with it inside comes back to its instance, as hardware does; a veth would be gone for ever. */
import type { Events } from './events.ts';
import type { Fabric } from './fabric/fabric.ts';

const LOOK_EVERY_ms = 1_000;

/** Looks for lost NICs once a second and has them plugged in again, down and unconfigured. Returns the way to stop. */
export function repairing(fabric: Fabric, converge: () => Promise<void>, events: Events): () => void {
  const timer = setInterval(() => {
    const lost = fabric.lost();
    if (lost.length === 0) return;
    events.add({ kind: 'fabric', text: `plugged in again after the namespace they were in died: ${lost.join(', ')}` });
    converge().catch(() => {}); // told by converge itself
  }, LOOK_EVERY_ms);
  timer.unref();
  return () => clearInterval(timer);
}
