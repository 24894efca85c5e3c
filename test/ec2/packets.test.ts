/** Through an interface that was made and attached by EC2's wire format go real packets, and inside an instance is its metadata. Needs root and network namespaces. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AssignIpv6AddressesCommand,
  AssignPrivateIpAddressesCommand,
  AttachNetworkInterfaceCommand,
  DescribeNetworkInterfacesCommand,
  DetachNetworkInterfaceCommand,
  RunInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { createNetns, deleteNetns } from '../../src/kernel/netns.ts';
import { eventually } from '../life/lab.ts';
import { inside, reaches, reachesSoon, silent } from '../vpc/site.ts';
import { type Ground, ground } from './ground.ts';

let lastVpc = 0;
const withPackets = (): Promise<Ground & { name: string }> => {
  const name = `fpe${process.pid % 1000}-${++lastVpc}`;
  return ground({}, { fabric: true, name }).then((at) => ({ ...at, name }));
};
const netnsOf = ({ name }: { name: string }, instance: string): { netns: string } => ({ netns: `/run/netns/${name}-${instance}` });

test('EC2: an address assigned to an attached interface is reached, and no longer when it is unplugged', async () => {
  await using at = await withPackets();
  const node = netnsOf(at, at.instance);
  const launch = { ImageId: 'ami-1', InstanceType: 't3.small' as const, MinCount: 1, MaxCount: 1, SubnetId: at.subnet };
  const { Instances = [] } = await at.ec2.send(new RunInstancesCommand({ ...launch, Ipv6AddressCount: 1, EnablePrimaryIpv6: true }));
  const peer = netnsOf(at, Instances[0]?.InstanceId ?? '');

  const { NetworkInterfaceId } = await at.create();
  const attach = { NetworkInterfaceId, InstanceId: at.instance, DeviceIndex: 1 };
  const { AttachmentId } = await at.ec2.send(new AttachNetworkInterfaceCommand(attach));
  const assign = { NetworkInterfaceId, SecondaryPrivateIpAddressCount: 1 };
  const { AssignedPrivateIpAddresses } = await at.ec2.send(new AssignPrivateIpAddressesCommand(assign));
  const { MacAddress = 'none' } = await at.one(NetworkInterfaceId);
  const address = AssignedPrivateIpAddresses?.[0]?.PrivateIpAddress ?? '';
  assert.match((await inside(node, 'ip link show eth1')).out, new RegExp(MacAddress));
  await inside(
    node,
    `ip link set eth1 up; ip addr add ${address}/32 dev lo; ip rule add from ${address} lookup 7; ip route add 10.20.0.1 dev eth1 table 7; ip route add default via 10.20.0.1 dev eth1 table 7`,
  );
  assert.ok(await reachesSoon(peer, address));

  // On AWS every subnet's router has this IPv6 address, and no interface is told so.
  const { AssignedIpv6Addresses: [address6 = ''] = [] } = await at.ec2.send(
    new AssignIpv6AddressesCommand({ NetworkInterfaceId, Ipv6AddressCount: 1 }),
  );
  await inside(
    node,
    `ip -6 addr add ${address6}/128 dev lo; ip -6 rule add from ${address6} lookup 7; ip -6 route add default via fe80:ec2::1 dev eth1 table 7`,
  );
  assert.ok(await reachesSoon(peer, address6));
  await at.ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId }));
  assert.ok(await silent(peer, address));
  assert.match((await inside(node, 'ip link show eth1')).out, /does not exist/);
});

/** What curl prints inside, with a token for it. */
async function metadata(node: { netns: string }, path: string): Promise<string> {
  const base = 'curl -s --max-time 15';
  const token = `$(${base} -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' http://169.254.169.254/latest/api/token)`;
  const { out } = await inside(node, `${base} -H "X-aws-ec2-metadata-token: ${token}" http://169.254.169.254/latest/${path}`);
  return out;
}

test('EC2: inside an instance is its metadata, for those who have a token, with the interfaces of now', async () => {
  await using at = await withPackets();
  const node = netnsOf(at, at.instance);
  assert.equal(await metadata(node, 'meta-data/instance-id'), at.instance);
  assert.equal(await metadata(node, 'meta-data/instance-type'), 't3.small');
  assert.equal(await metadata(node, 'meta-data/placement/availability-zone'), 'z1');
  const mac = await metadata(node, 'meta-data/mac');
  assert.match((await inside(node, 'ip link show eth0')).out, new RegExp(mac));
  assert.equal(await metadata(node, 'meta-data/network/interfaces/macs/'), `${mac}/`);
  assert.equal(await metadata(node, `meta-data/network/interfaces/macs/${mac}/subnet-id`), at.subnet);
  assert.equal(await metadata(node, `meta-data/network/interfaces/macs/${mac}/ipv4-prefix`), '');
  const status = (more: string) => inside(node, `curl -s -o /dev/null -w '%{http_code}' --max-time 15 ${more}`).then(({ out }) => out);
  assert.equal(await status('http://169.254.169.254/latest/meta-data/instance-id'), '401', 'there is no version 1');
  assert.equal(await status('-X PUT http://169.254.169.254/latest/api/token'), '400');

  const { NetworkInterfaceId, MacAddress = '' } = await at.create({ SecondaryPrivateIpAddressCount: 1 });
  await at.ec2.send(new AttachNetworkInterfaceCommand({ NetworkInterfaceId, InstanceId: at.instance, DeviceIndex: 1 }));
  const found = `meta-data/network/interfaces/macs/${MacAddress}`;
  assert.equal(await metadata(node, `${found}/device-number`), '1');
  assert.equal(await metadata(node, `${found}/interface-id`), NetworkInterfaceId);
  assert.deepEqual((await metadata(node, `${found}/local-ipv4s`)).split('\n').length, 2);

  assert.equal(await metadata(node, 'meta-data/iam/security-credentials/'), '');
  at.front.role = { name: 'node', key: { id: 'ASIAROLE', secret: 's', sessionToken: 't', expiresAt_ms: Date.now() + 3600_000 } };
  assert.equal(await metadata(node, 'meta-data/iam/security-credentials/'), 'node');
  assert.equal(JSON.parse(await metadata(node, 'meta-data/iam/security-credentials/node')).AccessKeyId, 'ASIAROLE');
});

test('EC2: a Pod behind the node does not get at the metadata', async () => {
  await using at = await withPackets();
  const node = netnsOf(at, at.instance);
  const pod = `${at.name}-pod`;
  // Not by ip netns add: that mounts the folder of all names over itself, and what another test has in it can then not be deleted.
  createNetns(pod);
  try {
    const made = await inside(
      node,
      `ip link add pod0 type veth peer name eth0 netns ${pod} && ip addr add 10.9.9.1/30 dev pod0 && ip link set pod0 up && ip -n ${pod} addr add 10.9.9.2/30 dev eth0 && ip -n ${pod} link set eth0 up && ip -n ${pod} route add default via 10.9.9.1`,
    );
    assert.equal(made.status, 0, made.out);
    assert.ok(await reaches({ netns: `/run/netns/${pod}` }, '10.9.9.1'));
    const asked = await inside({ netns: `/run/netns/${pod}` }, 'curl -s --max-time 5 http://169.254.169.254/latest/meta-data/');
    assert.notEqual(asked.status, 0);
    assert.equal(asked.out, '');
  } finally {
    deleteNetns(pod);
  }
});

test('EC2: metadata is there after a restart of the VPC, and gone with its instance', async () => {
  await using at = await withPackets();
  const node = netnsOf(at, at.instance);
  await at.vpc.restart();
  assert.equal(await metadata(node, 'meta-data/instance-id'), at.instance);
  const client = at.client();
  await client.send(new TerminateInstancesCommand({ InstanceIds: [at.instance] }));
  const { NetworkInterfaces } = await client.send(new DescribeNetworkInterfacesCommand({}));
  assert.deepEqual(NetworkInterfaces, []);
  assert.notEqual((await inside(node, 'true')).status, 0);
});

test('EC2: an instance whose namespace somebody deleted gets another, with its interface and its metadata', async () => {
  await using at = await withPackets();
  const node = netnsOf(at, at.instance);
  await inside(node, `ip netns del ${at.name}-${at.instance}`);
  await eventually('eth0 is plugged in again', async () => (await inside(node, 'ip link show eth0')).status === 0);
  await eventually('the metadata is there again', async () => (await metadata(node, 'meta-data/instance-id')) === at.instance);
});
