/** Flatpod's own objects as the plugin reads them: whole, with who wrote them last and when. */
import * as z from 'zod';
import { readNodeNetwork, type StoredNodeNetwork } from '../../store/kubernetes/stored-node-network.ts';
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

/** A NodeNetwork, and when its halves were written. */
export interface NetworkView extends StoredNodeNetwork {
  /** Milliseconds since the epoch: when the agent last had something new to say. */
  readonly agentWrote_ms: number | undefined;
  readonly controllerWrote_ms: number | undefined;
}

const written = z.object({
  metadata: z.object({
    managedFields: z.array(z.object({ manager: z.string().default(''), time: z.string().optional() })).default([]),
  }),
});

/** @throws ZodError */
export function readNetworkView(value: unknown): NetworkView {
  const { managedFields } = written.parse(value).metadata;
  const last = (manager: string): number | undefined => {
    const times = managedFields.filter((one) => one.manager === manager).map(({ time }) => Date.parse(time ?? ''));
    const known = times.filter((time) => !Number.isNaN(time));
    return known.length === 0 ? undefined : Math.max(...known);
  };
  // The programs' names as the API server notes them: userAgent up to its `/`.
  return { ...readNodeNetwork(value), agentWrote_ms: last('flatpod-agent'), controllerWrote_ms: last('flatpod-controller') };
}
