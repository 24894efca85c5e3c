/** A NodeNetwork as it stands in the Kubernetes API, with what only that API needs: identity, version, term. */
import * as z from 'zod';
import type { NodeNetworkSpec, NodeNetworkStatus } from '../node-network.ts';
import { nodeNetworkSpec, nodeNetworkStatus } from '../node-network-schema.ts';

/** One object as it was read. */
export interface StoredNodeNetwork {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** Absent until the agent has spoken. The instance is not in it: nobody believes an agent about that. */
  readonly spec: Omit<NodeNetworkSpec, 'instance'> | undefined;
  /** Absent until the controller has spoken. */
  readonly status: NodeNetworkStatus | undefined;
  /** The instance the status is about. */
  readonly instance: string | undefined;
  /** The term (of the controllers' Lease) in which the status was written. */
  readonly term: number | undefined;
}

const object = z.object({
  metadata: z.object({ name: z.string(), uid: z.string(), resourceVersion: z.string() }),
  spec: nodeNetworkSpec.optional(),
  status: nodeNetworkStatus.optional(),
});

/** @throws ZodError */
export function readNodeNetwork(value: unknown): StoredNodeNetwork {
  const { metadata, spec, status } = object.parse(value);
  if (status === undefined) return { ...metadata, spec, status, instance: undefined, term: undefined };
  const { instance, term, ...rest } = status;
  return { ...metadata, spec, status: rest, instance, term };
}
