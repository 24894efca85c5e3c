/** The CustomResourceDefinitions, made from the schemas that the code parses with. */
import type * as z from 'zod';
import { addressLedgerSpec } from '../address-ledger.ts';
import { ipClaimSpec, ipClaimStatus } from '../ip-claim.ts';
import { nodeNetworkSpec, nodeNetworkStatus } from '../node-network-schema.ts';
import { podSubnetSpec, podSubnetStatus } from '../pod-subnet.ts';
import { rules } from './rules.ts';
import { structural } from './structural.ts';

const GROUP = 'flatpod.dev';
const VERSION = 'v1alpha1';

interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'date';
  readonly jsonPath: string;
  readonly description: string;
  /** Shown with -o wide only. */
  readonly wide?: boolean;
}

interface Kind {
  readonly kind: string;
  readonly plural: string;
  readonly short: string;
  readonly scope: 'Cluster' | 'Namespaced';
  readonly description: string;
  readonly spec: z.ZodType;
  /** No person writes it: what types and limits say is enough, and rules for each of thousands of entries would cost too much. */
  readonly byPrograms?: true;
  /** Absent: it has none. */
  readonly status?: z.ZodType;
  /** Whether an object without spec makes sense. */
  readonly mayBeEmpty: boolean;
  /** Longest name, where it is limited more than Kubernetes does. */
  readonly longestName?: number;
  readonly columns: readonly Column[];
}

const ready: Column = {
  name: 'Ready',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].status',
  description: 'whether all is as the spec wants it',
};
const problem: Column = {
  name: 'Message',
  type: 'string',
  jsonPath: '.status.conditions[?(@.type=="Ready")].message',
  description: 'why it is, or is not, ready',
  wide: true,
};
const age: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp', description: 'since when the object exists' };

const podSubnet: Kind = {
  kind: 'PodSubnet',
  plural: 'podsubnets',
  short: 'psn',
  scope: 'Cluster',
  description:
    'A PodSubnet lets Pods use a subnet of the cloud: it says which one, which Pods, and how many addresses nodes hold ready. Pods get addresses of the first PodSubnet that has one for them: those that the annotation flatpod.dev/pod-subnet of their namespace names, else those that name or select them, else the defaults.',
  spec: podSubnetSpec,
  status: podSubnetStatus,
  mayBeEmpty: false,
  longestName: 63,
  columns: [
    { name: 'Cloud-Subnet', type: 'string', jsonPath: '.spec.cloudSubnet', description: 'the id by which the cloud knows it' },
    { name: 'Zone', type: 'string', jsonPath: '.status.zone', description: 'nodes elsewhere cannot use it' },
    { name: 'Default', type: 'boolean', jsonPath: '.spec.default', description: 'serves Pods that no other PodSubnet names' },
    { name: 'Held', type: 'integer', jsonPath: '.status.held', description: 'addresses that all nodes together hold' },
    { name: 'Free', type: 'integer', jsonPath: '.status.free', description: 'addresses that nobody in the cloud holds' },
    { name: 'Nodes', type: 'integer', jsonPath: '.status.nodes', description: 'nodes that hold some' },
    ready,
    { name: 'Priority', type: 'integer', jsonPath: '.spec.priority', description: 'higher is tried first', wide: true },
    { name: 'Parent', type: 'string', jsonPath: '.spec.range.parent', description: 'of a range: the interface it is on', wide: true },
    {
      name: 'Cloud-Subnets',
      type: 'string',
      jsonPath: '.status.cloudSubnets',
      description: 'of several: the ids by which the cloud knows them',
      wide: true,
    },
    { name: 'Unit', type: 'string', jsonPath: '.spec.unit', description: 'what is asked of the cloud', wide: true },
    { name: 'Per-Node', type: 'integer', jsonPath: '.spec.perNode.maximum', description: 'what a node may hold', wide: true },
    {
      name: 'Assigned-To',
      type: 'string',
      jsonPath: '.status.assignedTo',
      description: 'namespaces that have it for themselves',
      wide: true,
    },
    problem,
    age,
  ],
};

const nodeNetwork: Kind = {
  kind: 'NodeNetwork',
  plural: 'nodenetworks',
  short: 'nn',
  scope: 'Cluster',
  description:
    'A NodeNetwork, named like its Node, is where the agent on a node and the controller meet: the agent writes in spec what the node needs and what it gives back, the controller writes in status what the node has. People read it; nobody edits it.',
  spec: nodeNetworkSpec,
  status: nodeNetworkStatus,
  mayBeEmpty: true,
  columns: [
    { name: 'Instance', type: 'string', jsonPath: '.status.instance', description: "the cloud's id of the node" },
    { name: 'Held', type: 'integer', jsonPath: '.status.held', description: 'addresses the node holds' },
    ready,
    { name: 'Draining', type: 'string', jsonPath: '.spec.draining', description: 'set while the node leaves', wide: true },
    problem,
    age,
  ],
};

const ipClaim: Kind = {
  kind: 'IPClaim',
  plural: 'ipclaims',
  short: 'ipc',
  scope: 'Namespaced',
  description:
    'An IPClaim keeps addresses for a workload: for one Pod by name (a StatefulSet’s), or for the Pods that a selector chooses. They outlive the Pods, and move with them between nodes. The controller makes one for a Pod that has the annotation flatpod.dev/ip: fixed, or flatpod.dev/ip: ADDRESS.',
  spec: ipClaimSpec,
  status: ipClaimStatus,
  mayBeEmpty: false,
  columns: [
    { name: 'Address', type: 'string', jsonPath: '.status.addresses[0].address', description: 'the first address' },
    { name: 'Count', type: 'integer', jsonPath: '.spec.count', description: 'Pods that can have one at a time' },
    { name: 'Phase', type: 'string', jsonPath: '.status.addresses[0].phase', description: 'how the first address stands' },
    { name: 'Pod', type: 'string', jsonPath: '.status.addresses[0].pod', description: 'who has the first address, or had it last' },
    { name: 'Node', type: 'string', jsonPath: '.status.addresses[0].node', description: 'where the first address is' },
    { name: 'Reclaim', type: 'string', jsonPath: '.spec.reclaim', description: 'what happens when no Pod has it' },
    ready,
    {
      name: 'Subnet',
      type: 'string',
      jsonPath: '.status.addresses[0].subnet',
      description: 'the PodSubnet of the first address',
      wide: true,
    },
    problem,
    age,
  ],
};

const addressLedger: Kind = {
  kind: 'AddressLedger',
  plural: 'addressledgers',
  short: 'al',
  scope: 'Cluster',
  description:
    'An AddressLedger says which node has which addresses of ranges (spec.range of PodSubnets): one for each slice of 4096 addresses, or of 4096 /80s, that somebody has something of. The controller that leads writes it before it gives anything. Nobody edits it: what is missing in it may be given twice.',
  spec: addressLedgerSpec,
  byPrograms: true,
  mayBeEmpty: false,
  columns: [{ name: 'Slice', type: 'string', jsonPath: '.spec.slice', description: 'the addresses it is about' }, age],
};

/** File name → CustomResourceDefinition. */
export function definitions(): Map<string, object> {
  return new Map([podSubnet, nodeNetwork, ipClaim, addressLedger].map((kind) => [`${GROUP}_${kind.plural}.yaml`, definition(kind)]));
}

function definition({ kind, plural, short, scope, columns, ...rest }: Kind): object {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${GROUP}` },
    spec: {
      group: GROUP,
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), shortNames: [short], categories: ['flatpod'] },
      scope,
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          ...(rest.status !== undefined && { subresources: { status: {} } }),
          additionalPrinterColumns: columns.map(({ wide, ...column }) => ({ ...column, ...(wide && { priority: 1 }) })),
          schema: { openAPIV3Schema: rootOf(rest) },
        },
      ],
    },
  };
}

function rootOf({
  description,
  spec,
  status,
  mayBeEmpty,
  longestName,
  byPrograms,
}: Pick<Kind, 'description' | 'spec' | 'status' | 'mayBeEmpty' | 'longestName' | 'byPrograms'>): object {
  const tooLong = `metadata.name has more than ${longestName} characters: choose a shorter one`;
  return {
    type: 'object',
    description,
    ...(!mayBeEmpty && { required: ['spec'] }),
    ...(longestName !== undefined && rules({ rule: `size(self.metadata.name) <= ${longestName}`, message: tooLong })),
    properties: {
      apiVersion: { type: 'string', description: `${GROUP}/${VERSION}` },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: structural(spec, byPrograms !== true),
      ...(status !== undefined && { status: structural(status, false) }),
    },
  };
}
