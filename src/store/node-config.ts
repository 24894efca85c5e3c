/** NodeConfig: the first document of a standalone configuration file: which cloud, and how this node's kernel is used. */
import * as z from 'zod';
import { levels } from '../log.ts';
import { cloud } from './clouds.ts';
import { addressOrBlock, block, metadata } from './schema-parts.ts';

const cluster = z.strictObject({
  kubeconfig: z
    .string()
    .regex(/^\/./, 'an absolute path')
    .optional()
    .describe("how the API server is reached; absent: by the Pod's own service account"),
});

/** Numbers by which Flatpod marks what is its own in the kernel; the defaults are clear of those that other programs are known to use. */
const numbers = z.strictObject({
  protocol: z.int().min(80).max(255).default(114).describe('rtnetlink protocol of all our routes and rules'),
  priorityToPod: z.int().min(2).max(32765).default(700).describe('rule: everything → table of Pods'),
  priorityMark: z.int().min(2).max(32765).default(720).describe("rule: by connection mark → the interface's table"),
  priorityToServiceVeth: z
    .int()
    .min(2)
    .max(32765)
    .default(730)
    .describe('rule: everything → table of Pods that are reached by a service veth; after marks, so that replies leave as requests came'),
  priorityFromPod: z.int().min(2).max(32765).default(740).describe('rule: from addresses of an interface → its table'),
  firstTable: z
    .int()
    .min(256)
    .max(0x7fff_0000)
    .default(7000)
    .describe(
      'table of Pods; this + n: table of the interface with device index n (the first interface uses main); this + 64: table of Pods that are reached by a service veth',
    ),
  markMask: z.int().min(1).max(0xffff_ffff).default(0x6e).describe('mark bits that hold the number of an interface (0x6e)'),
  snatMark: z.int().min(1).max(0xffff_ffff).default(0x1000).describe('mark bit of connections that leave the VPC (0x1000)'),
  linkPrefix: z
    .string()
    .regex(/^[a-z]{2,4}$/)
    .default('fp')
    .describe('first letters of host-side links'),
});

const snat = z.strictObject({
  enabled: z.boolean().default(true).describe("false: Pods leave the VPC with their own addresses, by their own interface's gateway"),
  exclude: z.array(block).default([]).describe('destinations outside of the VPC that are reached without SNAT'),
});

/** spec of a NodeConfig. */
const nodeConfigSpec = z.strictObject({
  node: z.string().min(1).max(63).optional().describe("this node's name; the host name when absent"),
  instance: z.string().min(1).optional().describe("standalone: the cloud's id of this instance"),
  cloud: cloud.optional().describe('standalone: which cloud, and how it is reached'),
  cluster: cluster.optional().describe('instead of these two, on a node of a cluster: the controller there asks the cloud'),
  numbers: numbers
    .prefault({})
    .describe('what marks our own things in the kernel; the agent and all that reads the kernel must agree on them'),
  snat: snat.prefault({}).describe('which source address Pods have outside of the VPC'),
  cooldown_s: z.int().min(0).max(86_400).default(180).describe("how long a freed address rests; conntrack's SYN_SENT memory is 120 s"),
  conflictRest_s: z
    .int()
    .min(0)
    .max(86_400)
    .default(600)
    .describe(
      'how long an address of a range rests that somebody else was found to have on the network; 0: the network is not asked before a Pod uses an address',
    ),
  addressWait_s: z.int().min(0).max(60).default(10).describe('how long an ADD waits for an address that is being granted'),
  runtimeSocket: z
    .string()
    .regex(/^\/./, 'an absolute path, such as /run/containerd/containerd.sock')
    .max(107, 'a socket has a path of at most 107 bytes')
    .optional()
    .describe(
      "the container runtime's CRI socket, such as `/run/containerd/containerd.sock`; with it, Pods that the runtime has forgotten are released",
    ),
  sweepEvery_s: z.int().min(1).max(3600).default(15).describe('how often the agent looks for Pods that went without a DEL'),
  sweepGrace_s: z
    .int()
    .min(1)
    .max(86_400)
    .default(60)
    .describe("how long a Pod's namespace, or its sandbox in the runtime's list, must be missing before its addresses are released"),
  serviceCidrs: z
    .array(block)
    .default([])
    .describe(
      'Service addresses: Pods on a network of their own (ipvlan, macvlan, nic, branch) reach them through their node. A controller that serves the settings of hostnic adds theirs',
    ),
  viaNode: z
    .array(addressOrBlock)
    .max(64)
    .default([])
    .describe('further destinations that such Pods reach through their node, such as the address of NodeLocal DNSCache'),
  log: z
    .enum(levels)
    .default('info')
    .describe('the least severe lines that are logged. A controller that serves the settings of hostnic may say another'),
});

/** A NodeConfig as it stands in a file. */
export const nodeConfig = z.strictObject({
  apiVersion: z.literal('flatpod.dev/v1alpha1'),
  kind: z.literal('NodeConfig'),
  metadata,
  spec: nodeConfigSpec,
});

/** A NodeConfig that was read, defaults filled in. */
export type NodeConfig = z.infer<typeof nodeConfig>;
/** The numbers in the kernel that are ours. */
export type KernelNumbers = NodeConfig['spec']['numbers'];
