/** What IPClaims ask of one node, and how the passes over nodes tell what became of it. */
import type { Ip } from '../../net/address.ts';
import type { Cidr } from '../../net/cidr.ts';
import type { ClaimGranted, NodeNetwork } from '../../store/node-network.ts';

/** An address to be assigned to the node for a Pod that is on it. */
export interface WantedAddress {
  /** The Pod's uid. */
  readonly uid: string;
  /** The PodSubnet it is to be of. */
  readonly subnet: string;
  /** Absent: any, which from then on is the claim's. */
  readonly address?: Ip;
}

/** One node's share. */
export interface NodeClaims {
  /** Addresses of claims that are to be on this node. */
  readonly here: ReadonlySet<Cidr>;
  /** Those that are on it and are wanted on another. */
  readonly away: ReadonlySet<Cidr>;
  /** Those of `away` that are taken without the agent's word: its node is not alive, and the Pod that had them is gone. */
  readonly forced: ReadonlySet<Cidr>;
  readonly wanted: readonly WantedAddress[];
  /** What the agent is told. */
  readonly answers: readonly ClaimGranted[];
}

/** The claims of a cluster. */
export interface Claims {
  /** Takes up what the node's Pods ask for that is new. Rejects never: what is wrong is in the answers. */
  heed(node: NodeNetwork): Promise<void>;
  /** What is known of the node's share now. */
  on(node: NodeNetwork): NodeClaims;
  /** These blocks were assigned to the node for those who wanted them. @throws Failure kube*; then they are nobody's claim. */
  assigned(node: string, wanted: readonly WantedAddress[], blocks: readonly Cidr[]): Promise<void>;
  /** These could not be assigned. */
  refused(wanted: readonly WantedAddress[], why: string): void;
  /** These blocks are not on the node any more. @throws Failure kube* */
  left(node: string, blocks: readonly Cidr[]): Promise<void>;
}

const nobody: NodeClaims = { here: new Set(), away: new Set(), forced: new Set(), wanted: [], answers: [] };

/** For a node that stands alone: there are none. */
export const noClaims: Claims = {
  heed: () => Promise.resolve(),
  on: () => nobody,
  assigned: () => Promise.resolve(),
  refused: () => undefined,
  left: () => Promise.resolve(),
};
