/** An interface's own IPv6 address, which EC2 marks until the interface is detached: it is never a Pod's, whatever becomes of the mark. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DescribeNetworkInterfacesCommand } from '@aws-sdk/client-ec2';
import type { CloudNic, InstanceId, NicId } from '../../src/cloud/cloud.ts';
import { hostCidr, parseCidr } from '../../src/net/cidr.ts';
import { subnet } from '../controller/harness.ts';
import { type AwsBed, awsBed } from './ground.ts';
import { actionOf, fields, liar, nicsXml, refusal } from './liar.ts';
import { site, until } from './site.ts';

const six = { cidr6: '2001:db8:20::/64' };
const tags = { 'flatpod.dev/cluster': 'test', 'flatpod.dev/node': 'n1' };

/** The address that EC2 marks. */
async function marked({ ec2 }: AwsBed, nic: NicId): Promise<string | undefined> {
  const { NetworkInterfaces: [found] = [] } = await ec2.send(new DescribeNetworkInterfacesCommand({ NetworkInterfaceIds: [nic] }));
  return found?.Ipv6Addresses?.find(({ IsPrimaryIpv6 }) => IsPrimaryIpv6 === true)?.Ipv6Address;
}

test('an interface that was detached and is attached again has its own IPv6 address marked again, beside those that were assigned', async () => {
  await using bed = await awsBed({ branches: { 'm5.large': 9 } });
  const { cloud } = bed;
  const id = await bed.subnet('10.20.0.0/24', six);
  const instance = await bed.launch(id, 'm5.large');
  const request = { subnet: id, securityGroups: [], tags, description: '' };
  const trunk = await cloud.createNic({ ...request, clientToken: 'trunk', isTrunk: true });
  await cloud.attachNic(trunk.id, instance, 1);
  const ways: readonly ((nic: NicId) => Promise<void>)[] = [
    (nic) => cloud.attachNic(nic, instance, 2),
    (nic) => cloud.attachBranch(nic, trunk.id, 2),
  ];
  for (const [i, plugIn] of ways.entries()) {
    const made = await cloud.createNic({ ...request, clientToken: `nic-${i}` });
    assert.ok(made.primary6 !== undefined);
    assert.deepEqual(made.tags, tags);
    const claimed = parseCidr(`2001:db8:20::${i + 1}00/128`);
    await cloud.assign(made.id, { these: [claimed] });
    const told = async (): Promise<CloudNic | undefined> => (await bed.driver().nics({ ids: [made.id] }))[0];
    await plugIn(made.id);
    await cloud.detachNic(made.id);
    assert.equal(await marked(bed, made.id), undefined);
    // A driver that knows nothing of before.
    assert.deepEqual([(await told())?.primary6, (await told())?.blocks], [made.primary6, [claimed]]);
    await cloud.nics({ ids: [made.id] });
    await plugIn(made.id);
    assert.equal(await marked(bed, made.id), made.primary6);
    assert.deepEqual([(await told())?.primary6, (await told())?.blocks], [made.primary6, [claimed]]);
  }
});

test('when EC2 refuses to mark it, the interface is attached all the same, and the address is known by our tag', async () => {
  await using server = await liar();
  const id = 'eni-0123456789abcdef0' as NicId; // as EC2's ids look
  const tagged = ['cluster', 'own-ipv6'].map((key) => `<item><key>flatpod.dev/${key}</key><value>first</value></item>`).join('');
  const own =
    '<ipv6AddressesSet><item><ipv6Address>2001:db8::5</ipv6Address><isPrimaryIpv6>false</isPrimaryIpv6></item></ipv6AddressesSet>';
  const answers: Readonly<Record<string, string>> = {
    DescribeNetworkInterfaces: nicsXml({ [id]: `${own}<tagSet>${tagged}</tagSet>` }),
    AttachNetworkInterface: '<attachmentId>eni-attach-1</attachmentId>',
    ModifyNetworkInterfaceAttribute: '<return>true</return>',
  };
  const marks = (body: string): boolean => body.includes('EnablePrimaryIpv6');
  server.answer = (response, body) =>
    (marks(body) ? refusal('UnsupportedOperation') : fields(answers[actionOf(body)] ?? ''))(response, body);
  await server.cloud.nics({ ids: [id] });
  await server.cloud.attachNic(id, 'i-0123456789abcdef0' as InstanceId, 1);
  assert.equal(server.asked.filter(marks).length, 1);
  const [shown] = await server.cloud.nics({ ids: [id] });
  assert.deepEqual([shown?.primary6, shown?.blocks], ['2001:db8::5', []]);
});

test('interfaces that are detached by hand and plugged in again: no Pod gets what is their own, also when the controller dies before it is marked', async () => {
  await using at = await site();
  const { bed, between, lines } = at;
  const id = await bed.subnet('10.20.0.0/24', six);
  const instance = await bed.launch(id);
  const config = subnet('pods', { cloudSubnet: id, useFirstNic: false, families: [4, 6], warm: { spare: 0 }, default: true });
  await at.controller([config]);
  const node = await at.node(instance, config);
  await node.want(2);
  await until('two Pods', () => node.leases.length === 2, lines);
  const [nic] = await at.ours();
  assert.ok(nic?.primary6 !== undefined);
  const own = hostCidr(nic.primary6);
  const isIn = async () => (await at.ours()).find((one) => one.id === nic.id)?.attachment?.state === 'attached';
  const granted = async () => (await at.status()).nics.find((one) => one.id === nic.id);

  await bed.cloud.detachNic(nic.id);
  await until('it is plugged in again', isIn, lines);
  await until('and its address is marked', async () => (await marked(bed, nic.id)) === nic.primary6, lines);

  // As if it had died between the two calls: none that marks arrives any more.
  between.lose = ({ action, parameters }) =>
    action === 'ModifyNetworkInterfaceAttribute' && parameters.has('EnablePrimaryIpv6') ? 'request' : undefined;
  await bed.cloud.detachNic(nic.id);
  await until('it is plugged in again', isIn, lines);
  await node.want(6);
  await until('six Pods', () => node.leases.length === 6, lines);
  assert.equal(await marked(bed, nic.id), undefined);
  assert.equal((await granted())?.primary6, nic.primary6);
  assert.ok((await granted())?.blocks.includes(own) === false);
  assert.ok(node.leases.flatMap(({ addresses }) => addresses).every((address) => address !== nic.primary6));
});
