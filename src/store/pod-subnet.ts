/** PodSubnet: a subnet of the cloud, or a range without one, that Pods may use, who may, and how much of it each node may hold. Cluster-scoped; a document of a file, or a CRD. */
import * as z from 'zod';
import { cidrFamily } from '../net/cidr.ts';
import { cloudSubnets, MOST_CLOUD_SUBNETS } from './cloud-subnets.ts';
import { listAtomic, listSet, rules } from './crd/rules.ts';
import { labelSelector } from './label-selector.ts';
import { range } from './range.ts';
import { addressOrBlock, block, conditions, metadata, name } from './schema-parts.ts';

/** How many addresses a node keeps ready. All counts are IPv4 addresses (or IPv6, in a subnet without IPv4). */
const warm = z.strictObject({
  minimum: z.int().min(0).max(4096).default(0).describe('a node never holds fewer addresses of this subnet than this, used or not'),
  spare: z.int().min(0).max(4096).default(4).describe('free addresses to keep beyond those in use; cooling ones do not count as free'),
  spareNics: z.int().min(0).max(15).default(0).describe('whole unused interfaces to keep attached'),
});

const perNode = z.strictObject({
  maximum: z.int().min(1).max(65536).default(250).describe('a node never holds more addresses of this subnet than this'),
  interfaces: z
    .int()
    .min(1)
    .max(64)
    .exactOptional()
    .describe(
      'a node never holds more interfaces of the cloud for this subnet than this, its first one among them where that serves it; absent: as many as the instance takes',
    ),
});

const perCluster = z.strictObject({
  maximum: z
    .int()
    .min(1)
    .max(0xff_ffff)
    .exactOptional()
    .describe('all nodes together never hold more addresses of this subnet than this; absent: as many as the cloud gives'),
});

/** Ways to connect a Pod. src/datapath/ has a plan for each. */
const datapath = z.enum(['routed-veth', 'ipvlan', 'macvlan', 'nic', 'branch']);

/** How the children of one parent see each other: the first three are ipvlan's, the others macvlan's (ip-link(8)). */
const mode = z.enum(['l2', 'l3', 'l3s', 'bridge', 'private', 'vepa', 'passthru']);

/** What no field says by itself; src/store/cross-checks.ts says the same of objects in files. */
const together = rules(
  {
    rule: 'self.warm.minimum <= self.perNode.maximum',
    message: 'warm.minimum is more than perNode.maximum: lower it, or raise perNode.maximum',
    field: '.warm.minimum',
  },
  {
    rule: 'self.warm.spare <= self.perNode.maximum',
    message: 'warm.spare is more than perNode.maximum: lower it, or raise perNode.maximum',
    field: '.warm.spare',
  },
  {
    rule: "self.unit != 'prefix' || !(4 in self.families) || self.perNode.maximum >= 16",
    message: 'perNode.maximum leaves no room for a /28 prefix, which has 16 addresses: raise it to 16 or more, or write unit: address',
    field: '.perNode.maximum',
  },
  {
    rule: '!has(self.perCluster.maximum) || self.perCluster.maximum >= self.perNode.maximum',
    message: 'perCluster.maximum is less than perNode.maximum: raise it, or lower perNode.maximum',
    field: '.perCluster.maximum',
  },
  {
    rule: "!has(self.mode) || (self.datapath == 'ipvlan' && self.mode in ['l2', 'l3', 'l3s']) || (self.datapath == 'macvlan' && self.mode in ['bridge', 'private', 'vepa', 'passthru'])",
    message:
      'mode goes with datapath ipvlan (l2, l3, l3s) or macvlan (bridge, private, vepa, passthru): write one of those, or leave it out',
    field: '.mode',
  },
  {
    rule: "!has(self.fallback) || (self.datapath in ['ipvlan', 'macvlan'] && self.fallback != self.datapath)",
    message: 'fallback stands in for datapath ipvlan or macvlan, and is another one: change it, or leave it out',
    field: '.fallback',
  },
  {
    rule: "self.unit == 'address' || !(self.datapath in ['nic', 'branch'])",
    message: 'unit does not go with this datapath, where each Pod has an interface of the cloud for itself: leave it out',
    field: '.unit',
  },
  {
    rule: "!has(self.perNode.interfaces) || !(self.datapath in ['nic', 'branch'])",
    message: 'perNode.interfaces does not go with this datapath, where each Pod has an interface for itself: write perNode.maximum',
    field: '.perNode.interfaces',
  },
  {
    rule: "!has(self.addressing) || self.addressing == 'blocks' || (self.unit == 'address' && !has(self.range))",
    message: 'addressing fixed-ips or ports goes with single addresses of a subnet of the cloud: leave it out, or write unit: address',
    field: '.addressing',
  },
  {
    rule: "!has(self.addressing) || self.addressing == 'blocks' || !has(self.cloudSubnets) || !has(self.cloudSubnets.tags)",
    message: 'addressing fixed-ips or ports is of OpenStack, whose subnets are not found by tags: write cloudSubnets.ids, or leave it out',
    field: '.addressing',
  },
  {
    rule: '(has(self.cloudSubnet) ? 1 : 0) + (has(self.cloudSubnets) ? 1 : 0) + (has(self.range) ? 1 : 0) == 1',
    message: 'name a subnet of the cloud by cloudSubnet, or several by cloudSubnets, or write range for a network without one; one of them',
    field: '.cloudSubnet',
  },
  {
    rule: "!has(self.range) || (self.datapath in ['ipvlan', 'macvlan'] && (!has(self.fallback) || self.fallback != 'routed-veth'))",
    message: 'only ipvlan and macvlan go with range: write one of them',
    field: '.datapath',
  },
  {
    rule: "!has(self.range) || (self.unit == 'address' && size(self.securityGroups) == 0 && !has(self.perNode.interfaces))",
    message: 'unit, securityGroups and perNode.interfaces do not go with range, which no cloud knows: leave them out',
    field: '.range',
  },
  {
    rule: '!has(self.range) || ((4 in self.families) == has(self.range.ipv4) && (6 in self.families) == has(self.range.ipv6))',
    message: 'range has ipv4 or ipv6 for each of families, and for no other: add what is missing, or correct families',
    field: '.families',
  },
  {
    rule: "!has(self.within) || (has(self.cloudSubnet) && 4 in self.families && !(self.datapath in ['nic', 'branch']))",
    message:
      'within goes with IPv4 addresses of a subnet of the cloud, by a datapath that shares interfaces: leave it out, or change cloudSubnet, families or datapath',
    field: '.within',
  },
  {
    rule: "!has(self.within) || self.within.all(block, !block.contains(':'))",
    message: 'within has an IPv6 block: IPv6 addresses are never bounded by this; remove it',
    field: '.within',
  },
  {
    rule: '!self.assignable || !self.default',
    message:
      'default does not go with assignable: a subnet that one namespace is given for itself cannot serve all others; remove one of them',
    field: '.default',
  },
  {
    rule: '!self.assignable || (size(self.namespaces) == 0 && !has(self.namespaceSelector) && !has(self.podSelector) && !has(self.serviceAccountSelector))',
    message:
      'namespaces, namespaceSelector, podSelector and serviceAccountSelector do not go with assignable: only namespaces that it is assigned to use such a subnet; remove them, or assignable',
    field: '.assignable',
  },
);

/** spec of a PodSubnet. */
export const podSubnetSpec = z
  .strictObject({
    cloudSubnet: z
      .string()
      .min(1)
      .max(256)
      .exactOptional()
      .describe('the id by which the cloud knows the subnet; absent: there are cloudSubnets or a range'),
    cloudSubnets: cloudSubnets
      .exactOptional()
      .describe(
        "several subnets of the cloud: each new interface goes to the one in its node's zone with the most free addresses, and to the next when that is full",
      ),
    range: range.exactOptional(),
    default: z.boolean().default(false).describe('serves Pods that no other PodSubnet names'),
    namespaces: z.array(name).max(256).default([]).meta(listSet).describe('namespaces whose Pods use this subnet; empty: none by name'),
    namespaceSelector: labelSelector
      .exactOptional()
      .describe('in a cluster: further namespaces whose Pods use this subnet, by their labels; {}: all namespaces'),
    podSelector: labelSelector
      .exactOptional()
      .describe('in a cluster: only Pods with these labels use this subnet, of the namespaces named or selected, or of all when none are'),
    serviceAccountSelector: labelSelector
      .exactOptional()
      .describe(
        'in a cluster: only Pods whose service account has these labels use this subnet, of the namespaces named or selected, or of all when none are; with podSelector both must hold. What counts is what the labels were when the Pod was placed on its node',
      ),
    nodeSelector: labelSelector
      .exactOptional()
      .describe(
        "in a cluster: only nodes with these labels hold addresses of this subnet, such as those of the subnet's zone; absent: all nodes",
      ),
    nodeAnnotationSelector: labelSelector
      .exactOptional()
      .describe(
        'in a cluster: only nodes with these annotations, which are selected as labels are, hold addresses of this subnet; with nodeSelector both must hold; absent: whatever their annotations',
      ),
    priority: z
      .int()
      .min(-1_000_000)
      .max(1_000_000)
      .default(0)
      .describe('of several subnets that a Pod may use, those with higher numbers are tried first, then those whose name comes first'),
    assignable: z
      .boolean()
      .default(false)
      .describe(
        'in a cluster: used only by namespaces whose annotation flatpod.dev/pod-subnet names it, or says auto and is given it as a free one',
      ),
    families: z
      .array(z.literal([4, 6]))
      .min(1)
      .max(2)
      .default([4])
      .meta(listSet)
      .describe('which addresses each Pod gets: [4], [6] or [4, 6]'),
    unit: z
      .enum(['address', 'prefix'])
      .default('address')
      .describe('what is asked of the cloud: single IPv4 addresses or /28 prefixes; IPv6 is always a /80'),
    addressing: z
      .enum(['blocks', 'fixed-ips', 'ports'])
      .exactOptional()
      .describe(
        "of OpenStack: blocks (unless said otherwise): addresses are let through as address pairs of the node's interface, and reserved by ports; fixed-ips: they are further addresses of that interface, without prefixes; ports: each is a port of Neutron of its own",
      ),
    datapath: datapath
      .default('routed-veth')
      .describe(
        "how Pods are connected: routed-veth by the node's routing; ipvlan and macvlan as children of an interface of the node; nic, branch: with an interface of the cloud for each Pod alone",
      ),
    mode: mode
      .exactOptional()
      .describe('of ipvlan: l2 (unless said otherwise), l3, l3s; of macvlan: bridge (unless said otherwise), private, vepa, passthru'),
    fallback: datapath
      .extract(['routed-veth', 'ipvlan', 'macvlan'])
      .exactOptional()
      .describe("which datapath instead on nodes whose kernel lacks this one; absent: such a node's Pods are told so"),
    securityGroups: z
      .array(z.string().min(1).max(256))
      .max(64)
      .default([])
      .meta(listAtomic)
      .describe("security groups of the interfaces made for this subnet; empty: the instance's own"),
    within: z
      .array(block.refine((cidr) => cidrFamily(cidr) === 4, 'is no IPv4 block: IPv6 addresses are never bounded by this'))
      .min(1)
      .max(256)
      .exactOptional()
      .meta(listAtomic)
      .describe(
        "IPv4 blocks of the cloud subnet that are this PodSubnet's own: its Pods get addresses of these alone, and no other PodSubnet may name them; absent: the whole subnet",
      ),
    exclude: z.array(addressOrBlock).max(1024).prefault([]).meta(listAtomic).describe('addresses and blocks that no Pod gets'),
    useFirstNic: z.boolean().default(true).describe("whether the node's first interface serves Pods too, when it lies in this subnet"),
    warm: warm.prefault({}).describe('addresses that a node keeps ready'),
    perNode: perNode.prefault({}).describe('what a node may hold'),
    perCluster: perCluster.prefault({}).describe('in a cluster: what all nodes together may hold'),
  })
  .meta(together)
  .describe('which addresses: a subnet of the cloud or a range without one; which Pods use them, and how many nodes may hold');

/** status of a PodSubnet, written by the controller. */
export const podSubnetStatus = z
  .object({
    zone: z.string().max(256).exactOptional().describe("the subnet's zone, or zones with commas between: nodes elsewhere cannot use it"),
    cloudSubnets: z
      .array(z.string().max(256))
      .max(MOST_CLOUD_SUBNETS)
      .default([])
      .meta(listSet)
      .describe('the ids of the subnets that cloudSubnets names, as the cloud has them now; of more than 64 the first'),
    cidrs: z.array(block).max(128).prefault([]).meta(listAtomic).describe('the blocks the subnet has'),
    free: z.int().min(0).exactOptional().describe('addresses that nobody in the cloud holds; may lag behind'),
    held: z.int().min(0).exactOptional().describe('addresses that all nodes together hold, as perCluster.maximum counts them'),
    nodes: z.int().min(0).exactOptional().describe('nodes that hold some'),
    assignedTo: z.array(name).max(256).default([]).meta(listSet).describe('namespaces whose annotation names this assignable subnet'),
    conditions: conditions.default([]).describe('Ready: the cloud has the subnet and nodes can use it'),
  })
  .describe('what became of it');

/** A PodSubnet as it stands in a file. */
export const podSubnet = z.strictObject({
  apiVersion: z.literal('flatpod.dev/v1alpha1'),
  kind: z.literal('PodSubnet'),
  metadata,
  spec: podSubnetSpec,
});

/** A PodSubnet that was read, defaults filled in. */
export type PodSubnet = z.infer<typeof podSubnet>;
/** What the controller says about one. */
export type PodSubnetStatus = z.infer<typeof podSubnetStatus>;
