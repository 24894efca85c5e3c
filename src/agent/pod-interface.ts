/** From a request and a lease to the record a plan is made from. Names and MACs are derived, so that the same attachment has the same ones again. */
import { createHash } from 'node:crypto';
import type { NamedNic } from '../datapath/host-table.ts';
import { podTableOf } from '../datapath/nic.ts';
import type { PodInterface } from '../datapath/interface.ts';
import type { Ip } from '../net/address.ts';
import { localMac, type Mac } from '../net/mac.ts';
import type { KernelNumbers } from '../store/node-config.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';

/** IFNAMSIZ less the NUL (linux/if.h). */
const NAME_LENGTH = 15;

/** What of a request shapes the interface. */
export interface Wish {
  readonly container: string;
  readonly ifname: string;
  readonly netns: string;
  readonly mac: Mac | undefined;
  /** Lower than the NIC's, or absent. */
  readonly mtu: number | undefined;
  /** How many of the container's interfaces go before this one; absent: none. */
  readonly rank?: number;
}

/** The record for this wish, with these addresses of that NIC. */
export function podInterface(wish: Wish, subnet: PodSubnet, nic: NamedNic, addresses: readonly Ip[], numbers: KernelNumbers): PodInterface {
  const digest = createHash('sha256').update(`${wish.container}/${wish.ifname}`).digest();
  const { linkPrefix, protocol } = numbers;
  return {
    datapath: subnet.spec.datapath,
    netns: wish.netns,
    ifname: wish.ifname,
    mac: wish.mac ?? localMac(digest.subarray(8, 14)),
    hostEnd: linkPrefix + digest.toString('hex').slice(0, NAME_LENGTH - linkPrefix.length),
    hostMac: localMac(digest.subarray(16, 22)),
    mtu: Math.min(wish.mtu ?? nic.nic.mtu, nic.nic.mtu),
    owner: `flatpod:${wish.container}:${wish.ifname}`.slice(0, 255),
    addresses,
    ...(wish.rank !== undefined && wish.rank > 0 && { rank: wish.rank }),
    podTable: podTableOf(numbers),
    protocol,
  };
}
