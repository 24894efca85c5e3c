/** What the passes over nodes and the IPClaims have to tell each other; and a node without any. */
import type { CloudNic, SubnetId } from '../../cloud/cloud.ts';
import type { Failure } from '../../errors/failure.ts';
import type { Ip } from '../../net/address.ts';
import type { Cidr } from '../../net/cidr.ts';
import type { ClaimGranted, NodeNetwork } from '../../store/node-network.ts';
import type { Stop } from '../stop.ts';
import type { NodeView } from './candidate.ts';

/** What one Pod of the node still lacks, all to be on one interface. */
export interface WantedAddresses {
  /** The Pod's uid. */
  readonly uid: string;
  /** The PodSubnet they are to be of. */
  readonly subnet: string;
  /** Of which of its subnets of the cloud; absent: of that in which `these` lie. */
  readonly cloudSubnet?: SubnetId;
  /** By value, at most one of a family. */
  readonly these: readonly Ip[];
  /** And an IPv4 address that the cloud chooses, which from then on is the claim's. */
  readonly any4: boolean;
  /** The cloud has refused to make an interface with these: one is made without, and they are assigned to it. */
  readonly isRefusedAtBirth?: boolean;
  /** What it has on the node already: the interface with those is to get the others. */
  readonly beside: readonly Ip[];
}

/** One node's share. All blocks are single addresses but those of `askBack` and `spoiled`. */
export interface NodeClaims {
  /** Addresses of claims that are to be on this node. */
  readonly here: ReadonlySet<Cidr>;
  /** Those that are on it and are wanted on another, or on another interface. */
  readonly away: ReadonlySet<Cidr>;
  /** Those of `away` that are taken without the agent's word: its node is not alive, and the Pod that had them is gone. */
  readonly forced: ReadonlySet<Cidr>;
  /** Blocks for ordinary Pods with an address that a claim asks for: they go back when nothing uses them. */
  readonly askBack: ReadonlySet<Cidr>;
  /** Such a block has just gone back: until the claim has got its address, no pool of the node grows, or the cloud might give it the same again. */
  readonly holdsGrowth: boolean;
  /** Prefixes with a claim's address in them that the agent does not know of: it never will, and those that are ours go back at once. */
  readonly spoiled: ReadonlySet<Cidr>;
  readonly wanted: readonly WantedAddresses[];
  /** What the agent is told. */
  readonly answers: readonly ClaimGranted[];
}

/** What was not even asked of the cloud, and why. */
export interface Unserved {
  readonly wanted: WantedAddresses;
  readonly stop: Stop;
}

/** The claims of a cluster. */
export interface Claims {
  /** Takes up what the node's Pods ask for that is new. Rejects never: what is wrong is in the answers. */
  heed(node: NodeNetwork, view: NodeView): Promise<void>;
  /** Takes note of what the cloud has on the node's interfaces, `nics`, and answers with the node's share. */
  on(node: NodeNetwork, nics: readonly Pick<CloudNic, 'id' | 'blocks'>[]): NodeClaims;
  /** These blocks were assigned to the node for those who wanted them. @throws Failure kube*; then they are nobody's claim. */
  assigned(node: string, wanted: readonly WantedAddresses[], blocks: readonly Cidr[]): Promise<void>;
  /** The cloud has refused these. Rejects never. */
  refused(wanted: readonly WantedAddresses[], why: Failure): Promise<void>;
  /** The cloud has refused an interface that was to be born with these; whether for their sake is found by assigning them. */
  refusedAtBirth(wanted: readonly WantedAddresses[]): void;
  /** These have to wait. Rejects never. */
  unserved(those: readonly Unserved[]): Promise<void>;
  /** These blocks are not on the node any more. @throws Failure kube* */
  left(node: string, blocks: readonly Cidr[]): Promise<void>;
  /** There is no such node any more: what its Pods asked for is forgotten. Rejects never. */
  forget(node: string): Promise<void>;
}

const nobody: NodeClaims = {
  here: new Set(),
  away: new Set(),
  forced: new Set(),
  askBack: new Set(),
  holdsGrowth: false,
  spoiled: new Set(),
  wanted: [],
  answers: [],
};

/** For a node that stands alone: there are none. */
export const noClaims: Claims = {
  heed: () => Promise.resolve(),
  on: () => nobody,
  assigned: () => Promise.resolve(),
  refused: () => Promise.resolve(),
  refusedAtBirth: () => undefined,
  unserved: () => Promise.resolve(),
  left: () => Promise.resolve(),
  forget: () => Promise.resolve(),
};
