/** Everything a plan is made from: what the node asks for, what it was told, what the cloud has, what may not be asked of the cloud now. */
import type { CloudInstance, CloudNetwork, CloudNic, CloudSubnet, NicId, SubnetId } from '../cloud/cloud.ts';
import type { Cidr } from '../net/cidr.ts';
import type { GrantedNic, NodeNetworkSpec } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import type { NodeClaims } from './claims/claims.ts';
import type { Facts } from './facts.ts';
import type { Elsewhere } from './holdings.ts';
import type { NicIntent } from './notes.ts';
import type { RangeStanding } from './range-rooms.ts';
import type { Stop } from './stop.ts';
import type { Missing } from './vanished.ts';

/** One node at one moment. */
export interface Situation {
  readonly cluster: string;
  readonly node: string;
  readonly spec: NodeNetworkSpec;
  /** The NICs of the last status: what the agent was told. */
  readonly granted: readonly GrantedNic[];
  readonly intents: readonly NicIntent[];
  readonly foreign: ReadonlySet<Cidr>;
  readonly subnets: readonly PodSubnet[];
  /** Those of them whose blocks others have, and whose; nothing more is asked for these. */
  readonly clashes: ReadonlyMap<string, string>;
  readonly instance: CloudInstance;
  readonly network: CloudNetwork;
  readonly cloudSubnets: ReadonlyMap<SubnetId, CloudSubnet>;
  /** Which of them PodSubnets that name theirs by tags have now. */
  readonly tagged: Facts['tagged'];
  /** Subnets that had nothing left a while ago, and what the cloud said. */
  readonly fullSubnets: ReadonlyMap<SubnetId, Stop>;
  /** All NICs of the instance, and ours that are not attached. */
  readonly nics: readonly CloudNic[];
  /** When they were last read in full. */
  readonly read_ms: number;
  readonly missing: Missing;
  /** Interfaces that the node has missed for so long that it will not see them any more, although the cloud calls them attached: the first few. */
  readonly lacked: ReadonlySet<NicId>;
  /** Blocks asked back so long ago that they must be in use. */
  readonly stuck: ReadonlySet<Cidr>;
  /** Blocks that were so once, and until when they are taken to be in use still: others are asked for first, and of these the one of longest ago. */
  readonly keptUntil_ms: ReadonlyMap<Cidr, number>;
  /** Blocks the agent returned while its own numbers said that they must be in use: not believed until it takes them off its list. */
  readonly doubted: ReadonlySet<Cidr>;
  /** PodSubnets for which nothing more is asked now, and why. */
  readonly growthStopped: ReadonlyMap<string, Stop>;
  /** How many blocks may be asked for at once where more did not fit. */
  readonly mostAtOnce: ReadonlyMap<string, number>;
  /** Whether anything is ever given back to the cloud (spec.cloud.releases). */
  readonly releases: boolean;
  /** Whether the last full read shows whatever a controller before this one has called. */
  readonly isSettled: boolean;
  /** Whether nothing is taken away now. */
  readonly shrinkStopped: boolean;
  /** Whether no interface is detached now. */
  readonly detachStopped: boolean;
  /** Set: no call at all is made now. */
  readonly stopped: Stop | undefined;
  readonly claims: NodeClaims;
  /** What this node may hold at the most, where that is limited beside perNode.maximum, by PodSubnet. */
  readonly shares: ReadonlyMap<string, number>;
  /** What other nodes hold of PodSubnets that have a ceiling for all nodes together, by name. */
  readonly elsewhere: ReadonlyMap<string, Elsewhere>;
  /** How the node stands with PodSubnets that have ranges, by name. */
  readonly ranges: ReadonlyMap<string, RangeStanding>;
  readonly now_ms: number;
  readonly limits: PlanLimits;
}

/** Ages before something is taken away, in milliseconds. */
export interface PlanLimits {
  /** A NIC younger than this is not deleted. */
  readonly nicAge_ms: number;
  /** An intent no read shows a NIC of is given up when it is older than this. */
  readonly settle_ms: number;
}
