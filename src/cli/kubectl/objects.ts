/** PodSubnets as the plugin reads them: with their status. */
import * as z from 'zod';
import { type PodSubnet, podSubnetSpec, type PodSubnetStatus, podSubnetStatus } from '../../store/pod-subnet.ts';
import { tolerant } from '../../store/tolerant.ts';

/** A PodSubnet, and what the controller says of it: nothing before it has looked. */
export interface SubnetView extends PodSubnet {
  readonly status: PodSubnetStatus | undefined;
}

const subnet = z.object({
  metadata: z.object({ name: z.string() }),
  spec: tolerant(podSubnetSpec),
  status: podSubnetStatus.optional(),
});

/** @throws ZodError */
export function readSubnetView(value: unknown): SubnetView {
  const { metadata, spec, status } = subnet.parse(value);
  return { apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name: metadata.name }, spec, status };
}
