/** Pods whose addresses the AWS plugin has out of prefixes: out of a /28 on a further interface, and in an IPv6 cluster out of the /80 of the first. */
import assert from 'node:assert/strict';
import {
  AssignIpv6AddressesCommand,
  AssignPrivateIpAddressesCommand,
  DescribeNetworkInterfacesCommand,
  type NetworkInterface,
} from '@aws-sdk/client-ec2';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { addToIp, parseIp } from '../../src/net/address.ts';
import { contains, parseCidr } from '../../src/net/cidr.ts';
import { awsNode } from './as-aws-node.ts';
import { hostEndOf, hostLines, neighbourLine, podLines } from './aws-kernel.ts';
import { type AgentNode, type Container, type Machine, type Scene, scene } from './scene.ts';

const SECOND_TABLE = 2;

interface Former extends Container {
  readonly address: string;
  readonly hostEnd: string;
}

async function interfacesOf({ bed }: Scene, { instance }: Machine): Promise<NetworkInterface[]> {
  const Filters = [{ Name: 'attachment.instance-id', Values: [instance] }];
  const { NetworkInterfaces = [] } = await bed.ec2.send(new DescribeNetworkInterfacesCommand({ Filters }));
  return NetworkInterfaces.toSorted((a, b) => (a.Attachment?.DeviceIndex ?? 0) - (b.Attachment?.DeviceIndex ?? 0));
}

/** Takes the one Pod over, as its daemon has it in the record. */
function takeOver(node: AgentNode, { id }: Former, address: { ipv4: string } | { ipv6: string }): string {
  const metadata = { k8sPodNamespace: 'default', k8sPodName: 'web-0' };
  const allocation = { networkName: 'aws-cni', containerID: id, ifName: 'eth0', ...address, metadata };
  const file = join(node.dir, 'ipam.json');
  writeFileSync(file, JSON.stringify({ version: 'vpc-cni-ipam/1', allocations: [allocation] }));
  const { status, stdout, stderr } = node.flatpod('takeover', 'aws-node', '--checkpoint', file);
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

/** All of the node's kernel that names the address or the host end. */
function leftOf({ sh }: Machine, { address, hostEnd }: Former): string[] {
  const lines = sh(
    'ip -o link; ip rule; ip -6 rule; ip route show table all; ip -6 route show table all; ip neigh; nft list ruleset',
  ).split('\n');
  return lines.filter((line) => line.includes(hostEnd) || line.split(/[ /]/).includes(address));
}

test('a Pod with an address out of a /28 of the AWS plugin’s further interface keeps it until it ends, and no new Pod gets one of that prefix', async () => {
  await using at = await scene();
  const [machine, vm] = [await at.launch('node'), await at.launch('vm')];
  await awsNode(at, machine);
  const second = (await interfacesOf(at, machine))[1]?.NetworkInterfaceId ?? '';
  await at.bed.ec2.send(new AssignPrivateIpAddressesCommand({ NetworkInterfaceId: second, Ipv4PrefixCount: 1 }));
  const prefix = (await interfacesOf(at, machine))[1]?.Ipv4Prefixes?.[0]?.Ipv4Prefix ?? '';
  const address = String(addToIp(parseIp(prefix.replace(/\/28$/, '')), 5));
  const container = at.container();
  const hostEnd = hostEndOf('default', 'web-0');
  container.sh(podLines(address, hostEnd, machine.netns.slice(machine.netns.lastIndexOf('/') + 1)));
  machine.sh(hostLines(address, hostEnd, SECOND_TABLE));
  container.sh(neighbourLine(machine.sh(`ip link show ${hostEnd}`)));
  const pod: Former = { ...container, address, hostEnd };
  const node = await at.node(machine);
  assert.match(takeOver(node, pod, { ipv4: address }), /taken over {2}default\/web-0/);
  await node.start();
  const fresh = at.container();
  const newAddress = await node.add(fresh);
  assert.ok(!contains(parseCidr(prefix), parseIp(newAddress)), newAddress);
  for (const [place, other] of [
    [vm, vm.address],
    [fresh, newAddress],
  ] as const) {
    assert.equal(await at.seen(pod, other, place), address);
    assert.equal(await at.seen(place, address, pod), other);
  }
  assert.ok(leftOf(machine, pod).length >= 3, 'link, route and rule');
  assert.equal((await node.call('DEL', pod)).status, 0);
  assert.deepEqual(leftOf(machine, pod), []);
  assert.deepEqual(
    (await interfacesOf(at, machine))[1]?.Ipv4Prefixes?.map(({ Ipv4Prefix }) => Ipv4Prefix),
    [prefix],
    'the prefix is not ours to take',
  );
});

test('an IPv6 Pod of the AWS plugin, out of the /80 of the first interface, keeps its network until it ends', async () => {
  await using at = await scene();
  const [machine, vm] = [await at.launch('node'), await at.launch('vm')];
  const [first] = await interfacesOf(at, machine);
  await at.bed.ec2.send(new AssignIpv6AddressesCommand({ NetworkInterfaceId: first?.NetworkInterfaceId, Ipv6PrefixCount: 1 }));
  const prefix = (await interfacesOf(at, machine))[0]?.Ipv6Prefixes?.[0]?.Ipv6Prefix ?? '';
  const address = String(addToIp(parseIp(prefix.replace(/\/80$/, '')), 2));
  const container = at.container();
  const hostEnd = hostEndOf('default', 'web-0');
  const peer = machine.netns.slice(machine.netns.lastIndexOf('/') + 1);
  // As version 1.23 does it where ENABLE_IPv6 is true: the way out is fe80::1, and of the first interface nothing needs a table.
  container.sh(`ip link set lo up
    ip link add eth0 type veth peer name ${hostEnd} netns ${peer}
    ip link set eth0 up mtu 1500
    ip addr add ${address}/128 dev eth0 nodad
    ip -6 route add fe80::1 dev eth0
    ip -6 route add default via fe80::1 dev eth0`);
  machine.sh(`sysctl -qw net.ipv6.conf.all.forwarding=1
    ip link set ${hostEnd} up mtu 1500
    ip -6 route add ${address}/128 dev ${hostEnd}
    ip -6 rule add pref 512 to ${address} lookup main`);
  const [, mac = ''] = /ether (\S+)/.exec(machine.sh(`ip link show ${hostEnd}`)) ?? [];
  container.sh(`ip -6 neigh add fe80::1 lladdr ${mac} dev eth0 nud permanent`);
  const pod: Former = { ...container, address, hostEnd };
  const six = (await interfacesOf(at, vm))[0]?.Ipv6Addresses?.[0]?.Ipv6Address ?? '';
  assert.equal(await at.seen(vm, address, pod), six, 'before');
  const node = await at.node(machine);
  assert.match(takeOver(node, pod, { ipv6: address }), /taken over {2}default\/web-0/);
  await node.start();
  assert.equal(await at.seen(vm, address, pod), six);
  assert.equal(await at.seen(pod, six, vm), address);
  const fresh = at.container();
  assert.notEqual(await node.add(fresh), '');
  assert.ok(leftOf(machine, pod).length >= 3, 'link, route and rule');
  assert.equal((await node.call('DEL', pod)).status, 0);
  assert.deepEqual(leftOf(machine, pod), []);
});
