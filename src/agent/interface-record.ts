/** The record of an attachment's interface, made once its addresses are known. */
import type { AddRequest } from '../cni/request.ts';
import type { NamedNic } from '../datapath/host-table.ts';
import { type AttachedInterface, isMade, type PodInterface } from '../datapath/interface.ts';
import { failure } from '../errors/failure.ts';
import type { Ip } from '../net/address.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { freeRank } from './free-rank.ts';
import type { CloudPart, NodeAgent } from './node-agent.ts';
import { podInterface } from './pod-interface.ts';
import { type Way, wayOf } from './way.ts';

/** Addresses for an attachment, and whose they are. */
export interface Leased {
  readonly subnet: PodSubnet;
  readonly nic: NamedNic;
  readonly addresses: readonly Ip[];
}

/** From what was leased to the record a plan is made from. @throws Failure when the Pod cannot be connected so. */
export type RecordOf<I extends AttachedInterface> = (leased: Leased) => I;

/** By the datapath of the PodSubnet, among the container's other interfaces. It throws Failure kindUnsupported, macsRefused, notABranch, macNotChosen, parentBusy. */
export function recordByDatapath(node: NodeAgent, cloud: CloudPart, request: AddRequest): RecordOf<PodInterface> {
  return ({ subnet, nic, addresses }) => {
    const { container, ifname, calledAs, netns, mac } = request;
    const mtu = lower(request.config.mtu, cloud.grants.status?.settings?.mtu);
    const way = wayOf(subnet, nic.nic, cloud.hasKind);
    refuseOtherMode(node, nic.link, way);
    const others = node.attachments
      .list()
      .filter((one) => one.container === container)
      .map((one) => one.interface)
      .filter(isMade);
    const wish = { container, ifname, calledAs, netns, mac, mtu, rank: freeRank(others), others };
    return podInterface(wish, way, nic, addresses, { numbers: cloud.config.numbers, viaNode: cloud.grants.viaNode });
  };
}

function lower(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

/** The mode of ipvlan is the parent's: a child of another mode would change it for all that are there (ipvlan_set_port_mode() in drivers/net/ipvlan/ipvlan_main.c). */
function refuseOtherMode(node: NodeAgent, parent: string, way: Way): void {
  if (way.datapath !== 'ipvlan') return;
  const isOther = (pod: AttachedInterface): boolean =>
    pod.datapath === 'ipvlan' && pod.underlay.parent === parent && pod.underlay.of?.type === 'ipvlan' && pod.underlay.of.mode !== way.mode;
  if (node.attachments.list().some((one) => isOther(one.interface)))
    throw failure('parentBusy', { parent, object: `ipvlan ${way.mode} beside Pods of another mode` });
}
