/** What every part of the controller is handed. */
import type { Clock } from '../cloud/clock.ts';
import type { Cloud } from '../cloud/cloud.ts';
import type { Log } from '../log.ts';
import type { NodeNetworks, NodeSettings } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import type { Claims } from './claims/claims.ts';
import type { Holdings } from './holdings.ts';
import type { ReadFacts } from './facts.ts';
import type { Plan } from './plan.ts';
import type { RangeRooms } from './range-rooms.ts';
import type { Situation } from './situation.ts';

/** All in milliseconds. */
export interface Timings {
  /** Gathers a burst of changes into one pass. */
  readonly debounce_ms: number;
  /** Everything is read again after this long. */
  readonly fullRead_ms: number;
  /** For so long our own writes are believed over a read. */
  readonly settle_ms: number;
  /** Between the two reads that prove a grant gone. */
  readonly confirm_ms: number;
  /** A NIC younger than this is not deleted. */
  readonly nicAge_ms: number;
  /** A block asked back and not returned for this long is taken to be in use; an interface that the node lacks for this long, to be of no use to it. */
  readonly stuck_ms: number;
  /** Since it was asked back; so long others are asked for first. */
  readonly kept_ms: number;
  /** Between two sweeps for NICs nobody owns. */
  readonly sweep_ms: number;
  /** A NIC younger than this is not swept. */
  readonly sweepAge_ms: number;
}

/** What a controller runs with unless a test says otherwise. */
export const usualTimings: Timings = {
  debounce_ms: 20,
  fullRead_ms: 180_000,
  settle_ms: 60_000,
  confirm_ms: 5_000,
  nicAge_ms: 60_000,
  stuck_ms: 60_000,
  kept_ms: 900_000,
  sweep_ms: 90_000,
  sweepAge_ms: 300_000,
};

/** The controller’s surroundings. */
export interface World {
  readonly cluster: string;
  readonly networks: NodeNetworks;
  /** The PodSubnets that node may use now. */
  readonly subnets: (node: string) => readonly PodSubnet[];
  /** Why nothing is asked for that PodSubnet, for the sake of another; undefined: it is in nobody's way. */
  readonly clash: (subnet: PodSubnet) => string | undefined;
  /** Whether agents are told of them: in a cluster they know no others. */
  readonly tellSubnets: boolean;
  /** IPClaims. */
  readonly claims: Claims;
  /** What all nodes hold. */
  readonly holdings: Holdings;
  /** What the node may hold of the PodSubnet beside its own ceiling; undefined: there is no such limit. */
  readonly share: (node: string, subnet: string) => number | undefined;
  /**
   * The most interfaces of an instance by somebody's own word, its first included, of all PodSubnets together (perNode.interfaces is of one); undefined: as
   * many as the cloud says. Asked at each pass, as it changes while what the cloud said is remembered for minutes.
   */
  readonly nicsPerInstance: () => number | undefined;
  /**
   * Whether that word is not read yet, as for a moment whenever another begins to lead: until it is no interface is made or attached, and nobody is told what
   * a node could hold or what stops it, for either would be of a limit that there is not.
   */
  readonly isUnread: () => boolean;
  /** What every node is told beside its own configuration; undefined: not known yet, so that what it was told before goes on. */
  readonly nodeSettings: () => NodeSettings | undefined;
  /** Called after each plan. */
  readonly observe: (situation: Situation, plan: Plan) => void;
  /** Sharing out ranges. */
  readonly ranges: RangeRooms;
  readonly cloud: Cloud;
  /** Whether anything is given back to it. */
  readonly releases: boolean;
  readonly facts: ReadFacts;
  readonly log: Log;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly timings: Timings;
}
