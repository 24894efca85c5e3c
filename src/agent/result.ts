/** What a runtime is told of an interface: both ends, and the service veth's where there is one; addresses; the gateway all traffic goes to. */
import type { AddRequest } from '../cni/request.ts';
import type { Result } from '../cni/result.ts';
import type { PodInterface } from '../datapath/interface.ts';
import { anywhere, nodeGateway } from '../datapath/pod-routes.ts';
import { gatewayOf, isRoutedByNode, lengthOnLink } from '../datapath/underlay.ts';
import { type Family, familiesIn, familyOf, type Ip } from '../net/address.ts';
import { type Cidr, hostCidr } from '../net/cidr.ts';

/**
 * The result in its fullest shape; cni/result.ts puts it into that of the version asked for. Of plugins that went before us everything is kept, in
 * its place: ours comes after it (CNI specification, section 2: a plugin must output its prevResult again).
 */
export function resultOf(pod: PodInterface, { prevResult, config }: Pick<AddRequest, 'prevResult' | 'config'>): Result {
  const families = familiesIn(pod.addresses);
  const before = prevResult ?? { interfaces: [], ips: [], routes: [], dns: {} };
  const inPod = before.interfaces.length + 1;
  const hosts = { name: pod.hostEnd, mac: pod.hostMac, mtu: pod.mtu };
  const pods = { name: pod.ifname, mac: pod.mac, mtu: pod.mtu, sandbox: pod.netns };
  const serviceVeth =
    pod.datapath === 'routed-veth' ? [] : [{ name: pod.serviceVeth.name, mac: pod.serviceVeth.mac, mtu: pod.mtu, sandbox: pod.netns }];
  return {
    interfaces: [...before.interfaces, hosts, pods, ...serviceVeth],
    ips: [
      ...before.ips,
      ...pod.addresses.map((address) => {
        const { cidr, gateway } = placeOf(pod, address);
        return { address: cidr, ...(gateway !== undefined && { gateway }), interface: inPod };
      }),
    ],
    routes: [...before.routes, ...families.map((family) => routeOut(pod, family))],
    dns: { ...before.dns, ...config.dns },
  };
}

/** The address with its length as it stands on the interface, and the gateway. */
function placeOf(pod: PodInterface, address: Ip): { readonly cidr: string; readonly gateway?: Ip } {
  const gateway = gatewayTold(pod, familyOf(address));
  const cidr = pod.datapath === 'routed-veth' ? hostCidr(address) : `${address}/${lengthOnLink(pod, address)}`;
  return { cidr, ...(gateway !== undefined && { gateway }) };
}

function routeOut(pod: PodInterface, family: Family): { readonly dst: Cidr; readonly gw?: Ip } {
  const gw = gatewayTold(pod, family);
  return { dst: anywhere[family], ...(gw !== undefined && { gw }) };
}

/** What all traffic without a better way goes to; none where the node's routing decides. */
function gatewayTold(pod: PodInterface, family: Family): Ip | undefined {
  if (pod.datapath === 'routed-veth') return nodeGateway[family];
  return isRoutedByNode(pod) ? undefined : (gatewayOf(pod, family) ?? nodeGateway[family]);
}
