/** What an import makes: our documents, as they will stand in files, and the addresses that living Pods of the former system have. */
import type { Ip } from '../net/address.ts';

/** A document of ours. Fields that are undefined are left out. */
export interface Made {
  readonly kind: 'NodeConfig' | 'ControllerConfig' | 'PodSubnet' | 'IPClaim';
  readonly name: string;
  /** Of an IPClaim. */
  readonly namespace?: string;
  readonly spec: Readonly<Record<string, unknown>>;
  /** Where it comes from, for people. */
  readonly comment: string;
}

/** An address that a Pod of the former system has: nobody else may get it while that Pod lives. */
export interface Kept {
  readonly address: Ip;
  readonly namespace: string;
  readonly pod: string;
  /** Empty when the dump does not say. */
  readonly node: string;
  /** The PodSubnet whose addresses it is among; empty: none. */
  readonly subnet: string;
}

/** All of it. */
export interface Imported {
  readonly made: readonly Made[];
  readonly kept: readonly Kept[];
  /** Values of the chart's agent that no document has a field for. */
  readonly agent?: Readonly<Record<string, unknown>>;
}

/** `warm` of a PodSubnet, and the room on a node for what is to be kept ready, where that is more than the usual 250. */
export function warmFields(warm: {
  readonly spare?: number;
  readonly minimum?: number;
  readonly spareNics?: number;
}): Record<string, unknown> {
  const most = Math.max(warm.spare ?? 0, warm.minimum ?? 0);
  return { ...(Object.keys(warm).length > 0 && { warm }), ...(most > 250 && { perNode: { maximum: most } }) };
}
