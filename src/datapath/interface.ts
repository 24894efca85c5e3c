/** A Pod's interface: the record that every plan is made from. */
import type { Ip } from '../net/address.ts';
import type { Mac } from '../net/mac.ts';

/**
 * All that a plan depends on, stored with the attachment: the plan made today from this record equals the one that was applied,
 * whatever the configuration says by then.
 */
export interface PodInterface {
  readonly datapath: DatapathName;
  /** Path of the Pod's network namespace. */
  readonly netns: string;
  readonly ifname: string;
  readonly mac: Mac;
  readonly hostEnd: string;
  readonly hostMac: Mac;
  readonly mtu: number;
  /** The host end's alias. */
  readonly owner: string;
  readonly addresses: readonly Ip[];
  /** Of a container with several interfaces: how many go before this one where it leaves for anywhere. Absent: none. */
  readonly rank?: number;
  /** Routing table that leads to the node's Pods. */
  readonly podTable: number;
  /** rtnetlink protocol of its routes. */
  readonly protocol: number;
}

/** Every datapath there is. */
export type DatapathName = 'routed-veth';
