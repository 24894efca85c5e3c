/** What a runtime is told of an interface: both ends, addresses as host prefixes, the gateway all traffic goes to. */
import type { Result } from '../cni/result.ts';
import type { PodInterface } from '../datapath/datapath.ts';
import { podGateway } from '../datapath/routed-veth.ts';
import { familyOf } from '../net/address.ts';
import { hostCidr, parseCidr } from '../net/cidr.ts';

const anywhere = { 4: parseCidr('0.0.0.0/0'), 6: parseCidr('::/0') } as const;

/** The result in its fullest shape; cni/result.ts puts it into that of the version asked for. */
export function resultOf(pod: PodInterface): Result {
  const families = [...new Set(pod.addresses.map(familyOf))];
  return {
    interfaces: [
      { name: pod.hostEnd, mac: pod.hostMac, mtu: pod.mtu },
      { name: pod.ifname, mac: pod.mac, mtu: pod.mtu, sandbox: pod.netns },
    ],
    ips: pod.addresses.map((address) => ({ address: hostCidr(address), gateway: podGateway(familyOf(address)), interface: 1 })),
    routes: families.map((family) => ({ dst: anywhere[family], gw: podGateway(family) })),
    dns: {},
  };
}
