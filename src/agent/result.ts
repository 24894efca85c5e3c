/** What a runtime is told of an interface: both ends, addresses as host prefixes, the gateway all traffic goes to. */
import type { AddRequest } from '../cni/request.ts';
import type { Result } from '../cni/result.ts';
import type { PodInterface } from '../datapath/interface.ts';
import { podGateway } from '../datapath/routed-veth.ts';
import { familyOf } from '../net/address.ts';
import { hostCidr, parseCidr } from '../net/cidr.ts';

const anywhere = { 4: parseCidr('0.0.0.0/0'), 6: parseCidr('::/0') } as const;

/**
 * The result in its fullest shape; cni/result.ts puts it into that of the version asked for. Of plugins that went before us everything is kept, in
 * its place: ours comes after it (CNI specification, section 2: a plugin must output its prevResult again).
 */
export function resultOf(pod: PodInterface, { prevResult, config }: Pick<AddRequest, 'prevResult' | 'config'>): Result {
  const families = [...new Set(pod.addresses.map(familyOf))];
  const before = prevResult ?? { interfaces: [], ips: [], routes: [], dns: {} };
  const inPod = before.interfaces.length + 1;
  return {
    interfaces: [
      ...before.interfaces,
      { name: pod.hostEnd, mac: pod.hostMac, mtu: pod.mtu },
      { name: pod.ifname, mac: pod.mac, mtu: pod.mtu, sandbox: pod.netns },
    ],
    ips: [
      ...before.ips,
      ...pod.addresses.map((address) => ({ address: hostCidr(address), gateway: podGateway(familyOf(address)), interface: inPod })),
    ],
    routes: [...before.routes, ...families.map((family) => ({ dst: anywhere[family], gw: podGateway(family) }))],
    dns: { ...before.dns, ...config.dns },
  };
}
