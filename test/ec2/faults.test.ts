/** The EC2 front on a bad day: throttled, late, lost, stale; and its lists, by filters and in pages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AttachNetworkInterfaceCommand,
  CreateNetworkInterfaceCommand,
  CreateTagsCommand,
  DeleteTagsCommand,
  DescribeNetworkInterfacesCommand,
  type DescribeNetworkInterfacesCommandInput,
  DescribeVpcsCommand,
} from '@aws-sdk/client-ec2';
import { refusedAs } from './bed.ts';
import { type Ground, ground } from './ground.ts';

const list = async ({ ec2 }: Ground, more: DescribeNetworkInterfacesCommandInput = {}): Promise<string[]> => {
  const { NetworkInterfaces = [] } = await ec2.send(new DescribeNetworkInterfacesCommand(more));
  return NetworkInterfaces.map(({ NetworkInterfaceId = '' }) => NetworkInterfaceId);
};

test('EC2: requests beyond the rate of an action are refused until its bucket fills', async () => {
  let now = Date.now();
  await using at = await ground({ now_ms: () => now });
  at.front.rates.set('DescribeVpcs', { perSecond: 1, burst: 2 });
  const ask = () => at.client().send(new DescribeVpcsCommand({}));
  await ask();
  await ask();
  await refusedAs('RequestLimitExceeded', ask(), 503);
  await list(at);
  now += 1000;
  await ask();
  await refusedAs('RequestLimitExceeded', ask(), 503);
});

test("EC2: the VPC's faults strike, by the action's name and by that of the VPC's own call", async () => {
  await using at = await ground();
  await at.fault({ call: 'CreateNetworkInterface', count: 1, effect: { kind: 'throttle' } });
  await refusedAs('RequestLimitExceeded', at.create(), 503);
  await at.fault({ call: 'CreateNic', count: 1, effect: { kind: 'error', reason: 'Unavailable' } });
  await refusedAs('Unavailable', at.create(), 503);
  await at.fault({ call: 'CreateNetworkInterface', count: 1, effect: { kind: 'error' } });
  await refusedAs('InternalError', at.create(), 500);
});

test('EC2: of a lost request nothing is done, of a lost answer all is, and the token finds it', async () => {
  await using at = await ground();
  await at.fault({ call: 'CreateNetworkInterface', count: 1, effect: { kind: 'loseRequest' } });
  await assert.rejects(at.create({ ClientToken: 'one' }));
  assert.equal((await list(at)).length, 1);
  await at.fault({ call: 'CreateNetworkInterface', count: 1, effect: { kind: 'loseAnswer' } });
  await assert.rejects(at.create({ ClientToken: 'one' }));
  const found = await list(at);
  assert.equal(found.length, 2);
  assert.ok(found.includes((await at.create({ ClientToken: 'one' })).NetworkInterfaceId));
});

test('EC2: a new interface may be unknown for a while, an attachment in the making, a list of old', async () => {
  let now = Date.now();
  await using at = await ground({ now_ms: () => now });
  at.front.lag.unknown_ms = 60_000;
  const { NetworkInterfaceId } = await at.create();
  const attach = new AttachNetworkInterfaceCommand({ NetworkInterfaceId, InstanceId: at.instance, DeviceIndex: 1 });
  await refusedAs('InvalidNetworkInterfaceID.NotFound', at.ec2.send(attach));
  await refusedAs('InvalidNetworkInterfaceID.NotFound', at.one(NetworkInterfaceId));
  assert.deepEqual(await list(at), []);
  now += 61_000;
  at.front.lag.attach_ms = 2000;
  await at.ec2.send(attach);
  const { Attachment, Status } = await at.one(NetworkInterfaceId);
  assert.deepEqual([Attachment?.Status, Status], ['attaching', 'in-use']);
  now += 2000;
  assert.equal((await at.one(NetworkInterfaceId)).Attachment?.Status, 'attached');
  await at.fault({ call: 'DescribeNetworkInterfaces', count: 1, effect: { kind: 'staleReads', ms: 600_000 } });
  assert.deepEqual(await list(at), []);
});

test('EC2: after a restart attachments are called the same, and tokens are remembered', async () => {
  await using at = await ground();
  const { NetworkInterfaceId } = await at.create({ ClientToken: 'before' });
  const attach = { NetworkInterfaceId, InstanceId: at.instance, DeviceIndex: 1 };
  const { AttachmentId } = await at.ec2.send(new AttachNetworkInterfaceCommand(attach));
  await at.vpc.restart();
  const client = at.client();
  const again = await client.send(new CreateNetworkInterfaceCommand({ SubnetId: at.subnet, ClientToken: 'before' }));
  assert.equal(again.NetworkInterface?.NetworkInterfaceId, NetworkInterfaceId);
  assert.equal(again.NetworkInterface.Attachment?.AttachmentId, AttachmentId);
});

test('EC2: interfaces are listed in pages, and a token belongs to its list', async () => {
  await using at = await ground();
  const made = await Promise.all(Array.from({ length: 11 }, () => at.create()));
  const all: string[] = [];
  let NextToken: string | undefined;
  const sizes: number[] = [];
  do {
    const page = await at.ec2.send(new DescribeNetworkInterfacesCommand({ MaxResults: 5, ...(NextToken !== undefined && { NextToken }) }));
    all.push(...(page.NetworkInterfaces ?? []).map(({ NetworkInterfaceId = '' }) => NetworkInterfaceId));
    sizes.push(page.NetworkInterfaces?.length ?? 0);
    NextToken = page.NextToken;
    if (NextToken !== undefined) {
      const Filters = [{ Name: 'status', Values: ['available'] }];
      await refusedAs('InvalidParameterValue', list(at, { MaxResults: 5, NextToken, Filters }));
    }
  } while (NextToken !== undefined);
  assert.deepEqual(sizes, [5, 5, 2]);
  assert.equal(new Set(all).size, 12);
  const ids = made.map(({ NetworkInterfaceId }) => NetworkInterfaceId);
  await refusedAs('InvalidParameterCombination', list(at, { NetworkInterfaceIds: ids, MaxResults: 5 }));
  await refusedAs('InvalidParameterValue', list(at, { MaxResults: 4 }));
});

test('EC2: filters by every condition, with wildcards, all of which must hold', async () => {
  await using at = await ground();
  const [one, two] = [await at.create({ Description: 'first [a]' }), await at.create({ Description: 'second*' })];
  const [first, second] = [one.NetworkInterfaceId, two.NetworkInterfaceId];
  await at.ec2.send(new CreateTagsCommand({ Resources: [first], Tags: [{ Key: 'node', Value: 'n1' }] }));
  await at.ec2.send(new CreateTagsCommand({ Resources: [second], Tags: [{ Key: 'node', Value: 'n2' }] }));
  await at.ec2.send(new AttachNetworkInterfaceCommand({ NetworkInterfaceId: second, InstanceId: at.instance, DeviceIndex: 1 }));
  const by = async (...filters: [string, ...string[]][]): Promise<string[]> =>
    (await list(at, { Filters: filters.map(([Name, ...Values]) => ({ Name, Values })) }))
      .filter((id) => [first, second].includes(id))
      .sort();
  const both = [first, second].sort();
  assert.deepEqual(await by(['tag:node', 'n1', 'n3']), [first]);
  assert.deepEqual(await by(['tag-key', 'node']), both);
  assert.deepEqual(await by(['tag:node', 'n*'], ['status', 'in-use']), [second]);
  assert.deepEqual(await by(['attachment.instance-id', at.instance]), [second]);
  assert.deepEqual(await by(['attachment.status', 'attached'], ['attachment.device-index', '1']), [second]);
  assert.deepEqual(await by(['description', 'first [a]']), [first]);
  assert.deepEqual(await by(['description', 'first [?]']), [first]);
  assert.deepEqual(await by(['description', 'second\\*']), [second]);
  assert.deepEqual(await by(['description', 'SECOND*']), []);
  assert.deepEqual(await by(['addresses.private-ip-address', one.PrivateIpAddress ?? '']), [first]);
  assert.deepEqual(await by(['mac-address', two.MacAddress ?? '']), [second]);
  assert.deepEqual(await by(['subnet-id', at.subnet], ['availability-zone', 'z1']), both);
  assert.deepEqual(await by(['network-interface-id', ...both]), both);
  await refusedAs('InvalidParameterValue', by(['moon', 'full']));
  await refusedAs('FilterLimitExceeded', by(['tag:node', ...Array.from({ length: 201 }, (_, i) => `n${i}`)]));
  await at.ec2.send(new DeleteTagsCommand({ Resources: [first, second], Tags: [{ Key: 'node', Value: 'n2' }] }));
  assert.deepEqual(await by(['tag-key', 'node']), [first]);
});
