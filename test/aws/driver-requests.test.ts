/** What the driver sends, parameter by parameter, against what AWS's own client makes of the same wish. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AwsCloud } from '../../src/cloud/aws/aws.ts';
import type { InstanceId, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { actionOf, fields, liar, nicsXml, plugXml, refusal } from './liar.ts';
import { capturing } from './sdk.ts';

const nic = 'eni-0123456789abcdef0' as NicId;
const trunk = 'eni-0123456789abcdef1' as NicId;
const subnet = 'subnet-0123456789abcdef0' as SubnetId;
const instance = 'i-0123456789abcdef0' as InstanceId;
const request = {
  clientToken: 'token',
  subnet,
  securityGroups: ['sg-1', 'sg-2'],
  tags: { 'a/b': 'ü & +', empty: '' },
  description: 'für <Pods>',
};
const made = {
  SubnetId: subnet,
  ClientToken: 'token',
  Groups: ['sg-1', 'sg-2'],
  Description: 'für <Pods>',
  TagSpecifications: [
    {
      ResourceType: 'network-interface',
      Tags: [
        { Key: 'a/b', Value: 'ü & +' },
        { Key: 'empty', Value: '' },
      ],
    },
  ],
  Ipv6AddressCount: 0,
};
const cidrs = (...blocks: string[]) => blocks.map(parseCidr);

/** Each wish: what the driver is asked, which call it should be, and how the SDK is asked the same. */
const wishes: readonly (readonly [string, (cloud: AwsCloud) => Promise<unknown>, string, object])[] = [
  ['the VPC', (cloud) => cloud.network(), 'DescribeVpcs', { VpcIds: ['vpc-1'] }],
  [
    'subnets',
    (cloud) => cloud.subnets([subnet]),
    'DescribeSubnets',
    { Filters: [{ Name: 'subnet-id', Values: [subnet] }], MaxResults: 1000 },
  ],
  [
    'an instance',
    (cloud) => cloud.instance(instance),
    'DescribeInstances',
    { Filters: [{ Name: 'instance-id', Values: [instance] }], MaxResults: 1000 },
  ],
  [
    'interfaces, whose tags have what EC2 takes for wildcards',
    (cloud) => cloud.nics({ ids: [nic, trunk], instance, tags: { node: ['a*', 'b?\\'], other: 'c' } }),
    'DescribeNetworkInterfaces',
    {
      Filters: [
        { Name: 'network-interface-id', Values: [nic, trunk] },
        { Name: 'attachment.instance-id', Values: [instance] },
        { Name: 'tag:node', Values: ['a\\*', 'b\\?\\\\'] },
        { Name: 'tag:other', Values: ['c'] },
      ],
      MaxResults: 500,
    },
  ],
  ['an interface', (cloud) => cloud.createNic({ ...request }), 'CreateNetworkInterface', made],
  [
    'one with counted blocks',
    (cloud) => cloud.createNic({ ...request, want: { addresses4: 2, prefixes6: 1 } }),
    'CreateNetworkInterface',
    { ...made, SecondaryPrivateIpAddressCount: 2 },
  ],
  [
    'one with prefixes',
    (cloud) => cloud.createNic({ ...request, want: { prefixes4: 3 } }),
    'CreateNetworkInterface',
    { ...made, Ipv4PrefixCount: 3 },
  ],
  [
    'one with addresses by value',
    (cloud) => cloud.createNic({ ...request, want: { these: cidrs('10.20.0.9/32', '10.20.0.8/32') } }),
    'CreateNetworkInterface',
    {
      ...made,
      PrivateIpAddresses: [
        { Primary: false, PrivateIpAddress: '10.20.0.9' },
        { Primary: false, PrivateIpAddress: '10.20.0.8' },
      ],
    },
  ],
  [
    'one with prefixes by value',
    (cloud) => cloud.createNic({ ...request, want: { these: cidrs('10.20.0.16/28') } }),
    'CreateNetworkInterface',
    { ...made, Ipv4Prefixes: [{ Ipv4Prefix: '10.20.0.16/28' }] },
  ],
  ['a trunk', (cloud) => cloud.createNic({ ...request, isTrunk: true }), 'CreateNetworkInterface', { ...made, InterfaceType: 'trunk' }],
  [
    'to attach',
    (cloud) => cloud.attachNic(nic, instance, 3),
    'AttachNetworkInterface',
    { NetworkInterfaceId: nic, InstanceId: instance, DeviceIndex: 3 },
  ],
  [
    'to hang a branch on a trunk',
    (cloud) => cloud.attachBranch(nic, trunk, 7),
    'AssociateTrunkInterface',
    { BranchInterfaceId: nic, TrunkInterfaceId: trunk, VlanId: 7 },
  ],
  [
    'counted addresses',
    (cloud) => cloud.assign(nic, { addresses4: 5 }),
    'AssignPrivateIpAddresses',
    { NetworkInterfaceId: nic, SecondaryPrivateIpAddressCount: 5 },
  ],
  [
    'counted prefixes',
    (cloud) => cloud.assign(nic, { prefixes4: 2 }),
    'AssignPrivateIpAddresses',
    { NetworkInterfaceId: nic, Ipv4PrefixCount: 2 },
  ],
  [
    'counted IPv6 prefixes',
    (cloud) => cloud.assign(nic, { prefixes6: 2 }),
    'AssignIpv6Addresses',
    { NetworkInterfaceId: nic, Ipv6PrefixCount: 2 },
  ],
  [
    'to take addresses back',
    (cloud) => cloud.unassign(nic, cidrs('10.20.0.9/32', '10.20.0.8/32')),
    'UnassignPrivateIpAddresses',
    { NetworkInterfaceId: nic, PrivateIpAddresses: ['10.20.0.9', '10.20.0.8'] },
  ],
  [
    'to take a prefix back',
    (cloud) => cloud.unassign(nic, cidrs('10.20.0.16/28')),
    'UnassignPrivateIpAddresses',
    { NetworkInterfaceId: nic, Ipv4Prefixes: ['10.20.0.16/28'] },
  ],
  [
    'to take an IPv6 address back',
    (cloud) => cloud.unassign(nic, cidrs('2001:db8::9/128')),
    'UnassignIpv6Addresses',
    { NetworkInterfaceId: nic, Ipv6Addresses: ['2001:db8::9'] },
  ],
  [
    'to take an IPv6 prefix back',
    (cloud) => cloud.unassign(nic, cidrs('2001:db8::/80')),
    'UnassignIpv6Addresses',
    { NetworkInterfaceId: nic, Ipv6Prefixes: ['2001:db8::/80'] },
  ],
];

/** The parameters of a form, but for a token that the SDK makes up. */
const sorted = (form: string, hasToken: boolean): [string, string][] =>
  [...new URLSearchParams(form)].filter(([name]) => hasToken || name !== 'ClientToken').toSorted(([a], [b]) => (a < b ? -1 : 1));

test('every request has the parameters that AWS’s own client sends for the same wish', async () => {
  await using server = await liar({ options: { branches: { 't3.small': 1 } } });
  using sdk = capturing({ accessKeyId: 'AKIA0', secretAccessKey: 'x' });
  let isDual = false;
  server.answer = (response, body) =>
    (actionOf(body) === 'DescribeSubnets' ? fields(subnetXml(isDual)) : refusal('Novelty'))(response, body);
  for (const [words, wish, call, input] of wishes) {
    server.asked.length = 0;
    await wish(server.cloud).catch(() => undefined);
    const ours = server.asked.find((body) => actionOf(body) === call) ?? '';
    const theirs = (await sdk.request(call, input)).body;
    assert.deepEqual(sorted(ours, 'ClientToken' in input), sorted(theirs, 'ClientToken' in input), words);
  }
  isDual = true;
  await server.cloud.subnets([subnet]);
  await server.cloud.createNic(request).catch(() => undefined);
  const [tags] = made.TagSpecifications;
  const own = { ...tags, Tags: [...(tags?.Tags ?? []), { Key: 'flatpod.dev/own-ipv6', Value: 'first' }] };
  const wish = { ...made, TagSpecifications: [own], Ipv6AddressCount: 1, EnablePrimaryIpv6: true };
  const dual = await sdk.request('CreateNetworkInterface', wish);
  assert.deepEqual(sorted(server.asked.at(-1) ?? '', true), sorted(dual.body, true));
});

/** The subnet, with or without IPv6. */
const subnetXml = (isDual: boolean): string =>
  `<subnetSet><item><subnetId>${subnet}</subnetId><availabilityZone>z1</availabilityZone><cidrBlock>10.20.0.0/24</cidrBlock>
    <availableIpAddressCount>7</availableIpAddressCount>${isDual ? six : ''}</item></subnetSet>`;
const six =
  '<ipv6CidrBlockAssociationSet><item><ipv6CidrBlock>2001:db8::/64</ipv6CidrBlock><ipv6CidrBlockState><state>associated</state></ipv6CidrBlockState></item></ipv6CidrBlockAssociationSet>';

test('blocks by value are sent as the SDK sends them', async () => {
  const known = (body: string): boolean => actionOf(body) === 'DescribeNetworkInterfaces';
  await using server = await liar();
  using sdk = capturing({ accessKeyId: 'AKIA0', secretAccessKey: 'x' });
  for (const [block, call, input] of [
    ['10.20.0.9/32', 'AssignPrivateIpAddresses', { PrivateIpAddresses: ['10.20.0.9'] }],
    ['10.20.0.16/28', 'AssignPrivateIpAddresses', { Ipv4Prefixes: ['10.20.0.16/28'] }],
    ['2001:db8::9/128', 'AssignIpv6Addresses', { Ipv6Addresses: ['2001:db8::9'] }],
    ['2001:db8::/80', 'AssignIpv6Addresses', { Ipv6Prefixes: ['2001:db8::/80'] }],
  ] as const) {
    server.asked.length = 0;
    server.answer = (response, body) => fields(known(body) ? nicsXml({ [nic]: '' }) : '<requestId>r</requestId>')(response, body);
    await server.cloud.assign(nic, { these: cidrs(block) });
    const ours = server.asked.find((body) => !known(body)) ?? '';
    assert.deepEqual(sorted(ours, false), sorted((await sdk.request(call, { NetworkInterfaceId: nic, ...input })).body, false), block);
  }
});

test('an interface is made to go with its instance, and leaves by its attachment', async () => {
  await using server = await liar();
  using sdk = capturing({ accessKeyId: 'AKIA0', secretAccessKey: 'x' });
  const [list, done] = [nicsXml({ [nic]: plugXml(instance, 1) }), '<attachmentId>eni-attach-1</attachmentId><return>true</return>'];
  server.answer = (response, body) => fields(actionOf(body).startsWith('Describe') ? list : done)(response, body);
  await server.cloud.attachNic(nic, instance, 1);
  await server.cloud.detachNic(nic);
  const sent = (call: string): [string, string][] => sorted(server.asked.find((body) => actionOf(body) === call) ?? '', false);
  const modify = { NetworkInterfaceId: nic, Attachment: { AttachmentId: 'eni-attach-1', DeleteOnTermination: true } };
  assert.deepEqual(
    sent('ModifyNetworkInterfaceAttribute'),
    sorted((await sdk.request('ModifyNetworkInterfaceAttribute', modify)).body, false),
  );
  const detach = { AttachmentId: 'eni-attach-1' };
  assert.deepEqual(sent('DetachNetworkInterface'), sorted((await sdk.request('DetachNetworkInterface', detach)).body, false));
});
