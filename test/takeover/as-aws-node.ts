/** A node as the AWS plugin leaves it: its interfaces at EC2, and the kernel's state (aws-kernel.ts). */
import {
  AssignPrivateIpAddressesCommand,
  AttachNetworkInterfaceCommand,
  CreateNetworkInterfaceCommand,
  CreateTagsCommand,
  DescribeNetworkInterfacesCommand,
  type NetworkInterface,
} from '@aws-sdk/client-ec2';
import assert from 'node:assert/strict';
import { eventually } from '../life/lab.ts';
import { hostEndOf, hostLines, neighbourLine, nodeLines, podLines } from './aws-kernel.ts';
import type { Container, Machine, Scene } from './scene.ts';

const VPC = '10.20.0.0/16';
const ROUTER = '10.20.0.1';
const SECOND_TABLE = 2;
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

/** And the second interface with its table. */
function setUpNode({ sh, address }: Machine, second: string): void {
  sh(`${nodeLines(VPC, address)}
      ip link set eth1 up
      ip addr add ${second}/24 dev eth1
      ip route add ${ROUTER}/32 dev eth1 scope link table ${SECOND_TABLE}
      ip route add default via ${ROUTER} dev eth1 table ${SECOND_TABLE}
      ip route del 10.20.0.0/24 dev eth1
      ip rule add pref 32765 from ${second} lookup ${SECOND_TABLE}`);
}

function makePod(node: Machine, pod: { name: string; address: string; container: Container }, isOfSecond: boolean): FormerPod {
  const { name, address, container } = pod;
  const hostEnd = hostEndOf('default', name);
  container.sh(podLines(address, hostEnd, node.netns.slice(node.netns.lastIndexOf('/') + 1)));
  node.sh(hostLines(address, hostEnd, isOfSecond ? SECOND_TABLE : undefined));
  container.sh(neighbourLine(node.sh(`ip link show ${hostEnd}`)));
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
