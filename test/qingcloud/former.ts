/**
 * What hostnic leaves on a cluster that lives: the vxnet reserved by its name, its interface on a node, and a Pod there with an address of one of its
 * blocks, connected as hostnic does it.
 */
import { createNetns } from '../../src/kernel/netns.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { eventually } from '../life/lab.ts';
import { type Place, placeAt } from '../takeover/scene.ts';
import type { Beginning } from './served-bed.ts';

/** A Pod of hostnic. */
export interface FormerPod extends Place {
  readonly address: string;
  /** It ends, with what hostnic has for it, and its IPAMBlock says so. */
  end(): void;
}

const TABLE = 260;
/** hostnic leaves the cloud the last dozen. */
const reserved = { vip_range: '10.20.1.4-10.20.1.240', count: 237 };

/** `block`: hostnic's name of it; `at`: which of its addresses the Pod has. `netns`: a name for its namespace. */
export async function formerPod(
  { ground, kube, vxnet, nodes: [node] }: Beginning,
  { block, cidr, at, netns }: { readonly block: string; readonly cidr: string; readonly at: number; readonly netns: string },
): Promise<FormerPod> {
  if (node === undefined) throw new Error('a node is wanted');
  await ground.done('AllocateVips', { vxnet_id: vxnet, ...reserved, vip_name: `hostnic_${vxnet}` });
  const { items } = (await ground.vpc.call('GET', `/v1/instances?name=${node.name}`)).body;
  const instance = `i-${String(items[0].id).slice(-8)}`;
  const [{ nic_id: mac, private_ip: own }] = (await ground.act('CreateNics', { vxnet, count: 1, nic_name: `hostnic_${instance}` })).nics;
  await ground.done('AttachNics', { instance, 'nics.1': mac });
  const address = `${cidr.slice(0, cidr.lastIndexOf('.'))}.${Number(/\.(\d+)\//.exec(cidr)?.[1]) + at}`;
  const host = placeAt(node.netns);
  const nic = await eventually(
    'the interface is there',
    () => new RegExp(`\\d+: (eth\\d+)[^\\n]*${mac}`).exec(host.sh('ip -o link'))?.[1] ?? false,
  );
  // Its bridge and ebtables come to this: the interface answers for the Pod, and what the vxnet sends leaves by it.
  host.sh(`ip link set ${nic} up; sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.${nic}.rp_filter=0 net.ipv4.conf.${nic}.arp_ignore=1
    ip addr add ${own}/32 dev ${nic}; ip route add 10.20.1.0/24 dev ${nic} table ${TABLE}; ip route add default via 10.20.1.1 dev ${nic} table ${TABLE} onlink
    ip rule add pref 1536 from 10.20.1.0/24 lookup ${TABLE}; ip rule add pref 1535 to ${address} lookup main`);
  const pod = placeAt(createNetns(netns));
  pod.sh(`ip link set lo up; ip link add eth0 type veth peer name vnic1 netns ${node.netns.split('/').at(-1)}; ip link set eth0 up
    ip addr add ${address}/32 dev eth0; ip route add 169.254.1.1 dev eth0 scope link; ip route add default via 169.254.1.1 dev eth0`);
  host.sh(`ip link set vnic1 up; ip route add ${address}/32 dev vnic1 scope link; ip neigh add proxy ${address} dev ${nic}`);
  const [, gateway] = /ether (\S+)/.exec(host.sh('ip link show vnic1')) ?? [];
  pod.sh(`ip neigh add 169.254.1.1 lladdr ${gateway} dev eth0 nud permanent`);
  const say = (allocations: readonly (0 | null)[]): void => {
    const attributes = [{ handle_id: 'h', secondary: { pod: 'former', namespace: 'shop', node: node.name, ip: address } }];
    kube.put(resources.ipamBlocks, {
      metadata: { name: block },
      spec: { id: 4100, cidr, allocations, attributes, unallocated: [], deleted: false },
    });
  };
  const size = 2 ** (32 - Number(cidr.split('/')[1]));
  say(Array.from({ length: size }, (_, i) => (i === at ? 0 : null)));
  return {
    ...pod,
    address,
    end() {
      pod.sh('ip link del eth0');
      host.sh(`ip rule del pref 1535; ip neigh del proxy ${address} dev ${nic}`);
      say(Array.from({ length: size }, () => null));
    },
  };
}
