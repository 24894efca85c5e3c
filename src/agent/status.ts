/** STATUS: can the next ADD be served? The reason, when not, is what the node's condition will show. */
import { failure } from '../errors/failure.ts';
import type { NodeAgent } from './node-agent.ts';
import { now_ms } from './pools.ts';

/** Why a node that gives everything back serves no ADD. */
export const draining = { reason: 'the node is draining', details: '' };

/**
 * A pool that is merely full serves again after the next DEL: that is no reason to call the node broken. One that never got an address is, unless it is to
 * keep none ready: then the first Pod brings the first address, and there would never be a first Pod on a node that is not ready.
 * @throws Failure notConfigured, notReady.
 */
export function status(node: NodeAgent): void {
  const { cloud } = node;
  if (cloud === undefined) throw failure('notConfigured', {});
  if (cloud.grants.draining !== undefined) throw failure('notReady', draining);
  if (cloud.grants.status === undefined) throw failure('notReady', { reason: 'the controller has not granted anything yet', details: '' });
  const pools = cloud.grants.subnets.map((subnet) => ({
    name: subnet.metadata.name,
    counts: cloud.pools.pool(subnet.metadata.name)?.counts(now_ms()),
    keepsNone: subnet.spec.warm.minimum + subnet.spec.warm.spare === 0,
  }));
  if (pools.some(({ counts, keepsNone }) => keepsNone || (counts?.held ?? 0) > 0)) return;
  const details = pools.map(({ name }) => `${name}: ${cloud.pools.growth(name)?.text || 'waiting for addresses'}`).join('; ');
  throw failure('notReady', { reason: 'no PodSubnet has an address on this node', details });
}
