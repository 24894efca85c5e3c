/** The network behind the API, as the rest of the VPC sees it. */
import type { NicId } from '../../cloud/cloud.ts';
import type { State } from '../model/objects.ts';

/** Why a packet was dropped. */
export type DropReason =
  | 'SourceMac'
  | 'SourceAddress'
  | 'ArpSpoof'
  | 'NdSpoof'
  | 'UnknownMac'
  | 'NotAssigned'
  | 'NobodyHasAddress'
  | 'SecurityGroupEgress'
  | 'SecurityGroupIngress'
  | 'NoPublicAddress'
  | 'InvalidState'
  | 'UnknownVlan'
  | 'NotCarried';

/** Packets dropped for one reason at one NIC because of one address, since the fabric was built. */
export interface Drop {
  readonly reason: DropReason;
  readonly nic?: NicId;
  /** The address, or Ethernet address, in question. */
  readonly address?: string;
  readonly packets: number;
  readonly text: string;
}

/** The network behind the API. */
export interface Fabric {
  readonly state: 'ready' | 'failed' | 'none';
  /** Makes the network what the state says; may be called again after a failure. Never two at once. @throws Failure vpcFabric. */
  sync(state: State): Promise<void>;
  drops(): Drop[];
  /** NICs that the last sync plugged in and that are gone since: their namespace died with them inside. Cheap: one dump of links. */
  lost(): NicId[];
  /** Leaves the network as it is. */
  close(): void;
  /** Removes all of it. */
  destroy(): Promise<void>;
}

/** For those who want the API alone: nothing is plugged, nothing dropped. */
export const noFabric: Fabric = {
  state: 'none',
  sync: () => Promise.resolve(),
  drops: () => [],
  lost: () => [],
  close: () => {},
  destroy: () => Promise.resolve(),
};
