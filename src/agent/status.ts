/** STATUS: can the next ADD be served? The reason, when not, is what the node's condition will show. */
import { failure } from '../errors/failure.ts';
import type { NodeAgent } from './node-agent.ts';
import { now_ms } from './pools.ts';

/** Why a node that gives everything back serves no ADD. */
export const draining = { reason: 'the node is draining', details: '' };

/**
 * A pool that is merely full serves again after the next DEL: that is no reason to call the node broken. One that never got an address is, unless the first
 * Pod brings the first address, since there would never be a first Pod on a node that is not ready: where none are to be kept ready, and in a range, which
 * gives a node nothing beforehand when little is left, and takes back what it does not use.
 * @throws Failure notConfigured, notReady.
 */
export function status(node: NodeAgent): void {
  const { cloud } = node;
  if (cloud === undefined) throw failure('notConfigured', {});
  if (cloud.grants.draining !== undefined) throw failure('notReady', draining);
  if (cloud.grants.status === undefined) throw failure('notReady', { reason: 'the controller has not granted anything yet', details: '' });
  const pools = cloud.grants.subnets.map(({ metadata: { name }, spec }) => ({
    name,
    counts: cloud.pools.pool(name)?.counts(now_ms()),
    comesWithPod:
      spec.range === undefined ? spec.warm.minimum + spec.warm.spare === 0 : cloud.grants.nics.some(({ nic }) => nic.subnet === name),
  }));
  if (pools.some(({ counts, comesWithPod }) => comesWithPod || (counts?.held ?? 0) > 0)) return;
  const details = pools.map(({ name }) => `${name}: ${cloud.pools.growth(name)?.text || 'waiting for addresses'}`).join('; ');
  throw failure('notReady', { reason: 'no PodSubnet has an address on this node', details });
}
