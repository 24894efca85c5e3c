/** PodSubnet: a cloud subnet that Pods may use, and how much of it each node may hold. Cluster-scoped; becomes a CRD. */
import * as z from 'zod';
import { addressOrBlock, metadata, name } from './schema-parts.ts';

/** How many addresses a node keeps ready. All counts are IPv4 addresses (or IPv6, in a subnet without IPv4). */
const warm = z.strictObject({
  minimum: z.int().min(0).max(4096).default(0).describe('a node never holds fewer addresses of this subnet than this, used or not'),
  spare: z.int().min(0).max(4096).default(4).describe('free addresses to keep beyond those in use; cooling ones do not count as free'),
  spareNics: z.int().min(0).max(15).default(0).describe('whole unused interfaces to keep attached'),
});

const perNode = z.strictObject({
  maximum: z.int().min(1).max(65536).default(250).describe('a node never holds more addresses of this subnet than this'),
});

/** spec of a PodSubnet. */
const podSubnetSpec = z.strictObject({
  cloudSubnet: z.string().min(1).describe('the id by which the cloud knows the subnet'),
  default: z.boolean().default(false).describe('serves Pods that no other PodSubnet names'),
  namespaces: z.array(name).default([]).describe('namespaces whose Pods use this subnet; empty: none by name'),
  families: z
    .array(z.union([z.literal(4), z.literal(6)]))
    .min(1)
    .max(2)
    .default([4])
    .describe('which addresses each Pod gets: [4], [6] or [4, 6]'),
  unit: z
    .enum(['address', 'prefix'])
    .default('address')
    .describe('what is asked of the cloud: single IPv4 addresses or /28 prefixes; IPv6 is always a /80'),
  datapath: z.enum(['routed-veth']).default('routed-veth').describe('how Pods are connected'),
  securityGroups: z
    .array(z.string().min(1))
    .default([])
    .describe("security groups of the interfaces made for this subnet; empty: the instance's own"),
  exclude: z.array(addressOrBlock).default([]).describe('addresses and blocks that no Pod gets'),
  useFirstNic: z.boolean().default(true).describe("whether the node's first interface serves Pods too, when it lies in this subnet"),
  warm: warm.prefault({}).describe('addresses that a node keeps ready'),
  perNode: perNode.prefault({}).describe('what a node may hold'),
});

/** A PodSubnet as it stands in a file or in the API. */
export const podSubnet = z.strictObject({
  apiVersion: z.literal('flatpod.dev/v1alpha1'),
  kind: z.literal('PodSubnet'),
  metadata,
  spec: podSubnetSpec,
});

/** A PodSubnet that was read, defaults filled in. */
export type PodSubnet = z.infer<typeof podSubnet>;
