/**
 * A node as the AWS plugin leaves it: its interfaces at EC2, and the kernel's state link by link, rule by rule, made with ip(8) and iptables(8) as version
 * 1.23 makes it with netlink. What is not here, that plugin has not made either (test/takeover/differential.test.ts compares, where its binaries are given).
 */
import {
  AssignPrivateIpAddressesCommand,
  AttachNetworkInterfaceCommand,
  CreateNetworkInterfaceCommand,
  CreateTagsCommand,
  DescribeNetworkInterfacesCommand,
  type NetworkInterface,
} from '@aws-sdk/client-ec2';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { eventually } from '../life/lab.ts';
import type { Container, Machine, Scene } from './scene.ts';

const VPC = '10.20.0.0/16';
const ROUTER = '10.20.0.1';
/** Where iptables(8) writes to nftables, as of this machine, it has a table of its own for this. */
const CONNMARK = `table ip aws-cni {
  chain snat-mark {
    counter ip daddr ${VPC} return
    counter ct mark set ct mark or 0x80
  }
  chain nat-prerouting {
    type nat hook prerouting priority dstnat + 10; policy accept;
    fib daddr type local return
    iifname "eni*" counter jump snat-mark
    counter meta mark set ct mark and 0x80
  }
}`;

/** A Pod that it made. */
export interface FormerPod extends Container {
  readonly name: string;
  readonly address: string;
  readonly hostEnd: string;
}

/** The node. */
export interface AwsNode {
  readonly machine: Machine;
  /** Secondary addresses of the first interface, and of the second, which are all assigned at EC2. */
  readonly addresses: readonly [first: readonly string[], second: readonly string[]];
  pod(name: string, address: string): FormerPod;
  /** Its daemon's record of those Pods, as it writes it. */
  checkpoint(...pods: readonly FormerPod[]): string;
}

/** The interfaces that its daemon has attached and tagged, and what it has set up in the node's kernel. */
export async function awsNode(scene: Scene, machine: Machine): Promise<AwsNode> {
  const { ec2 } = scene.bed;
  const found = await ec2.send(
    new DescribeNetworkInterfacesCommand({ Filters: [{ Name: 'attachment.instance-id', Values: [machine.instance] }] }),
  );
  const [first] = found.NetworkInterfaces ?? [];
  assert.ok(first?.NetworkInterfaceId);
  const tags = [{ Key: 'node.k8s.amazonaws.com/instance_id', Value: machine.instance }];
  await ec2.send(new CreateTagsCommand({ Resources: [first.NetworkInterfaceId], Tags: tags }));
  const more = { NetworkInterfaceId: first.NetworkInterfaceId, SecondaryPrivateIpAddressCount: 2 };
  await ec2.send(new AssignPrivateIpAddressesCommand(more));
  const created = await ec2.send(
    new CreateNetworkInterfaceCommand({
      SubnetId: scene.subnet,
      Description: `aws-K8S-${machine.instance}`,
      SecondaryPrivateIpAddressCount: 2,
      TagSpecifications: [{ ResourceType: 'network-interface', Tags: tags }],
    }),
  );
  const { NetworkInterfaceId = '' } = created.NetworkInterface ?? {};
  await ec2.send(new AttachNetworkInterfaceCommand({ NetworkInterfaceId, InstanceId: machine.instance, DeviceIndex: 1 }));
  const told = await ec2.send(
    new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [first.NetworkInterfaceId, NetworkInterfaceId] }),
  );
  const [one, two] = [first.NetworkInterfaceId, NetworkInterfaceId].map((id) =>
    told.NetworkInterfaces?.find((nic) => nic.NetworkInterfaceId === id),
  );
  await eventually('the second interface is plugged in', () => machine.sh('ip -o link').includes(two?.MacAddress ?? 'none'));
  setUpNode(machine, two?.PrivateIpAddress ?? '');
  const addresses = [secondariesOf(one), secondariesOf(two)] as const;
  return {
    machine,
    addresses,
    pod: (name, address) => makePod(machine, { name, address, container: scene.container() }, addresses[1].includes(address)),
    checkpoint: (...pods) => JSON.stringify({ version: 'vpc-cni-ipam/1', allocations: pods.map(allocationOf) }),
  };
}

function secondariesOf(nic: NetworkInterface | undefined): string[] {
  return (nic?.PrivateIpAddresses ?? []).flatMap(({ Primary, PrivateIpAddress = '' }) => (Primary === true ? [] : [PrivateIpAddress]));
}

/** Forwarding, marks and SNAT, and the second interface with its table. */
function setUpNode({ sh, address }: Machine, second: string): void {
  sh(`sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.eth0.rp_filter=2
      ip rule add pref 1024 fwmark 0x80/0x80 lookup main
      iptables -t nat -N AWS-SNAT-CHAIN-0
      iptables -t nat -A AWS-SNAT-CHAIN-0 -d ${VPC} -j RETURN
      iptables -t nat -A AWS-SNAT-CHAIN-0 ! -o vlan+ -m addrtype ! --dst-type LOCAL -j SNAT --to-source ${address} --random-fully
      iptables -t nat -A POSTROUTING -j AWS-SNAT-CHAIN-0
      iptables -t mangle -A PREROUTING -i eth0 -m addrtype --dst-type LOCAL --limit-iface-in -j CONNMARK --set-xmark 0x80/0x80
      iptables -t mangle -A PREROUTING -i eni+ -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
      iptables -t mangle -A PREROUTING -i vlan+ -j CONNMARK --restore-mark --nfmask 0x80 --ctmask 0x80
      ip link set eth1 up
      ip addr add ${second}/24 dev eth1
      ip route add ${ROUTER}/32 dev eth1 scope link table 2
      ip route add default via ${ROUTER} dev eth1 table 2
      ip route del 10.20.0.0/24 dev eth1
      ip rule add pref 32765 from ${second} lookup 2
      nft '${CONNMARK}'`);
}

function makePod(node: Machine, pod: { name: string; address: string; container: Container }, isOfSecond: boolean): FormerPod {
  const { name, address, container } = pod;
  const hostEnd = `eni${createHash('sha1').update(`default.${name}`).digest('hex').slice(0, 11)}`;
  const netnsName = node.netns.slice(node.netns.lastIndexOf('/') + 1);
  container.sh(`ip link set lo up
    ip link add eth0 type veth peer name ${hostEnd} netns ${netnsName}
    ip link set eth0 up mtu 1500
    ip addr add ${address}/32 dev eth0
    ip route add 169.254.1.1 dev eth0 scope link
    ip route add default via 169.254.1.1 dev eth0`);
  node.sh(`ip link set ${hostEnd} up mtu 1500
    ip route add ${address}/32 dev ${hostEnd} scope link
    ip rule add pref 512 to ${address} lookup main
    ${isOfSecond ? `ip rule add pref 1536 from ${address} lookup 2` : ''}`);
  const [, mac] = /ether (\S+)/.exec(node.sh(`ip link show ${hostEnd}`)) ?? [];
  container.sh(`ip neigh add 169.254.1.1 lladdr ${mac} dev eth0 nud permanent`);
  return { ...container, name, address, hostEnd };
}

function allocationOf({ id, name, address }: FormerPod): object {
  const key = { networkName: 'aws-cni', containerID: id, ifName: 'eth0' };
  return {
    ...key,
    ipv4: address,
    allocationTimestamp: 1_700_000_000_000_000_000,
    metadata: { k8sPodNamespace: 'default', k8sPodName: name },
  };
}
