/** The EC2 front, judged by the official SDK: what it tells, what it does, and how it refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AssignIpv6AddressesCommand,
  AssignPrivateIpAddressesCommand,
  AttachNetworkInterfaceCommand,
  CreateSubnetCommand,
  DeleteNetworkInterfaceCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
  DetachNetworkInterfaceCommand,
  ModifyNetworkInterfaceAttributeCommand,
  ModifySubnetAttributeCommand,
  type NetworkInterface,
  TerminateInstancesCommand,
  UnassignIpv6AddressesCommand,
  UnassignPrivateIpAddressesCommand,
} from '@aws-sdk/client-ec2';
import { refusedAs } from './bed.ts';
import { ground } from './ground.ts';

const addressesOf = ({ PrivateIpAddresses = [] }: NetworkInterface): (string | undefined)[] =>
  PrivateIpAddresses.map(({ PrivateIpAddress }) => PrivateIpAddress);

test('EC2: the VPC, its subnets, types and instances are told', async () => {
  await using at = await ground();
  const { Vpcs = [] } = await at.ec2.send(new DescribeVpcsCommand({}));
  assert.deepEqual(
    [Vpcs.length, Vpcs[0]?.CidrBlock, Vpcs[0]?.Ipv6CidrBlockAssociationSet?.[0]?.Ipv6CidrBlock],
    [1, '10.20.0.0/16', '2001:db8:20::/56'],
  );
  const { Subnets = [] } = await at.ec2.send(new DescribeSubnetsCommand({ SubnetIds: [at.subnet] }));
  assert.deepEqual([Subnets[0]?.CidrBlock, Subnets[0]?.AvailabilityZone, Subnets[0]?.AvailableIpAddressCount], ['10.20.0.0/24', 'z1', 250]);
  const { InstanceTypes = [] } = await at.ec2.send(new DescribeInstanceTypesCommand({ InstanceTypes: ['t3.small'] }));
  const { MaximumNetworkInterfaces, Ipv4AddressesPerInterface, Ipv6AddressesPerInterface } = InstanceTypes[0]?.NetworkInfo ?? {};
  assert.deepEqual([MaximumNetworkInterfaces, Ipv4AddressesPerInterface, Ipv6AddressesPerInterface], [3, 4, 4]);
  const { Reservations = [] } = await at.ec2.send(new DescribeInstancesCommand({ InstanceIds: [at.instance] }));
  const [found] = Reservations[0]?.Instances ?? [];
  const [first] = found?.NetworkInterfaces ?? [];
  assert.deepEqual([found?.State?.Name, found?.InstanceType, found?.Placement?.AvailabilityZone], ['running', 't3.small', 'z1']);
  assert.deepEqual(
    [
      first?.Attachment?.DeviceIndex,
      first?.Attachment?.Status,
      first?.Attachment?.DeleteOnTermination,
      first?.Ipv6Addresses?.[0]?.IsPrimaryIpv6,
    ],
    [0, 'attached', true, true],
  );
});

test('EC2: an interface is made with addresses and tags, and the same token gives the same one', async () => {
  await using at = await ground();
  const request = {
    ClientToken: 'once',
    Description: 'für <Pods> & "more"',
    SecondaryPrivateIpAddressCount: 2,
    Ipv6AddressCount: 2,
    EnablePrimaryIpv6: true,
    TagSpecifications: [
      {
        ResourceType: 'network-interface' as const,
        Tags: [
          { Key: 'a', Value: 'ü' },
          { Key: 'b', Value: '' },
        ],
      },
    ],
  };
  const made = await at.create(request);
  assert.deepEqual(addressesOf(made), ['10.20.0.5', '10.20.0.6', '10.20.0.7']);
  assert.deepEqual(
    made.Ipv6Addresses?.map(({ IsPrimaryIpv6 }) => IsPrimaryIpv6),
    [true, false],
  );
  assert.equal(made.Description, request.Description);
  assert.deepEqual(made.TagSet, request.TagSpecifications[0]?.Tags);
  assert.equal((await at.create(request)).NetworkInterfaceId, made.NetworkInterfaceId);
  await refusedAs('IdempotentParameterMismatch', at.create({ ...request, Description: 'another' }));
  assert.deepEqual(await at.one(made.NetworkInterfaceId), made);
});

test('EC2: it is attached, modified, detached by the id of the attachment, and deleted', async () => {
  await using at = await ground();
  const { NetworkInterfaceId: id } = await at.create();
  const attach = new AttachNetworkInterfaceCommand({ NetworkInterfaceId: id, InstanceId: at.instance, DeviceIndex: 1 });
  const { AttachmentId } = await at.ec2.send(attach);
  assert.match(AttachmentId ?? '', /^eni-attach-[0-9a-f]{17}$/);
  const attached = await at.one(id);
  assert.deepEqual(
    [attached.Status, attached.Attachment?.AttachmentId, attached.Attachment?.InstanceId],
    ['in-use', AttachmentId, at.instance],
  );
  assert.equal(attached.Attachment?.DeleteOnTermination, false);
  await refusedAs('InvalidNetworkInterface.InUse', at.ec2.send(attach));
  await refusedAs('InvalidParameterValue', at.ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: id })));
  const modify = { NetworkInterfaceId: id, Attachment: { AttachmentId, DeleteOnTermination: true } };
  await at.ec2.send(new ModifyNetworkInterfaceAttributeCommand(modify));
  assert.equal((await at.one(id)).Attachment?.DeleteOnTermination, true);
  const detach = new DetachNetworkInterfaceCommand({ AttachmentId });
  await at.ec2.send(detach);
  await refusedAs('InvalidAttachmentID.NotFound', at.ec2.send(detach));
  assert.equal((await at.one(id)).Status, 'available');
  await at.ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: id }));
  await refusedAs('InvalidNetworkInterfaceID.NotFound', at.ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: id })));
});

test('EC2: the IPv6 address that is marked as primary is so until the interface is detached; to mark one marks the first', async () => {
  await using at = await ground();
  const { NetworkInterfaceId } = await at.create({ Ipv6AddressCount: 2, EnablePrimaryIpv6: true });
  const marks = async () => (await at.one(NetworkInterfaceId)).Ipv6Addresses?.map(({ IsPrimaryIpv6 }) => IsPrimaryIpv6);
  assert.deepEqual(await marks(), [true, false]);
  const attach = new AttachNetworkInterfaceCommand({ NetworkInterfaceId, InstanceId: at.instance, DeviceIndex: 1 });
  const { AttachmentId } = await at.ec2.send(attach);
  assert.deepEqual(await marks(), [true, false]);
  await at.ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId }));
  await at.ec2.send(attach);
  assert.deepEqual(await marks(), [false, false]);
  await at.ec2.send(new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId, EnablePrimaryIpv6: true }));
  assert.deepEqual(await marks(), [true, false]);
  await at.ec2.send(new TerminateInstancesCommand({ InstanceIds: [at.instance] }));
  assert.deepEqual(await marks(), [false, false]);
});

test('EC2: an attachment of old does not detach the one of now', async () => {
  await using at = await ground();
  const { NetworkInterfaceId: id } = await at.create();
  const attach = new AttachNetworkInterfaceCommand({ NetworkInterfaceId: id, InstanceId: at.instance, DeviceIndex: 1 });
  const { AttachmentId: old } = await at.ec2.send(attach);
  await at.ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId: old }));
  await at.ec2.send(attach);
  await refusedAs('InvalidAttachmentID.NotFound', at.ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId: old })));
  assert.equal((await at.one(id)).Status, 'in-use');
});

test('EC2: addresses and prefixes by count and by value, new ones alone in the answer', async () => {
  await using at = await ground();
  const { NetworkInterfaceId } = await at.create({ Ipv6AddressCount: 1, EnablePrimaryIpv6: true });
  const assign = async (more: object): Promise<[string[], string[]]> => {
    const done = await at.ec2.send(new AssignPrivateIpAddressesCommand({ NetworkInterfaceId, ...more }));
    return [
      (done.AssignedPrivateIpAddresses ?? []).map(({ PrivateIpAddress = '' }) => PrivateIpAddress),
      (done.AssignedIpv4Prefixes ?? []).map(({ Ipv4Prefix = '' }) => Ipv4Prefix),
    ];
  };
  assert.deepEqual(await assign({ SecondaryPrivateIpAddressCount: 2 }), [['10.20.0.6', '10.20.0.7'], []]);
  assert.deepEqual(await assign({ PrivateIpAddresses: ['10.20.0.7', '10.20.0.99'] }), [['10.20.0.7', '10.20.0.99'], []]);
  assert.deepEqual(await assign({ Ipv4PrefixCount: 1 }), [[], ['10.20.0.16/28']]);
  assert.deepEqual(await assign({ Ipv4Prefixes: ['10.20.0.64/28'] }), [[], ['10.20.0.64/28']]);
  const six = async (more: object) => {
    const done = await at.ec2.send(new AssignIpv6AddressesCommand({ NetworkInterfaceId, ...more }));
    return [done.AssignedIpv6Addresses, done.AssignedIpv6Prefixes];
  };
  const [counted = []] = await six({ Ipv6AddressCount: 2 });
  assert.equal(counted.length, 2);
  assert.deepEqual(await six({ Ipv6Addresses: ['2001:db8:20::99'] }), [['2001:db8:20::99'], []]);
  assert.deepEqual(await six({ Ipv6Addresses: ['2001:db8:20::99'] }), [[], []]);
  assert.deepEqual(await six({ Ipv6Prefixes: ['2001:db8:20:0:7::/80'] }), [[], ['2001:db8:20:0:7::/80']]);
  const shown = await at.one(NetworkInterfaceId);
  assert.deepEqual(addressesOf(shown), ['10.20.0.5', '10.20.0.6', '10.20.0.7', '10.20.0.99']);
  assert.deepEqual(
    shown.Ipv4Prefixes?.map(({ Ipv4Prefix }) => Ipv4Prefix),
    ['10.20.0.16/28', '10.20.0.64/28'],
  );
  assert.equal(shown.Ipv6Addresses?.length, 4);

  const unassign = new UnassignPrivateIpAddressesCommand({ NetworkInterfaceId, PrivateIpAddresses: ['10.20.0.99'] });
  await at.ec2.send(unassign);
  await refusedAs('InvalidParameterValue', at.ec2.send(unassign));
  const primary = new UnassignPrivateIpAddressesCommand({ NetworkInterfaceId, PrivateIpAddresses: ['10.20.0.5'] });
  await refusedAs('InvalidParameterValue', at.ec2.send(primary));
  const gone = new UnassignIpv6AddressesCommand({ NetworkInterfaceId, Ipv6Prefixes: ['2001:db8:20:0:7::/80'] });
  assert.deepEqual((await at.ec2.send(gone)).UnassignedIpv6Prefixes, ['2001:db8:20:0:7::/80']);
  await refusedAs('InvalidParameterCombination', assign({ SecondaryPrivateIpAddressCount: 1, Ipv4PrefixCount: 1 }));
});

test('EC2: what is terminated takes along its first interface and those that are to go with it', async () => {
  await using at = await ground();
  const [stays, goes] = [await at.create(), await at.create()];
  const { NetworkInterfaces: [first] = [] } = await at.ec2.send(
    new DescribeNetworkInterfacesCommand({ Filters: [{ Name: 'attachment.instance-id', Values: [at.instance] }] }),
  );
  const attach = { NetworkInterfaceId: goes.NetworkInterfaceId, InstanceId: at.instance, DeviceIndex: 1 };
  const { AttachmentId } = await at.ec2.send(new AttachNetworkInterfaceCommand(attach));
  const change = { NetworkInterfaceId: goes.NetworkInterfaceId, Attachment: { AttachmentId, DeleteOnTermination: true } };
  await at.ec2.send(new ModifyNetworkInterfaceAttributeCommand(change));
  await at.ec2.send(new TerminateInstancesCommand({ InstanceIds: [at.instance] }));
  for (const id of [first?.NetworkInterfaceId ?? '', goes.NetworkInterfaceId])
    await refusedAs('InvalidNetworkInterfaceID.NotFound', at.one(id));
  assert.equal((await at.one(stays.NetworkInterfaceId)).Status, 'available');
});

test('EC2: without asking there is no IPv6 address where the subnet gives none, and one that is not primary may be taken back', async () => {
  await using at = await ground();
  const { Vpcs: [vpc] = [] } = await at.ec2.send(new DescribeVpcsCommand({}));
  const range = { VpcId: vpc?.VpcId, CidrBlock: '10.20.9.0/24', Ipv6CidrBlock: '2001:db8:20:9::/64' };
  const { Subnet } = await at.ec2.send(new CreateSubnetCommand(range));
  assert.equal(Subnet?.AssignIpv6AddressOnCreation, false);
  const inIt = { SubnetId: Subnet.SubnetId };
  const bare = await at.create(inIt);
  assert.deepEqual(bare.Ipv6Addresses, []);
  const change = { SubnetId: Subnet.SubnetId, AssignIpv6AddressOnCreation: { Value: true } };
  await at.ec2.send(new ModifySubnetAttributeCommand(change));
  const automatic = await at.create(inIt);
  assert.deepEqual(
    automatic.Ipv6Addresses?.map(({ IsPrimaryIpv6 }) => IsPrimaryIpv6),
    [false],
  );
  assert.deepEqual((await at.create({ ...inIt, Ipv6AddressCount: 0 })).Ipv6Addresses, []);

  const { NetworkInterfaceId } = automatic;
  const Ipv6Addresses = [automatic.Ipv6Addresses?.[0]?.Ipv6Address ?? ''];
  await at.ec2.send(new UnassignIpv6AddressesCommand({ NetworkInterfaceId, Ipv6Addresses }));
  assert.deepEqual((await at.one(NetworkInterfaceId)).Ipv6Addresses, []);
  const again = await at.ec2.send(new AssignIpv6AddressesCommand({ NetworkInterfaceId, Ipv6Addresses }));
  assert.deepEqual(again.AssignedIpv6Addresses, Ipv6Addresses);
  await at.ec2.send(new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId, EnablePrimaryIpv6: true }));
  const gone = new UnassignIpv6AddressesCommand({ NetworkInterfaceId, Ipv6Addresses });
  await refusedAs('OperationNotPermitted', at.ec2.send(gone));
});
