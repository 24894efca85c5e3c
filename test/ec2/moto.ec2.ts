/** Strict moto keeps EC2's rules: the promises of the front's own tests, on a server that we did not write. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  AssignIpv6AddressesCommand,
  AssignPrivateIpAddressesCommand,
  AttachNetworkInterfaceCommand,
  CreateNetworkInterfaceCommand,
  type CreateNetworkInterfaceCommandInput,
  DeleteNetworkInterfaceCommand,
  DescribeInstanceTypesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSubnetsCommand,
  DetachNetworkInterfaceCommand,
  ModifyNetworkInterfaceAttributeCommand,
  type NetworkInterface,
  TerminateInstancesCommand,
  UnassignIpv6AddressesCommand,
  UnassignPrivateIpAddressesCommand,
} from '@aws-sdk/client-ec2';
import { refusedAs } from './bed.ts';
import { type Moto, type MotoDelays, type MotoSite, motoSite, strictMoto } from './moto.ts';

interface Ground extends Moto, MotoSite {
  readonly instance: string;
  create(more?: Partial<CreateNetworkInterfaceCommandInput>): Promise<NetworkInterface & { NetworkInterfaceId: string }>;
  one(id: string): Promise<NetworkInterface>;
}

/** One server serves all tests: to start one takes seconds. */
let server: Moto | undefined;
after(() => server?.[Symbol.asyncDispose]());

/** The common server, emptied, or one of its own that is late. */
async function ground(delays?: MotoDelays): Promise<Ground> {
  await using open = new AsyncDisposableStack();
  const moto = delays === undefined ? (server ??= await strictMoto()) : open.use(await strictMoto(delays));
  await moto.empty();
  const site = await motoSite(moto);
  const instance = await site.launch();
  const running = open.move();
  return {
    ...moto,
    ...site,
    instance,
    async create(more = {}) {
      const made = await moto.ec2.send(new CreateNetworkInterfaceCommand({ SubnetId: site.subnet, ...more }));
      const { NetworkInterfaceId: id, ...rest } = made.NetworkInterface ?? {};
      assert.ok(id !== undefined);
      return { NetworkInterfaceId: id, ...rest };
    },
    async one(id) {
      const found = await moto.ec2.send(new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [id] }));
      return found.NetworkInterfaces?.[0] ?? {};
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

const addressesOf = ({ PrivateIpAddresses = [] }: NetworkInterface): (string | undefined)[] =>
  PrivateIpAddresses.map(({ PrivateIpAddress }) => PrivateIpAddress);

test('strict moto: interfaces are made with the lowest free addresses, once per token', async () => {
  await using at = await ground();
  const request = { ClientToken: 'once', SecondaryPrivateIpAddressCount: 2, Ipv6AddressCount: 2, EnablePrimaryIpv6: true };
  const made = await at.create(request);
  assert.deepEqual(addressesOf(made), ['10.20.0.5', '10.20.0.6', '10.20.0.7']);
  assert.deepEqual(
    made.Ipv6Addresses?.map(({ IsPrimaryIpv6 }) => IsPrimaryIpv6),
    [true, false],
  );
  assert.equal((await at.create(request)).NetworkInterfaceId, made.NetworkInterfaceId);
  await refusedAs('IdempotentParameterMismatch', at.create({ ...request, Description: 'another' }));
  await refusedAs('InvalidIPAddress.InUse', at.create({ PrivateIpAddresses: [{ PrivateIpAddress: '10.20.0.6' }] }));
  await refusedAs('InvalidGroup.NotFound', at.create({ Groups: ['sg-00000000000000000'] }));
  await refusedAs('InvalidParameterCombination', at.create({ SecondaryPrivateIpAddressCount: 1, Ipv4PrefixCount: 1 }));
  const { Subnets = [] } = await at.ec2.send(new DescribeSubnetsCommand({ SubnetIds: [at.subnet] }));
  assert.equal(Subnets[0]?.AvailableIpAddressCount, 256 - 5 - 1 - 3);
});

test('strict moto: an instance has its first interface with a primary address of each family', async () => {
  await using at = await ground();
  const filter = new DescribeNetworkInterfacesCommand({ Filters: [{ Name: 'attachment.instance-id', Values: [at.instance] }] });
  const { NetworkInterfaces: [first, ...more] = [] } = await at.ec2.send(filter);
  assert.equal(more.length, 0);
  assert.deepEqual([first?.Attachment?.DeviceIndex, first?.PrivateIpAddress], [0, '10.20.0.4']);
  assert.deepEqual(
    first?.Ipv6Addresses?.map(({ IsPrimaryIpv6 }) => IsPrimaryIpv6),
    [true],
  );
  const { InstanceTypes = [] } = await at.ec2.send(new DescribeInstanceTypesCommand({ InstanceTypes: ['t3.small'] }));
  const { MaximumNetworkInterfaces, Ipv4AddressesPerInterface, Ipv6AddressesPerInterface } = InstanceTypes[0]?.NetworkInfo ?? {};
  assert.deepEqual([MaximumNetworkInterfaces, Ipv4AddressesPerInterface, Ipv6AddressesPerInterface], [3, 4, 4]);
});

test('strict moto: attaching keeps places, zones and limits; detaching and deleting too', async () => {
  await using at = await ground();
  const attach = (id: string, DeviceIndex: number) =>
    at.ec2.send(new AttachNetworkInterfaceCommand({ NetworkInterfaceId: id, InstanceId: at.instance, DeviceIndex }));
  const made = [await at.create(), await at.create(), await at.create()];
  const [one = '', two = '', three = ''] = made.map(({ NetworkInterfaceId }) => NetworkInterfaceId);
  const { AttachmentId } = await attach(one, 1);
  await refusedAs('InvalidNetworkInterface.InUse', attach(one, 2));
  await refusedAs('InvalidParameterValue', attach(two, 1));
  const away = await at.create({ SubnetId: at.far });
  await refusedAs('InvalidParameterCombination', attach(away.NetworkInterfaceId, 2));
  await attach(two, 2);
  await refusedAs('AttachmentLimitExceeded', attach(three, 3));
  await refusedAs('InvalidParameterValue', at.ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: one })));
  const change = {
    NetworkInterfaceId: two,
    Attachment: { AttachmentId: (await at.one(two)).Attachment?.AttachmentId, DeleteOnTermination: true },
  };
  await at.ec2.send(new ModifyNetworkInterfaceAttributeCommand(change));
  assert.equal((await at.one(two)).Attachment?.DeleteOnTermination, true);
  await at.ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId }));
  await refusedAs('InvalidAttachmentID.NotFound', at.ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId })));
  await at.ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId: one }));
  await refusedAs('InvalidNetworkInterfaceID.NotFound', at.one(one));
  await at.ec2.send(new TerminateInstancesCommand({ InstanceIds: [at.instance] }));
  await refusedAs('InvalidNetworkInterfaceID.NotFound', at.one(two));
  assert.equal((await at.one(three)).Status, 'available');
});

test('strict moto: blocks of every kind are given once, within the limits, and taken back', async () => {
  await using at = await ground();
  const { NetworkInterfaceId } = await at.create();
  const four = async (more: object): Promise<unknown[]> => {
    const done = await at.ec2.send(new AssignPrivateIpAddressesCommand({ NetworkInterfaceId, ...more }));
    return [
      done.AssignedPrivateIpAddresses?.map(({ PrivateIpAddress }) => PrivateIpAddress),
      done.AssignedIpv4Prefixes?.map(({ Ipv4Prefix }) => Ipv4Prefix),
    ];
  };
  assert.deepEqual(await four({ SecondaryPrivateIpAddressCount: 1 }), [['10.20.0.6'], []]);
  assert.deepEqual(await four({ PrivateIpAddresses: ['10.20.0.99'] }), [['10.20.0.99'], []]);
  assert.deepEqual(await four({ PrivateIpAddresses: ['10.20.0.99'] }), [['10.20.0.99'], []]);
  assert.deepEqual(await four({ Ipv4PrefixCount: 1 }), [[], ['10.20.0.16/28']]);
  assert.deepEqual(await four({ Ipv4Prefixes: ['10.20.0.64/28'] }), [[], ['10.20.0.64/28']]);
  for (const address of ['10.20.0.3', '10.20.0.255', '10.20.0.4', '10.20.2.9', '10.20.0.65'])
    await refusedAs('InvalidParameterValue', four({ PrivateIpAddresses: [address] }));
  const six = async (more: object): Promise<unknown[]> => {
    const done = await at.ec2.send(new AssignIpv6AddressesCommand({ NetworkInterfaceId, ...more }));
    return [done.AssignedIpv6Addresses, done.AssignedIpv6Prefixes];
  };
  assert.deepEqual(await six({ Ipv6Addresses: ['2001:db8:20::99'] }), [['2001:db8:20::99'], []]);
  assert.deepEqual(await six({ Ipv6Prefixes: ['2001:db8:20:0:7::/80'] }), [[], ['2001:db8:20:0:7::/80']]);
  assert.deepEqual(await six({ Ipv6PrefixCount: 1 }), [[], ['2001:db8:20:0:1::/80']]);
  assert.equal((await at.one(NetworkInterfaceId)).Ipv6Prefixes?.length, 2);
  const drop = new UnassignPrivateIpAddressesCommand({ NetworkInterfaceId, PrivateIpAddresses: ['10.20.0.99'] });
  await at.ec2.send(drop);
  await refusedAs('InvalidParameterValue', at.ec2.send(drop));
  await refusedAs(
    'InvalidParameterValue',
    at.ec2.send(new UnassignPrivateIpAddressesCommand({ NetworkInterfaceId, PrivateIpAddresses: ['10.20.0.5'] })),
  );
  const gone = await at.ec2.send(new UnassignIpv6AddressesCommand({ NetworkInterfaceId, Ipv6Prefixes: ['2001:db8:20:0:7::/80'] }));
  assert.deepEqual(gone.UnassignedIpv6Prefixes, ['2001:db8:20:0:7::/80']);
  const small = await at.create({ SubnetId: at.small });
  const fill = { NetworkInterfaceId: small.NetworkInterfaceId };
  await refusedAs(
    'InsufficientFreeAddressesInSubnet',
    at.ec2.send(new AssignPrivateIpAddressesCommand({ ...fill, SecondaryPrivateIpAddressCount: 14 })),
  );
  await refusedAs('InsufficientCidrBlocks', at.ec2.send(new AssignPrivateIpAddressesCommand({ ...fill, Ipv4PrefixCount: 1 })));
});

test('strict moto: lists in pages and by filters, and a new interface that is unknown for a while', async () => {
  await using at = await ground({ unknown_s: 3600 });
  const { NetworkInterfaceId } = await at.create();
  await refusedAs('InvalidNetworkInterfaceID.NotFound', at.one(NetworkInterfaceId));
  const { NetworkInterfaces = [] } = await at.ec2.send(new DescribeNetworkInterfacesCommand({ MaxResults: 5 }));
  assert.equal(NetworkInterfaces.length, 1);
  await refusedAs(
    'InvalidParameterValue',
    at.ec2.send(new DescribeNetworkInterfacesCommand({ Filters: [{ Name: 'moon', Values: ['full'] }] })),
  );
});
