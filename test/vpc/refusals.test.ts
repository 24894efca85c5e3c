/** Every refusal, and what may be repeated. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call, type Reply, testVpc, type TestVpc, withSubnet } from './support.ts';

const refused = (reply: Reply, status: number, reason: string, field?: string): void => {
  assert.deepEqual(
    [reply.status, reply.body?.error?.reason, reply.body?.error?.field],
    [status, reason, field],
    JSON.stringify(reply.body),
  );
  assert.ok(reply.body.error.message && reply.body.error.remedy && reply.body.error.requestId);
};
const launch = async (vpc: TestVpc, name: string, subnet: string, type = 'v1.small'): Promise<string> =>
  (await vpc.call('POST', '/v1/instances', { name, type, subnet })).body.id;
let tokens = 0;
const newNic = async (vpc: TestVpc, subnet: string, more: object = {}): Promise<string> => {
  const made = await vpc.call('POST', '/v1/nics', { clientToken: `t${++tokens}`, subnet, ...more });
  assert.equal(made.status, 201, JSON.stringify(made.body));
  return made.body.id;
};

test('bad input is refused with the field and a remedy', async () => {
  await using vpc = await testVpc();
  const subnet = await withSubnet(vpc);
  const cases: [string, unknown, string][] = [
    ['not JSON', '{"a":', 'body'],
    ['an array', [], 'body'],
    ['nothing', undefined, 'body'],
    ['an unknown field', { clientToken: 't', subnet, colour: 'red' }, 'colour'],
    ['an unknown field inside', { clientToken: 't', subnet, want: { addresses4: 1, adresses6: 1 } }, 'want.adresses6'],
    ['a number for a text', { clientToken: 7, subnet }, 'clientToken'],
    ['a token with a space', { clientToken: 'a b', subnet }, 'clientToken'],
    ['a token too long', { clientToken: 'x'.repeat(65), subnet }, 'clientToken'],
    ['a missing field', { clientToken: 't' }, 'subnet'],
    ['an id of another kind', { clientToken: 't', subnet: 'nic-00000000000000000' }, 'subnet'],
    ['nothing wanted', { clientToken: 't', subnet, want: {} }, 'want'],
    ['a negative count', { clientToken: 't', subnet, want: { addresses4: -1 } }, 'want.addresses4'],
    ['half an address', { clientToken: 't', subnet, want: { addresses4: 0.5 } }, 'want.addresses4'],
    ['a tag that is no text', { clientToken: 't', subnet, tags: { a: 1 } }, 'tags.a'],
    ['__proto__', '{"clientToken":"t","__proto__":{}}', 'subnet'],
  ];
  for (const [what, body, field] of cases) {
    const reply = await vpc.call('POST', '/v1/nics', body);
    assert.equal(reply.status, 400, `${what}: ${JSON.stringify(reply.body)}`);
    assert.equal(reply.body.error.field, field, `${what}: ${JSON.stringify(reply.body)}`);
  }
  refused(await vpc.call('GET', '/v1/nics?colour=red'), 400, 'InvalidParameter', 'colour');
  refused(await vpc.call('GET', '/v1/nics?limit=many'), 400, 'InvalidParameter', 'limit.0');
  refused(await vpc.call('DELETE', '/v1/nics/nic-00000000000000000', { force: true }), 400, 'InvalidParameter', 'force');
  refused(await vpc.call('POST', '/v1/nics', 'x'.repeat(300_000)), 413, 'BodyTooLarge');
  refused(await vpc.call('GET', '/v2/nics'), 404, 'UnknownCall');
  refused(await vpc.call('PUT', '/v1/nics'), 404, 'UnknownCall');
  assert.deepEqual((await vpc.call('GET', '/v1/nics')).body.items, [], 'none of it made anything');
});

test('subnets: within the VPC, apart from each other, of a fitting size, and not deleted while in use', async () => {
  await using vpc = await testVpc();
  const subnet = await withSubnet(vpc);
  const make = (name: string, cidr4: string) => vpc.call('POST', '/v1/subnets', { name, zone: 'z1', cidr4 });
  refused(await make('x', '10.99.0.0/24'), 409, 'CidrConflict');
  refused(await make('x', '10.20.0.128/25'), 409, 'CidrConflict');
  refused(await make('a', '10.20.9.0/24'), 409, 'AlreadyExists', 'name');
  refused(await make('x', '10.20.9.0/29'), 400, 'InvalidParameter', 'cidr4');
  refused(await make('x', '10.20.9.1/24'), 400, 'InvalidParameter', 'cidr4');
  refused(await vpc.call('POST', '/v1/subnets', { name: 'x', zone: 'z1' }), 400, 'InvalidParameter', 'body');
  const nic = await newNic(vpc, subnet);
  refused(await vpc.call('DELETE', `/v1/subnets/${subnet}`), 409, 'InUse');
  await vpc.call('DELETE', `/v1/nics/${nic}`);
  assert.equal((await vpc.call('DELETE', `/v1/subnets/${subnet}`)).status, 204);
  assert.equal((await vpc.call('PATCH', '/v1/network', { addCidrs: ['10.99.0.0/16'] })).body.cidrs.length, 3);
  assert.equal((await make('x', '10.99.0.0/24')).status, 201);
  refused(await vpc.call('PATCH', '/v1/network', { addCidrs: ['10.99.4.0/24'] }), 409, 'CidrConflict', 'addCidrs');
});

test('a subnet, and a NIC, hold as much as they can and say what is missing', async () => {
  await using vpc = await testVpc();
  const tiny = (await vpc.call('POST', '/v1/subnets', { name: 'tiny', zone: 'z1', cidr4: '10.20.0.0/28' })).body.id;
  const nic = await newNic(vpc, tiny);
  const assign = (id: string, want: object) => vpc.call('POST', `/v1/nics/${id}/assign`, { want });
  refused(await assign(nic, { prefixes4: 1 }), 409, 'NoAlignedPrefix');
  refused(await assign(nic, { addresses4: 11 }), 409, 'SubnetFull');
  assert.equal((await assign(nic, { addresses4: 10 })).body.blocks.length, 10);
  refused(await vpc.call('POST', '/v1/nics', { clientToken: 'full', subnet: tiny }), 409, 'SubnetFull');
  refused(await assign(nic, { prefixes6: 1 }), 409, 'NoIpv6');
  const node = await launch(vpc, 'n1', await withSubnet(vpc, '10.20.1.0/24', 'b'));
  refused(await vpc.call('POST', `/v1/nics/${nic}/attach`, { instance: node, deviceIndex: 1 }), 409, 'AddressSlotLimit');
  const first = (await vpc.call('GET', `/v1/nics?instance=${node}`)).body.items[0];
  refused(await assign(first.id, { addresses4: 4 }), 409, 'AddressSlotLimit');
  refused(await assign(first.id, { prefixes6: 4 }), 409, 'Ipv6SlotLimit');
  assert.equal((await assign(first.id, { addresses4: 2, prefixes4: 1 })).status, 200, 'a prefix takes one slot');
});

test('a block asked for by value is refused with the cloud’s reason, the field, and who holds it', async () => {
  await using vpc = await testVpc();
  const subnet = await withSubnet(vpc);
  const only6 = (await vpc.call('POST', '/v1/subnets', { name: 'six', zone: 'z1', cidr6: '2001:db8:20:9::/64' })).body.id;
  const only4 = (await vpc.call('POST', '/v1/subnets', { name: 'four', zone: 'z1', cidr4: '10.20.9.0/24' })).body.id;
  const [holder, nic, six, four] = [
    await newNic(vpc, subnet),
    await newNic(vpc, subnet),
    await newNic(vpc, only6),
    await newNic(vpc, only4),
  ];
  const assign = (id: string, ...these: string[]) => vpc.call('POST', `/v1/nics/${id}/assign`, { want: { these } });
  assert.deepEqual((await assign(holder, '10.20.0.64/28', '10.20.0.9/32')).body, { blocks: ['10.20.0.64/28', '10.20.0.9/32'] });
  const words = async (reply: Promise<Reply>, status: number, reason: string, message: string) => {
    const got = await reply;
    refused(got, status, reason, 'want.these');
    assert.equal(got.body.error.message, message);
    return got.body.error;
  };
  const taken = await words(assign(nic, '10.20.0.9/32'), 409, 'AddressTaken', `10.20.0.9 is taken: ${holder} holds it`);
  assert.deepEqual([taken.address, taken.holder], ['10.20.0.9', holder]);
  await words(assign(nic, '10.20.0.70/32'), 409, 'AddressTaken', `10.20.0.70 is taken: ${holder} holds 10.20.0.64/28`);
  await words(assign(holder, '10.20.0.70/32'), 409, 'AddressTaken', `10.20.0.70 is taken: ${holder} holds 10.20.0.64/28`);
  const invalid = (message: string, id: string, block: string) => words(assign(id, block), 400, 'InvalidParameter', message);
  await invalid(`10.20.0.0 is the network address of subnet ${subnet}`, nic, '10.20.0.0/32');
  await invalid(`10.20.0.1 is the gateway of subnet ${subnet}`, nic, '10.20.0.1/32');
  await invalid(`10.20.0.255 is the broadcast address of subnet ${subnet}`, nic, '10.20.0.255/32');
  await invalid(`10.20.0.240/28 holds 10.20.0.255, which is the broadcast address of subnet ${subnet}`, nic, '10.20.0.240/28');
  await invalid(`2001:db8:20::/80 holds 2001:db8:20::, which is reserved in subnet ${subnet}`, nic, '2001:db8:20::/80');
  await invalid(`10.20.0.4 is the primary address of ${holder}`, nic, '10.20.0.4/32');
  await invalid(`10.20.0.4 is the primary address of ${holder}`, holder, '10.20.0.4/32');
  await invalid(`10.20.9.9 is outside of subnet ${subnet} (10.20.0.0/24)`, nic, '10.20.9.9/32');
  await invalid(`10.20.0.9 is outside of subnet ${only6} (which has no IPv4 block)`, six, '10.20.0.9/32');
  await words(assign(four, '2001:db8:20::9/128'), 409, 'NoIpv6', `subnet ${only4} has no IPv6 block`);
  refused(await assign(nic, '10.20.0.0/24'), 400, 'InvalidParameter', 'want.these.0');
  refused(await assign(nic, '10.20.0.200/32', '10.20.0.9'), 400, 'InvalidParameter', 'want.these.1');
  refused(await assign(nic, '10.20.0.200/32', '10.20.0.192/28'), 400, 'InvalidParameter', 'want.these');
  refused(await assign(nic), 400, 'InvalidParameter', 'want');
  assert.deepEqual((await vpc.call('GET', `/v1/nics?id=${nic}`)).body.items[0].blocks, []);
  const many = Array.from({ length: 256 }, (_, i) => `2001:db8:20::1:${i.toString(16)}/128`);
  refused(await assign(nic, ...many), 409, 'Ipv6SlotLimit');
});

test('attaching: zone, index, limit, once; and what is already so succeeds', async () => {
  await using vpc = await testVpc();
  const [a, far] = [await withSubnet(vpc), await withSubnet(vpc, '10.20.1.0/24', 'b', 'z2')];
  const [one, other] = [await launch(vpc, 'n1', a), await launch(vpc, 'n2', a)];
  const [nic, second, foreign] = [await newNic(vpc, a), await newNic(vpc, a), await newNic(vpc, far)];
  const attach = (id: string, instance: string, deviceIndex = 1) => vpc.call('POST', `/v1/nics/${id}/attach`, { instance, deviceIndex });
  refused(await attach(foreign, one), 409, 'WrongZone');
  refused(await attach('nic-00000000000000000', one), 404, 'NotFound');
  refused(await attach(nic, 'i-00000000000000000'), 404, 'NotFound');
  refused(await attach(nic, one, 0), 400, 'InvalidParameter', 'deviceIndex');
  assert.equal((await attach(nic, one)).status, 204);
  assert.equal((await attach(nic, one)).status, 204, 'again');
  refused(await attach(nic, one, 2), 409, 'AlreadyAttached');
  refused(await attach(nic, other), 409, 'AlreadyAttached');
  refused(await attach(second, one), 409, 'DeviceIndexTaken', 'deviceIndex');
  refused(await attach(second, one, 2), 409, 'NicLimit');
  refused(await vpc.call('DELETE', `/v1/nics/${nic}`), 409, 'InUse');
  const first = (await vpc.call('GET', `/v1/nics?instance=${one}`)).body.items.find(
    (each: { attachment: { deviceIndex: number } }) => each.attachment.deviceIndex === 0,
  );
  refused(await vpc.call('POST', `/v1/nics/${first.id}/detach`), 409, 'PrimaryNic');
  assert.equal((await vpc.call('POST', `/v1/nics/${nic}/detach`)).status, 204);
  assert.equal((await vpc.call('POST', `/v1/nics/${nic}/detach`)).status, 204, 'again');
  assert.equal((await vpc.call('DELETE', `/v1/nics/${nic}`)).status, 204);
  assert.equal((await vpc.call('DELETE', `/v1/nics/${nic}`)).status, 204, 'again');
  await attach(second, other);
  assert.equal((await vpc.call('DELETE', `/v1/instances/${other}`)).status, 204);
  assert.equal((await vpc.call('GET', `/v1/instances/${other}`)).body.state, 'terminated');
  assert.equal(
    (await vpc.call('GET', `/v1/nics?id=${second}`)).body.items[0].attachment,
    undefined,
    'a NIC attached later outlives the instance',
  );
  refused(await attach(second, other), 409, 'NotRunning');
});

test('client tokens: the same request gives the same object, another one is refused, also after a restart', async () => {
  await using vpc = await testVpc();
  const subnet = await withSubnet(vpc);
  const create = (tags: object) => vpc.call('POST', '/v1/nics', { clientToken: 'once', subnet, tags });
  const nic = (await create({ a: '1' })).body;
  await vpc.restart();
  assert.deepEqual((await create({ a: '1' })).body, nic);
  refused(await create({ a: '2' }), 409, 'TokenReusedDifferently');
  const launched = await vpc.call('POST', '/v1/instances', { name: 'n1', type: 'v1.small', subnet, clientToken: 'once' });
  assert.equal(launched.status, 201, 'tokens are per call');
  await vpc.call('DELETE', `/v1/nics/${nic.id}`);
  refused(await create({ a: '1' }), 409, 'TokenReusedDifferently');
});

test('unassign takes away what is there, and never the primary address', async () => {
  await using vpc = await testVpc();
  const nic = await newNic(vpc, await withSubnet(vpc), { want: { addresses4: 2 } });
  const shown = async () => (await vpc.call('GET', `/v1/nics?id=${nic}`)).body.items[0];
  const { blocks, primary4 } = await shown();
  const unassign = (list: string[]) => vpc.call('POST', `/v1/nics/${nic}/unassign`, { blocks: list });
  refused(await unassign([`${primary4}/32`]), 409, 'InUse', 'blocks');
  assert.equal((await unassign([blocks[0], '10.20.0.200/32'])).status, 204);
  assert.equal((await unassign([blocks[0]])).status, 204, 'again');
  assert.deepEqual((await shown()).blocks, [blocks[1]]);
});

test('security groups, public addresses, tags and instance types refuse what would not fit together', async () => {
  await using vpc = await testVpc();
  const subnet = await withSubnet(vpc);
  const group = (
    await vpc.call('POST', '/v1/security-groups', { name: 'web', rules: [{ direction: 'ingress', protocol: 'any', group: 'self' }] })
  ).body;
  assert.equal(group.rules[0].group, group.id);
  refused(await vpc.call('POST', '/v1/security-groups', { name: 'web' }), 409, 'AlreadyExists', 'name');
  const rule = (more: object) =>
    vpc.call('PUT', `/v1/security-groups/${group.id}/rules`, { rules: [{ direction: 'ingress', protocol: 'tcp', ...more }] });
  refused(await rule({}), 400, 'InvalidParameter', 'rules.0');
  refused(await rule({ cidr: '0.0.0.0/0', group: 'self' }), 400, 'InvalidParameter', 'rules.0');
  refused(await rule({ cidr: '0.0.0.0/0', ports: { from: 9, to: 1 } }), 400, 'InvalidParameter', 'rules.0.ports');
  refused(await rule({ group: 'sg-00000000000000000' }), 404, 'NotFound');
  const nic = await newNic(vpc, subnet, { securityGroups: [group.id] });
  refused(await vpc.call('DELETE', `/v1/security-groups/${group.id}`), 409, 'InUse');
  refused(
    await vpc.call('PUT', `/v1/nics/${nic}/security-groups`, { securityGroups: [group.id, group.id] }),
    400,
    'InvalidParameter',
    'securityGroups',
  );
  await vpc.call('PUT', `/v1/nics/${nic}/security-groups`, { securityGroups: [] });
  assert.equal((await vpc.call('DELETE', `/v1/security-groups/${group.id}`)).status, 204);
  const bound = await vpc.call('POST', '/v1/public-addresses', { nic });
  assert.equal(bound.status, 201);
  refused(await vpc.call('POST', '/v1/public-addresses', { nic }), 409, 'InUse');
  assert.equal((await vpc.call('DELETE', `/v1/public-addresses/${bound.body.id}`)).status, 204);
  assert.equal((await vpc.call('PATCH', `/v1/tags/${nic}`, { set: { a: '1', b: '2' }, remove: ['a'] })).status, 204);
  assert.equal((await vpc.call('GET', '/v1/nics?tag=b%3D2&tag=a%3D1')).body.items.length, 0);
  assert.equal((await vpc.call('GET', '/v1/nics?tag=b%3D2')).body.items.length, 1);
  refused(await vpc.call('PATCH', '/v1/tags/nic-00000000000000000', { set: {} }), 404, 'NotFound');
  assert.equal((await vpc.call('PUT', '/v1/instance-types/big', { nics: 2, addressSlotsPerNic: 50, ipv6SlotsPerNic: 0 })).status, 200);
  refused(await vpc.call('POST', '/v1/instances', { name: 'n', type: 'big', subnet }), 409, 'NoIpv6');
  refused(await vpc.call('POST', '/v1/instances', { name: 'n', type: 'huge', subnet }), 404, 'NotFound');
});

test('lists are paged: every object once, in pages of the size asked for', async () => {
  await using vpc = await testVpc();
  const subnet = await withSubnet(vpc);
  const made = new Set<string>();
  for (let i = 0; i < 7; i++) made.add(await newNic(vpc, subnet));
  const seen: string[] = [];
  let after = '';
  for (let page = 0; page < 10; page++) {
    const { items, next } = (await vpc.call('GET', `/v1/nics?limit=3${after}`)).body;
    assert.ok(items.length <= 3);
    seen.push(...items.map(({ id }: { id: string }) => id));
    if (next === undefined) break;
    after = `&after=${next}`;
  }
  assert.deepEqual([seen.length, new Set(seen)], [7, made]);
});

test('a body that never ends, and one that is cut off, hurt nobody else', async () => {
  await using vpc = await testVpc();
  const { connect } = await import('node:net');
  const { hostname, port } = new URL(vpc.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  socket.write('POST /v1/nics HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{');
  assert.equal((await call(vpc.url, 'GET', '/v1/health')).status, 200);
  socket.destroy();
  assert.equal((await call(vpc.url, 'GET', '/v1/health')).status, 200);
});
