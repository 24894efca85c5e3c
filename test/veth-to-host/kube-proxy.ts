/**
 * The rules by which kube-proxy leads a Service's address, and a port of the node, to an endpoint; in both of its dialects, with what it does besides:
 * marks to masquerade whom it does not know for a Pod, and drops what connection tracking calls invalid.
 * Sources: kubernetes/pkg/proxy/{iptables,nftables}/proxier.go.
 */
import type { Family, Place } from './wires.ts';

/** kube-proxy's modes that a host with nftables has. */
export type Mode = (typeof modes)[number];
export const modes = ['nftables', 'iptables'] as const;

/** A Service with one endpoint. */
export interface Led {
  readonly family: Family;
  /** The Service's address; its port is 80. */
  readonly service: string;
  /** Its port on every node. */
  readonly nodePort: number;
  /** Where port 8080 answers. */
  readonly endpoint: string;
  /** Who is a Pod: anybody else is masqueraded on the way to the Service. */
  readonly pods: string;
}

/** Puts the rules for that one Service in place of those of an earlier one. */
export function proxy(host: Place, mode: Mode, led: Led): void {
  if (mode === 'nftables') host.sh('nft -f -', nftables(led));
  else host.sh(`${led.family === 4 ? 'iptables' : 'ip6tables'}-nft-restore`, iptables(led));
}

function nftables({ family, service, nodePort, endpoint, pods }: Led): string {
  const ip = family === 4 ? 'ip' : 'ip6';
  return `table ${ip} kube-proxy { }
delete table ${ip} kube-proxy
table ${ip} kube-proxy {
  map service-ips { type ${family === 4 ? 'ipv4' : 'ipv6'}_addr . inet_proto . inet_service : verdict; elements = { ${service} . tcp . 80 : goto service } }
  map service-nodeports { type inet_proto . inet_service : verdict; elements = { tcp . ${nodePort} : goto external } }
  chain mark-for-masquerade { meta mark set meta mark or 0x4000; }
  chain masquerading {
    meta mark and 0x4000 == 0 return
    meta mark set meta mark xor 0x4000
    masquerade fully-random
  }
  chain endpoint {
    ${ip} saddr ${endpoint} jump mark-for-masquerade
    meta l4proto tcp dnat to ${at(family, endpoint)}
  }
  chain service {
    ${ip} daddr ${service} tcp dport 80 ${ip} saddr != ${pods} jump mark-for-masquerade
    goto endpoint
  }
  chain external {
    jump mark-for-masquerade
    goto service
  }
  chain services {
    ${ip} daddr . meta l4proto . th dport vmap @service-ips
    fib daddr type local ${ip} daddr != ${family === 4 ? '127.0.0.0/8' : '::1'} meta l4proto . th dport vmap @service-nodeports
  }
  chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }
  chain nat-output { type nat hook output priority -100; jump services; }
  chain nat-postrouting { type nat hook postrouting priority srcnat; jump masquerading; }
  chain filter-forward { type filter hook forward priority -110; ct state invalid drop; }
}
`;
}

function iptables({ family, service, nodePort, endpoint, pods }: Led): string {
  return `*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODEPORTS - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SVC-1 - [0:0]
:KUBE-EXT-1 - [0:0]
:KUBE-SEP-1 - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-SERVICES -d ${service} -p tcp -m tcp --dport 80 -j KUBE-SVC-1
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p tcp -m tcp --dport ${nodePort} -j KUBE-EXT-1
-A KUBE-EXT-1 -j KUBE-MARK-MASQ
-A KUBE-EXT-1 -j KUBE-SVC-1
-A KUBE-SVC-1 ! -s ${pods} -d ${service} -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SVC-1 -j KUBE-SEP-1
-A KUBE-SEP-1 -s ${endpoint} -j KUBE-MARK-MASQ
-A KUBE-SEP-1 -p tcp -m tcp -j DNAT --to-destination ${at(family, endpoint)}
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
COMMIT
*filter
:KUBE-FORWARD - [0:0]
-A FORWARD -j KUBE-FORWARD
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
-A KUBE-FORWARD -m mark --mark 0x4000/0x4000 -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
`;
}

function at(family: Family, endpoint: string): string {
  return family === 4 ? `${endpoint}:8080` : `[${endpoint}]:8080`;
}
