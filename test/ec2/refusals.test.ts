/** The EC2 front refuses as EC2 does, by code: who asks, what is asked for, and what cannot be. */
import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { test } from 'node:test';
import {
  AssignPrivateIpAddressesCommand,
  AttachNetworkInterfaceCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  DeleteNetworkInterfaceCommand,
  DescribeInstancesCommand,
  DescribeInstanceTypesCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
  DetachNetworkInterfaceCommand,
  ModifyNetworkInterfaceAttributeCommand,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import { withSubnet } from '../vpc/support.ts';
import { ec2Bed, key, refusedAs } from './bed.ts';
import { ground } from './ground.ts';

const vpcs = new DescribeVpcsCommand({});
const nobody = 'eni-00000000000000000';

test('EC2: a wrong secret, an unknown key, another region and a clock that is off are refused', async () => {
  await using bed = await ec2Bed();
  await refusedAs('AuthFailure', bed.client({ secret: 'wrong' }).send(vpcs), 401);
  await refusedAs('AuthFailure', bed.client({ id: 'AKIANOBODY' }).send(vpcs), 401);
  await refusedAs('AuthFailure', bed.client({ region: 'eu-west-2' }).send(vpcs), 401);
  await refusedAs('AuthFailure', bed.client({ sessionToken: 'of another key' }).send(vpcs), 401);
  await refusedAs('RequestExpired', bed.client({ skew_ms: -16 * 60_000 }).send(vpcs), 400);
  await refusedAs('RequestExpired', bed.client({ skew_ms: 16 * 60_000 }).send(vpcs), 400);
  await bed.client({ skew_ms: 14 * 60_000 }).send(vpcs);
});

test("EC2: by the answer's Date a caller can set its clock right", async () => {
  await using bed = await ec2Bed({ now_ms: () => Date.now() + 3600_000 });
  const client = bed.client();
  await refusedAs('RequestExpired', client.send(vpcs));
  await client.send(vpcs); // the SDK has learnt
});

test('EC2: a temporary key needs its token, and ends', async () => {
  await using bed = await ec2Bed();
  const temporary = { id: 'ASIATEMPORARY', secret: 'for a while', sessionToken: 'the+token=' };
  bed.front.keys.push({ ...temporary, expiresAt_ms: Date.now() + 60_000 });
  await bed.client(temporary).send(vpcs);
  await refusedAs('AuthFailure', bed.client({ id: temporary.id, secret: temporary.secret }).send(vpcs));
  bed.front.keys.splice(1, 1, { ...temporary, expiresAt_ms: Date.now() - 1 });
  await refusedAs('RequestExpired', bed.client(temporary).send(vpcs));
});

test('EC2: what is denied to a key says so, a dry run too; what is allowed is not done in one', async () => {
  await using at = await ground();
  const { NetworkInterfaceId } = await at.create();
  at.front.keys.splice(0, 1, { ...key, denied: ['DeleteNetworkInterface'] });
  await refusedAs('UnauthorizedOperation', at.ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId })), 403);
  await refusedAs('UnauthorizedOperation', at.ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId, DryRun: true })), 403);
  at.front.keys.splice(0, 1, key);
  await refusedAs('DryRunOperation', at.ec2.send(new DeleteNetworkInterfaceCommand({ NetworkInterfaceId, DryRun: true })), 412);
  await refusedAs('DryRunOperation', at.create({ DryRun: true }), 412);
  const { NetworkInterfaces } = await at.ec2.send(new DescribeNetworkInterfacesCommand({}));
  assert.equal(NetworkInterfaces?.length, 2);
  at.front.keys.splice(0, 1, { ...key, denied: ['CreateTags'] });
  const Tags = [{ Key: 'a', Value: 'b' }];
  const tagged = at.create({ TagSpecifications: [{ ResourceType: 'network-interface', Tags }] });
  await assert.rejects(tagged, /UnauthorizedOperation: .* not authorized to perform: ec2:CreateTags /);
  await at.create();
});

/** A form signed by hand, so that what no client would send can be. */
async function raw(url: string, body: string, change: (headers: Record<string, string>) => void = () => {}): Promise<[number, string]> {
  const [at, host] = [new Date().toISOString().replace(/[-:]|\.\d+/g, ''), new URL(url).host];
  const [day, hash] = [at.slice(0, 8), (text: string) => createHash('sha256').update(text).digest('hex')];
  const canonical = `POST\n/\n\nhost:${host}\nx-amz-date:${at}\n\nhost;x-amz-date\n${hash(body)}`;
  const scope = `${day}/eu-west-1/ec2/aws4_request`;
  const steps = [day, 'eu-west-1', 'ec2', 'aws4_request', `AWS4-HMAC-SHA256\n${at}\n${scope}\n${hash(canonical)}`];
  const signature = steps.reduce<Buffer | string>((one, text) => createHmac('sha256', one).update(text).digest(), `AWS4${key.secret}`);
  const headers: Record<string, string> = {
    'x-amz-date': at,
    'content-type': 'application/x-www-form-urlencoded',
    authorization: `AWS4-HMAC-SHA256 Credential=${key.id}/${scope}, SignedHeaders=host;x-amz-date, Signature=${signature.toString('hex')}`,
  };
  change(headers);
  const answer = await fetch(url, { method: 'POST', headers, body });
  const text = await answer.text();
  return [answer.status, /<Code>(.*?)<\/Code>/.exec(text)?.[1] ?? text];
}

test('EC2: a form that is not as the protocol wants it is refused', async () => {
  await using bed = await ec2Bed();
  const good = 'Action=DescribeVpcs&Version=2016-11-15';
  assert.match((await raw(bed.url, good))[1], /<DescribeVpcsResponse xmlns="http:\/\/ec2\.amazonaws\.com\/doc\/2016-11-15\/"><requestId>/);
  const cases: [string, string][] = [
    ['', 'MissingAction'],
    ['Action=DescribeVpcs', 'InvalidAction'],
    ['Action=DescribeVpcs&Version=2009-01-01', 'InvalidAction'],
    ['Action=DescribeMoons&Version=2016-11-15', 'InvalidAction'],
    [`${good}&Moon=1`, 'UnknownParameter'],
    [`${good}&DryRun=yes`, 'InvalidParameterValue'],
    [`${good}&DryRun=false&DryRun=true`, 'InvalidQueryParameter'],
    [`${good}&VpcId.2=vpc-1`, 'MalformedQueryString'],
    [`${good}&VpcId.0=vpc-1`, 'MalformedQueryString'],
    [`${good}&VpcId=vpc-1`, 'UnknownParameter'],
    [`${good}&VpcId.1=vpc-1`, 'InvalidVpcID.NotFound'],
    [`${good}&Filter.1.Value.1=x`, 'MissingParameter'],
    [`${good}&Filter.1.Name=vpc-id`, 'InvalidParameterValue'],
    [`${good}&Filter.1.Name=moon&Filter.1.Value.1=x`, 'InvalidParameterValue'],
    [`${good}&MaxResults=4`, 'InvalidParameterValue'],
    [`${good}&NextToken=nonsense`, 'InvalidParameterValue'],
    [`${good}&VpcId.1=%01`, 'InvalidCharacter'],
    [`Action=DeleteNetworkInterface&Version=2016-11-15`, 'MissingParameter'],
    [`Action=AssignIpv6Addresses&Version=2016-11-15&NetworkInterfaceId=${nobody}&Ipv6AddressCount=1&DryRun=true`, 'UnknownParameter'],
  ];
  for (const [form, code] of cases) assert.deepEqual(await raw(bed.url, form), [400, code], form);
  const filters = Array.from({ length: 51 }, (_, i) => `&Filter.${i + 1}.Name=vpc-id&Filter.${i + 1}.Value.1=x`).join('');
  assert.deepEqual(await raw(bed.url, good + filters), [400, 'FilterLimitExceeded']);
  assert.deepEqual(await raw(bed.url, `${good}&x=${'x'.repeat(1 << 20)}`), [413, 'RequestEntityTooLarge']);
});

test('EC2: a request that is not signed, or not all of it, is refused', async () => {
  await using bed = await ec2Bed();
  const form = 'Action=DescribeVpcs&Version=2016-11-15';
  const without = (name: string) => raw(bed.url, form, (headers) => void delete headers[name]);
  assert.deepEqual(await without('authorization'), [403, 'MissingAuthenticationToken']);
  assert.deepEqual(await without('x-amz-date'), [400, 'IncompleteSignature']);
  const set = (name: string, value: string) => raw(bed.url, form, (headers) => void (headers[name] = value));
  assert.deepEqual(await set('authorization', 'Basic eDp5'), [400, 'IncompleteSignature']);
  assert.deepEqual(await set('x-amz-security-token', 'slipped in'), [400, 'IncompleteSignature']);
  assert.deepEqual(await set('x-amz-date', '20200101T000000Z'), [400, 'IncompleteSignature']);
});

test('EC2: ids that are none, and ids that nobody knows', async () => {
  await using at = await ground();
  const nics = (id: string) => at.ec2.send(new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [id] }));
  await refusedAs('InvalidNetworkInterfaceID.Malformed', nics('eni-xyz'));
  await refusedAs('InvalidNetworkInterfaceID.Malformed', nics('nic-00000000000000000'));
  await refusedAs('InvalidNetworkInterfaceID.NotFound', nics(nobody));
  const { NetworkInterfaceId } = await at.create();
  const both = new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [NetworkInterfaceId, nobody] });
  await refusedAs('InvalidNetworkInterfaceID.NotFound', at.ec2.send(both));
  await refusedAs('InvalidInstanceID.Malformed', at.ec2.send(new DescribeInstancesCommand({ InstanceIds: ['machine'] })));
  await refusedAs('InvalidInstanceID.NotFound', at.ec2.send(new DescribeInstancesCommand({ InstanceIds: ['i-00000000000000000'] })));
  await refusedAs('InvalidSubnetID.NotFound', at.ec2.send(new DescribeSubnetsCommand({ SubnetIds: ['subnet-0'] })));
  await refusedAs('InvalidSubnetID.NotFound', at.create({ SubnetId: 'subnet-00000000000000000' }));
  await refusedAs('InvalidSecurityGroupID.NotFound', at.create({ Groups: ['sg-00000000000000000'] }));
  const moon = new DescribeInstanceTypesCommand({ InstanceTypes: ['moon.large' as 'm5.large'] }); // no type at all
  await refusedAs('InvalidInstanceType', at.ec2.send(moon));
  await refusedAs('InvalidAttachmentID.NotFound', at.ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId: 'eni-attach-0' })));
  await refusedAs(
    'InvalidNetworkInterfaceID.NotFound',
    at.ec2.send(new CreateTagsCommand({ Resources: [nobody], Tags: [{ Key: 'a', Value: 'b' }] })),
  );
});

test('EC2: limits, taken places, another zone and the first interface', async () => {
  await using at = await ground();
  const attach = async (id: string, index: number) =>
    at.ec2.send(new AttachNetworkInterfaceCommand({ NetworkInterfaceId: id, InstanceId: at.instance, DeviceIndex: index }));
  const nics = await Promise.all([1, 2, 3].map(() => at.create()));
  const [one = '', two = '', three = ''] = nics.map(({ NetworkInterfaceId }) => NetworkInterfaceId);
  await attach(one, 1);
  await refusedAs('InvalidParameterValue', attach(two, 1));
  await refusedAs('InvalidParameterValue', attach(two, 0));
  await attach(two, 2);
  await refusedAs('AttachmentLimitExceeded', attach(three, 3));
  const [first] = (await at.ec2.send(new DescribeInstancesCommand({ InstanceIds: [at.instance] }))).Reservations?.[0]?.Instances ?? [];
  const detach = new DetachNetworkInterfaceCommand({ AttachmentId: first?.NetworkInterfaces?.[0]?.Attachment?.AttachmentId });
  await refusedAs('OperationNotPermitted', at.ec2.send(detach));
  await at.ec2.send(new DetachNetworkInterfaceCommand({ AttachmentId: (await at.one(two)).Attachment?.AttachmentId }));
  const away = await at.create({ SubnetId: await withSubnet(at.vpc, '10.20.2.0/24', 'far', 'z2') });
  await refusedAs('InvalidParameterCombination', attach(away.NetworkInterfaceId, 2));
  const assign = (more: object) => at.ec2.send(new AssignPrivateIpAddressesCommand({ NetworkInterfaceId: one, ...more }));
  await refusedAs('PrivateIpAddressLimitExceeded', assign({ SecondaryPrivateIpAddressCount: 4 }));
  await refusedAs('InvalidParameterValue', assign({ PrivateIpAddresses: ['10.20.2.9'] }));
  await refusedAs('InvalidParameterValue', assign({ PrivateIpAddresses: ['10.20.0.3'] }));
  await refusedAs('InvalidParameterValue', assign({ PrivateIpAddresses: ['10.20.0.6'] }));
  const launch = { ImageId: 'ami-1', InstanceType: 'moon.large' as const, MinCount: 1, MaxCount: 1, SubnetId: at.subnet };
  await refusedAs('InvalidParameterValue', at.ec2.send(new RunInstancesCommand({ ...launch, InstanceType: 'moon.large' as 'm5.large' })));
});

test('EC2: a full subnet, one without a whole prefix, and an address in use', async () => {
  await using at = await ground();
  const small = await withSubnet(at.vpc, '10.20.1.0/28', 'b');
  const made = await at.create({ SubnetId: small });
  await refusedAs('InsufficientFreeAddressesInSubnet', at.create({ SubnetId: small, SecondaryPrivateIpAddressCount: 14 }));
  await refusedAs('InsufficientCidrBlocks', at.create({ SubnetId: small, Ipv4PrefixCount: 1 }));
  await at.create({ PrivateIpAddresses: [{ PrivateIpAddress: '10.20.0.99' }] });
  for (const PrivateIpAddress of ['10.20.0.4', '10.20.0.99'])
    await refusedAs('InvalidIPAddress.InUse', at.create({ PrivateIpAddresses: [{ PrivateIpAddress }] }));
  const other = await at.create({ SubnetId: small, PrivateIpAddress: '10.20.1.9' });
  assert.equal(other.PrivateIpAddress, '10.20.1.9');
  const [{ PrivateIpAddress: primary = '' }] = [made];
  const take = { NetworkInterfaceId: other.NetworkInterfaceId, PrivateIpAddresses: [primary], AllowReassignment: true };
  await refusedAs('InvalidParameterValue', at.ec2.send(new AssignPrivateIpAddressesCommand(take)));
  await refusedAs('InvalidParameterCombination', at.create({ SecondaryPrivateIpAddressCount: 1, Ipv4PrefixCount: 1 }));
  await refusedAs(
    'InvalidParameterValue',
    at.create({ SubnetId: small, Ipv6AddressCount: 1 }).then(() => at.create({ Ipv6Addresses: [{ Ipv6Address: '2001:db8:ffff::1' }] })),
  );
});

test('EC2: an address that may be reassigned changes hands, and only then', async () => {
  await using at = await ground();
  const [one, two] = [await at.create(), await at.create()];
  const assign = (id: string, AllowReassignment: boolean) =>
    at.ec2.send(new AssignPrivateIpAddressesCommand({ NetworkInterfaceId: id, PrivateIpAddresses: ['10.20.0.77'], AllowReassignment }));
  await assign(one.NetworkInterfaceId, false);
  await refusedAs('InvalidParameterValue', assign(two.NetworkInterfaceId, false));
  await assign(two.NetworkInterfaceId, true);
  assert.equal((await at.one(one.NetworkInterfaceId)).PrivateIpAddresses?.length, 1);
  assert.equal((await at.one(two.NetworkInterfaceId)).PrivateIpAddresses?.length, 2);
});

test('EC2: one attribute a call, the attachment by its id, and groups that there are', async () => {
  await using at = await ground();
  const { NetworkInterfaceId } = await at.create();
  const modify = (more: object) => at.ec2.send(new ModifyNetworkInterfaceAttributeCommand({ NetworkInterfaceId, ...more }));
  await modify({ SourceDestCheck: { Value: false } });
  await modify({ Description: { Value: 'new' } });
  const { GroupId = '' } = await at.ec2.send(new CreateSecurityGroupCommand({ GroupName: 'pods', Description: 'of Pods' }));
  await modify({ Groups: [GroupId] });
  const { SourceDestCheck, Description, Groups } = await at.one(NetworkInterfaceId);
  assert.deepEqual([SourceDestCheck, Description, Groups], [false, 'new', [{ GroupId, GroupName: 'pods' }]]);
  await refusedAs('InvalidParameterCombination', modify({}));
  await refusedAs('InvalidParameterCombination', modify({ Description: { Value: 'x' }, SourceDestCheck: { Value: true } }));
  await refusedAs('InvalidSecurityGroupID.NotFound', modify({ Groups: ['sg-00000000000000000'] }));
  await refusedAs('InvalidAttachmentID.NotFound', modify({ Attachment: { AttachmentId: 'eni-attach-0', DeleteOnTermination: true } }));
  await refusedAs('InvalidGroup.Duplicate', at.ec2.send(new CreateSecurityGroupCommand({ GroupName: 'pods', Description: 'again' })));
});
