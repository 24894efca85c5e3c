/**
 * PodSubnets that are no longer configured, or under another name, while this node still holds something of them: Pods that run, addresses that rest,
 * blocks the controller wants back. Nobody gets an address of theirs; without a pool, nobody would ever give one back either.
 */
import { type PodSubnet, podSubnet } from '../store/pod-subnet.ts';

/** Stand-ins for those of the names that are not configured; both families, since what theirs were is not known any more. */
export function formerSubnets(configured: readonly PodSubnet[], inUse: Iterable<string | undefined>): PodSubnet[] {
  const former = new Set(inUse);
  former.delete(undefined);
  for (const { metadata } of configured) former.delete(metadata.name);
  return [...former].map((name) =>
    podSubnet.parse({
      apiVersion: 'flatpod.dev/v1alpha1',
      kind: 'PodSubnet',
      metadata: { name },
      // No cloud is ever asked for this one.
      spec: { cloudSubnet: 'unknown', families: [4, 6] },
    }),
  );
}
