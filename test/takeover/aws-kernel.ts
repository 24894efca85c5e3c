/**
 * What the AWS plugin makes in the kernel, as lines for a shell: link by link, rule by rule, as version 1.23 makes it with netlink. What is not here, that
 * plugin has not made either (differential.test.ts compares, where its programs are given).
 */
import { createHash } from 'node:crypto';

/** Where iptables(8) writes to nftables, as of this machine, it has a table of its own for this. */
const connmark = (vpc: string): string => `table ip aws-cni {
  chain snat-mark {
    counter ip daddr ${vpc} return
    counter ct mark set ct mark or 0x80
  }
  chain nat-prerouting {
    type nat hook prerouting priority dstnat + 10; policy accept;
    fib daddr type local return
    iifname "eni*" counter jump snat-mark
    counter meta mark set ct mark and 0x80
  }
}`;

/** On the node, once: forwarding, marks and SNAT to its own address. */
export function nodeLines(vpc: string, address: string): string {
  return `sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.eth0.rp_filter=2
    ip rule add pref 1024 fwmark 0x80/0x80 lookup main
    iptables -t nat -N AWS-SNAT-CHAIN-0
    iptables -t nat -A AWS-SNAT-CHAIN-0 -d ${vpc} -j RETURN
    iptables -t nat -A AWS-SNAT-CHAIN-0 ! -o vlan+ -m addrtype ! --dst-type LOCAL -j SNAT --to-source ${address} --random-fully
    iptables -t nat -A POSTROUTING -j AWS-SNAT-CHAIN-0
    iptables -t mangle -A PREROUTING -i eth0 -m addrtype --dst-type LOCAL --limit-iface-in -j CONNMARK --set-xmark 0x80/0x80
    iptables -t mangle -A PREROUTING -i eni+ -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
    iptables -t mangle -A PREROUTING -i vlan+ -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
    nft '${connmark(vpc)}'`;
}

/** The host's end of a Pod's veth. */
export function hostEndOf(namespace: string, name: string): string {
  return `eni${createHash('sha1').update(`${namespace}.${name}`).digest('hex').slice(0, 11)}`;
}

/** In a Pod's namespace: the veth, whose other end goes to `node` (as ip(8) names a namespace), the address and the way out. */
export function podLines(address: string, hostEnd: string, node: string): string {
  return `ip link set lo up
    ip link add eth0 type veth peer name ${hostEnd} netns ${node}
    ip link set eth0 up mtu 1500
    ip addr add ${address}/32 dev eth0
    ip route add 169.254.1.1 dev eth0 scope link
    ip route add default via 169.254.1.1 dev eth0`;
}

/** On the node, for that Pod. `table`: of the further interface that the address is of. */
export function hostLines(address: string, hostEnd: string, table?: number): string {
  return `ip link set ${hostEnd} up mtu 1500
    ip route add ${address}/32 dev ${hostEnd} scope link
    ip rule add pref 512 to ${address} lookup main
    ${table === undefined ? '' : `ip rule add pref 1536 from ${address} lookup ${table}`}`;
}

/** In the Pod's namespace at last: who answers for its gateway. `hostLink`: what `ip link show` says on the node of its host's end. */
export function neighbourLine(hostLink: string): string {
  const [, mac = ''] = /ether (\S+)/.exec(hostLink) ?? [];
  return `ip neigh add 169.254.1.1 lladdr ${mac} dev eth0 nud permanent`;
}
