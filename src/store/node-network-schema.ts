/**
 * NodeNetwork as the Kubernetes API has it: the schema of its CRD, and the check of what the API returns. What the fields mean to the code, and the
 * handshake between them, is told in node-network.ts. Two things are different here: the instance stands in `status`, since nobody believes an agent about
 * it, and so does the term of the controller's Lease that wrote it.
 *
 * Keys that are not known are dropped, not refused: a newer controller may have written them.
 */
import * as z from 'zod';
import type { InstanceId, NicId } from '../cloud/cloud.ts';
import { levels } from '../log.ts';
import { type Mac, tryParseMac } from '../net/mac.ts';
import { listAtomic, listMap } from './crd/rules.ts';
import { podSubnetSpec } from './pod-subnet.ts';
import { block, conditions, ip, name } from './schema-parts.ts';
import { tolerant } from './tolerant.ts';

// Limits are far beyond what nodes have: an object that is refused would stop its node. An instance has tens of NICs, each with
// tens of blocks, and up to hundreds of branches.
const BLOCKS = 16_384;
const NICS = 1024;
const SUBNETS = 1024;
const CLAIMS = 1024;
const TEXT = 32_768;

// The cloud's ids enter the program here; they are its own words, of whatever form.
const nicId = z
  .string()
  .min(1)
  .max(128)
  .transform((text) => text as NicId);
const instanceId = z
  .string()
  .min(1)
  .max(128)
  .transform((text) => text as InstanceId);
const mac = z
  .string()
  .max(17)
  .transform((text, context): Mac => {
    const parsed = tryParseMac(text);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: 'custom', message: `${JSON.stringify(text)} is no Ethernet address` });
    return z.NEVER;
  });
const blocks = z.array(block).max(BLOCKS).meta(listAtomic);
const count = z.int().min(0).max(0x7fff_ffff);
const objectName = z.string().min(1).max(253);
const uid = z.string().min(1).max(128);

const demand = z.object({
  subnet: name.describe('a PodSubnet'),
  inUse: count.describe('addresses that Pods have'),
  cooling: count.describe('addresses that were freed a moment ago and must rest'),
  waiting: count.describe('Pods on this node that have no address yet'),
});

/** A Pod that asks for an address that is its own, or its workload's. */
const claimAsked = z.object({
  namespace: name.describe("the Pod's namespace"),
  pod: objectName.describe("the Pod's name"),
  uid: uid.describe("the Pod's uid"),
  subnets: z
    .array(z.string().min(1).max(63))
    .max(SUBNETS)
    .default([])
    .meta(listAtomic)
    .describe('PodSubnets that may serve it, the first that can'),
  claim: objectName.exactOptional().describe('the IPClaim it names; absent: one of its own'),
});

const claimGranted = z.object({
  namespace: name.describe("the Pod's namespace"),
  pod: objectName.describe("the Pod's name"),
  uid: uid.describe("the Pod's uid"),
  subnet: name.exactOptional().describe('the PodSubnet they are of'),
  addresses: z.array(ip).max(2).prefault([]).meta(listAtomic).describe('its addresses, which are on this node now; no other Pod gets them'),
  problem: z.string().max(TEXT).exactOptional().describe('why it has none yet, in a sentence'),
});

/** The agent's half. */
export const nodeNetworkSpec = z
  .object({
    demand: z.array(demand).max(SUBNETS).default([]).meta(listMap('subnet')).describe('what the node needs of each PodSubnet'),
    returned: blocks.prefault([]).describe('blocks given back: none of their addresses will be used again unless they are granted anew'),
    unplugged: z.array(nicId).max(NICS).meta(listAtomic).exactOptional().describe('granted interfaces that the node does not see'),
    remembered: blocks.exactOptional().describe('blocks that an earlier object of this name granted; they are the node’s still'),
    draining: z
      .string()
      .max(256)
      .exactOptional()
      .describe('the node is leaving and gives everything back that it does not use; one word per leaving'),
    claims: z.array(claimAsked).max(CLAIMS).meta(listMap('uid')).exactOptional().describe('Pods that ask for addresses of their own'),
  })
  .describe('what the node needs; written by the agent on it');

const nic = z.object({
  id: nicId.describe("the cloud's id of the interface"),
  mac: mac.describe('its Ethernet address'),
  subnet: name.exactOptional().describe('the PodSubnet it serves; absent: it serves no Pods'),
  shared: z
    .array(z.object({ subnet: name.describe('a PodSubnet'), blocks: blocks.prefault([]).describe('those of the blocks that are its own') }))
    .max(SUBNETS)
    .meta(listMap('subnet'))
    .exactOptional()
    .describe('further PodSubnets that share the interface, each with blocks of its own'),
  deviceIndex: z.int().min(0).max(255).describe('its place on the instance, or that of its trunk; the first, 0, is the node’s own'),
  parent: z
    .string()
    .min(1)
    .max(15)
    .exactOptional()
    .describe("of a PodSubnet with a range: the node's own interface that Pods' interfaces are made on; then id and mac are made up"),
  mtu: z.int().min(68).max(65_535).describe('bytes'),
  cidr4: block.exactOptional().describe('IPv4 block of its cloud subnet'),
  cidr6: block.exactOptional().describe('IPv6 block of its cloud subnet'),
  gateway4: ip.exactOptional(),
  gateway6: ip.exactOptional(),
  primary4: ip.exactOptional().describe("the interface's own IPv4 address, which no Pod gets"),
  primary6: ip.exactOptional().describe("the interface's own IPv6 address, which no Pod gets"),
  blocks: blocks.prefault([]).describe('what Pods may get addresses from: /32, /28, /128, /80'),
  reclaiming: blocks.prefault([]).describe('blocks of those that the controller wants back'),
  claimed: blocks.exactOptional().describe('single addresses of those that belong to IPClaims'),
  use: z
    .enum(['pod', 'trunk'])
    .exactOptional()
    .describe('pod: the whole interface is for one Pod; trunk: it carries branches alone; absent: its blocks are for many Pods'),
  trunk: z
    .object({
      nic: nicId.describe('the interface whose link it is reached on'),
      vlan: z.int().min(1).max(4094).describe('by this VLAN tag'),
    })
    .exactOptional()
    .describe('absent: the interface has a link of its own'),
  multiMac: z.boolean().exactOptional().describe('the cloud lets further Ethernet addresses in and out'),
  nodeAnswers: z
    .boolean()
    .exactOptional()
    .describe('on its network nobody but the node says who has these addresses (ARP, neighbour discovery)'),
});

const growth = z.object({
  subnet: name.describe('a PodSubnet'),
  stoppedBy: z
    .enum(['none', 'instance', 'subnet', 'ceiling', 'cloud', 'switch'])
    .describe(
      'what stops this node from holding more of it: the instance type, the cloud subnet, a maximum, a failing cloud, changes switched off',
    ),
  text: z.string().max(TEXT).describe('the same as a sentence with numbers'),
});

const usable = z.object({
  name: name.describe('a PodSubnet'),
  spec: tolerant(podSubnetSpec).describe('its spec, as of when this was written'),
});

/** See NodeSettings. */
export const nodeSettings = z
  .object({
    serviceCidrs: z
      .array(block)
      .max(256)
      .meta(listAtomic)
      .exactOptional()
      .describe('Service addresses, beside those of its file: new Pods on a network of their own reach them through the node'),
    mtu: z.int().min(1280).max(65_535).exactOptional().describe("bytes: new Pods' interfaces have no higher MTU"),
    log: z.enum(levels).exactOptional().describe('the least severe lines that the agent logs, instead of what its file says'),
  })
  .describe('what the controller says beside the file that the agent was started with; it is heeded at once');

/** The controller's half. */
export const nodeNetworkStatus = z
  .object({
    instance: instanceId.exactOptional().describe("the cloud's id of the node's instance; what else stands here is about that one"),
    term: z
      .int()
      .min(0)
      .exactOptional()
      .describe('transitions of the Lease of the controller that wrote this; an earlier one cannot write any more'),
    vpcCidrs: z.array(block).max(256).prefault([]).meta(listAtomic).describe('all blocks of the VPC: destinations that need no SNAT'),
    nics: z.array(nic).max(NICS).prefault([]).meta(listMap('id')).describe('interfaces the node has, and what each may give to Pods'),
    growth: z.array(growth).max(SUBNETS).default([]).meta(listMap('subnet')).describe('why the node does not hold more'),
    subnets: z.array(usable).max(SUBNETS).meta(listMap('name')).exactOptional().describe('the PodSubnets the node may use'),
    settings: nodeSettings.exactOptional(),
    settled: z
      .string()
      .max(256)
      .exactOptional()
      .describe('the leaving (spec.draining) for which nothing is under way in the cloud any more'),
    held: count.exactOptional().describe('addresses it holds, of all PodSubnets together'),
    claims: z.array(claimGranted).max(CLAIMS).meta(listMap('uid')).exactOptional().describe('the answers to spec.claims'),
    notes: z.unknown().optional().describe('what the controller remembers for itself'),
    conditions: conditions.exactOptional().describe('Ready: the node has addresses for the Pods that are on it'),
  })
  .describe('what the node has; written by the controller');
