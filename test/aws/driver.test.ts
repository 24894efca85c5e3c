/** The driver for AWS against servers that lie, stall, hang up, throttle, and refuse for every code of its table. */
import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { test } from 'node:test';
import { byCode } from '../../src/cloud/aws/refusals.ts';
import type { InstanceId, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import type { ErrorName } from '../../src/errors/catalogue.ts';
import { isFailure, sentence } from '../../src/errors/failure.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { actionOf, type Answer, fields, liar, nicsXml, plugXml, refusal, xml } from './liar.ts';
import { deadlines } from '../cloud/deadlines.ts';
import { assertDecisions, toldRefusals } from '../cloud/decision-words.ts';

const nicId = 'eni-0123456789abcdef0' as NicId;
const other = 'eni-0123456789abcdef1' as NicId;
const instance = 'i-0123456789abcdef0' as InstanceId;
const subnet = 'subnet-0123456789abcdef0' as SubnetId;
const request = { clientToken: 't', subnet, securityGroups: [], tags: { 'flatpod.dev/cluster': 'c' }, description: '' };

const fails =
  (kind: ErrorName, words = /./) =>
  (error: unknown) => {
    assert.ok(isFailure(error, kind), String(error));
    assert.match(sentence(error), words);
    return true;
  };

/** Answers by the name of the call; what is not named is refused as a novelty. */
const byCall =
  (answers: Readonly<Record<string, Answer>>): Answer =>
  (response, body) =>
    (answers[actionOf(body)] ?? refusal('Novelty', 418))(response, body);

test('an answer that is not what EC2 promises is refused with the place where it is wrong', async () => {
  await using server = await liar();
  const address = (ip: string): string =>
    `<privateIpAddressesSet><item><privateIpAddress>${ip}</privateIpAddress></item></privateIpAddressesSet>`;
  for (const [lie, words] of [
    ['<networkInterfaceSet>none</networkInterfaceSet>', /networkInterfaceSet should be an object/],
    ['<networkInterfaceSet><item/></networkInterfaceSet>', /networkInterfaceSet\.item\[0\] should be an object/],
    [nicsXml({ '': '' }), /item\[0\]\.networkInterfaceId should be an id/],
    [nicsXml({ [nicId]: '' }).replace('02:00', 'no'), /macAddress should be an Ethernet address/],
    [nicsXml({ [nicId]: '<privateIpAddress>10.20.0.500</privateIpAddress>' }), /privateIpAddress should be an address/],
    [nicsXml({ [nicId]: address('x') }), /privateIpAddressesSet should be an address/],
    [nicsXml({ [nicId]: '<ipv4PrefixSet><item><ipv4Prefix>10.20.0.0/27</ipv4Prefix></item></ipv4PrefixSet>' }), /should be a \/32, \/28/],
    [nicsXml({ [nicId]: plugXml(instance, 1, '', 'lost') }), /status should be attaching or attached or detaching or detached/],
    [nicsXml({ [nicId]: plugXml(instance, 1).replace('>1<', '>-1<') }), /deviceIndex should be a whole number/],
    [nicsXml({ [nicId]: plugXml(instance, 1, '<attachTime>soon</attachTime>') }), /attachTime should be a time/],
    [nicsXml({ [nicId]: '<tagSet><item><value>v</value></item></tagSet>' }), /tagSet\.item\[0\]\.key should be text/],
  ] as const) {
    server.answer = fields(lie);
    await assert.rejects(server.cloud.nics({ ids: [nicId] }), fails('cloudGarbled', words), lie);
  }
});

test('another program at the address is told from EC2', async () => {
  await using server = await liar();
  for (const [answer, kind, words] of [
    [xml('<html><body>welcome</body></html>'), 'cloudGarbled', /<html> instead of <DescribeNetworkInterfacesResponse>/],
    [xml('<!DOCTYPE html><html>'), 'cloudGarbled', /no XML/],
    [xml(''), 'cloudGarbled', /no XML/],
    [xml('{"error":"x"}', 403), 'cloudGarbled', /status 403: no XML/],
    [
      xml('<html>moved</html>', 301, { location: 'https://elsewhere.example/' }),
      'cloudGarbled',
      /status 301: it is at https:\/\/elsewhere/,
    ],
    [xml('<html>busy</html>', 503), 'cloudUnavailable', /status 503/],
    [xml('', 502), 'cloudUnavailable', /status 502/],
    [xml('slow down', 429), 'cloudThrottled', /status 429/],
    [xml(`<a>${'x'.repeat(17 << 20)}</a>`), 'cloudGarbled', /more than/],
    [fields(nicsXml({ [nicId]: '' }).slice(0, 60)), 'cloudGarbled', /no XML/],
  ] as const) {
    server.answer = answer;
    await assert.rejects(server.cloud.nics({ ids: [nicId] }), fails(kind, words));
  }
});

test('silence, half an answer and a closed connection are unavailability, and a changing call is sent once', async (t) => {
  const { given_ms, pass } = deadlines(t);
  await using server = await liar({ options: { deadline_ms: 60_000 } });
  const half: Answer = (response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('<AssignPrivateIpAddressesResponse>');
    setImmediate(() => response.destroy());
  };
  for (const answer of [pass, half, (response: Parameters<Answer>[0]) => response.destroy()]) {
    server.answer = answer;
    const before = server.asked.length;
    await assert.rejects(server.cloud.assign(nicId, { addresses4: 1 }), fails('cloudUnavailable'));
    assert.equal(server.asked.length, before + 1);
  }
  assert.ok(
    given_ms.every((ms) => ms > 0 && ms <= 60_000),
    given_ms.join(),
  );
});

test('each code has one meaning, and docs/clouds/aws.md tells the same', async () => {
  await using server = await liar();
  const rows = toldRefusals('aws.md', /^`[\w.]+`$/);
  assertDecisions(rows);
  const told = new Map(rows.map(({ labels: [code = ''], kind }) => [code, kind]));
  for (const code of Object.keys(byCode)) {
    server.answer = refusal(code, 418);
    const error: unknown = await server.cloud.assign(nicId, { addresses4: 1 }).catch((thrown: unknown) => thrown);
    assert.ok(isFailure(error), String(error));
    assert.equal(told.get(code), error.kind, code);
    assert.ok(!sentence(error).includes('{'), sentence(error));
  }
  assert.deepEqual(new Set(told.keys()), new Set(Object.keys(byCode)));
});

test('a quota of the account is told by its name; what the type of an instance allows is a limit', async () => {
  await using server = await liar();
  for (const [code, kind, words] of [
    ['NetworkInterfaceLimitExceeded', 'cloudQuota', /“Network interfaces per Region” in Service Quotas/],
    ['SecurityGroupsPerInterfaceLimitExceeded', 'cloudQuota', /“Security groups per network interface” in Service Quotas/],
    ['ResourceLimitExceeded', 'cloudQuota', /which quota of EC2 or of the VPC is used up in Service Quotas/],
    ['AttachmentLimitExceeded', 'cloudLimit', /a larger instance type/],
    ['PrivateIpAddressLimitExceeded', 'cloudLimit', /a larger instance type/],
  ] as const) {
    server.answer = refusal(code, 400);
    await assert.rejects(server.cloud.assign(nicId, { addresses4: 1 }), fails(kind, words));
  }
});

test('a code nobody knows is judged by its family, then by its status', async () => {
  await using server = await liar();
  for (const [code, status, kind] of [
    ['SomethingLimitExceeded', 400, 'cloudLimit'],
    ['ThrottledForNow', 400, 'cloudThrottled'],
    ['InvalidNovelty.NotFound', 400, 'cloudNotFound'],
    ['InvalidNovelty.Malformed', 400, 'cloudInvalid'],
    ['Novelty.InUse', 400, 'cloudConflict'],
    ['InsufficientNovelty', 400, 'cloudSubnetFull'],
    ['Novelty', 429, 'cloudThrottled'],
    ['Novelty', 500, 'cloudUnavailable'],
    ['Novelty', 403, 'cloudDenied'],
    ['Novelty', 401, 'cloudCredentials'],
    ['Novelty', 400, 'cloudInvalid'],
  ] as const) {
    server.answer = refusal(code, status);
    await assert.rejects(server.cloud.assign(nicId, { addresses4: 1 }), fails(kind));
  }
});

test('a refusal tells the request’s id, which action was not permitted, and not the encoded message', async () => {
  await using server = await liar();
  const secret = 'aBcDeFgHiJkLmNoPqRsTuVwXyZ0123456789'.repeat(20);
  const message = `You are not authorized to perform this operation. User: arn:aws:iam::1:user/x is not authorized to perform: ec2:AssignPrivateIpAddresses on resource: arn:aws:ec2:eu-west-1:1:network-interface/${nicId} because no identity-based policy allows it. Encoded authorization failure message: ${secret}`;
  server.answer = refusal('UnauthorizedOperation', 403, message);
  await assert.rejects(server.cloud.assign(nicId, { addresses4: 1 }), (error: unknown) => {
    fails('cloudDenied', /ec2:AssignPrivateIpAddresses on resource: arn:.*aBcDeFgHiJkL….*request req-1/)(error);
    assert.doesNotMatch(inspect(error, { depth: null, showHidden: true }), /aBcDeFgHiJkLm/);
    return true;
  });
});

test('no secret is in a failure, nor in the driver itself', async () => {
  await using server = await liar({ options: { deadline_ms: 100 } });
  for (const answer of [refusal('AuthFailure', 401), refusal('SignatureDoesNotMatch', 403), () => {}, xml('x')] as Answer[]) {
    server.answer = answer;
    const error: unknown = await server.cloud.assign(nicId, { addresses4: 1 }).catch((thrown: unknown) => thrown);
    for (const shown of [error, server.cloud])
      assert.doesNotMatch(inspect(shown, { depth: null, showHidden: true, getters: true }), /SECRET-0/);
  }
});

test('a list is read page by page, and left after a hundred', async () => {
  await using server = await liar({ options: { deadline_ms: 10_000 } });
  const pages = [nicsXml({ [nicId]: '' }) + '<nextToken>second</nextToken>', nicsXml({ [other]: '' }) + '<nextToken/>'];
  server.answer = (response, body) => fields(pages[new URLSearchParams(body).get('NextToken') === 'second' ? 1 : 0] ?? '')(response, body);
  assert.deepEqual(
    (await server.cloud.nics({ ids: [nicId, other] })).map(({ id }) => id),
    [nicId, other],
  );
  server.answer = fields('<networkInterfaceSet/><nextToken>more</nextToken>');
  server.asked.length = 0;
  await assert.rejects(server.cloud.nics({ ids: [nicId] }), fails('cloudGarbled', /100 pages/));
  assert.equal(server.asked.length, 100);
});

test('more values than a filter takes are asked for in several lists, and what was not asked for is left out', async () => {
  await using server = await liar();
  const ids = Array.from({ length: 450 }, (_, i) => `eni-${i.toString(16).padStart(17, '0')}` as NicId);
  server.answer = fields(nicsXml({ [ids[0] ?? '']: '', [other]: '' }));
  assert.deepEqual(
    (await server.cloud.nics({ ids })).map(({ id }) => id),
    [ids[0]],
  );
  const asked = server.asked.flatMap((body) => [...new URLSearchParams(body)].filter(([name]) => name.startsWith('Filter.1.Value.')));
  assert.deepEqual([server.asked.length, asked.length, new Set(asked.map(([, value]) => value)).size], [3, 450, 450]);
});

test('an assign is believed only when it gives exactly what was asked', async () => {
  await using server = await liar();
  const addresses = (...ips: string[]): Answer =>
    fields(
      `<assignedPrivateIpAddressesSet>${ips.map((ip) => `<item><privateIpAddress>${ip}</privateIpAddress></item>`).join('')}</assignedPrivateIpAddressesSet>`,
    );
  for (const answer of [
    addresses(),
    addresses('10.20.0.6'),
    addresses('10.20.0.6', '10.20.0.6'),
    addresses('10.20.0.6', '10.20.0.7', '10.20.0.8'),
    addresses('10.20.0.6', '2001:db8::1'),
    fields('<assignedIpv4PrefixSet><item><ipv4Prefix>10.20.0.0/28</ipv4Prefix></item></assignedIpv4PrefixSet>'),
  ]) {
    server.answer = answer;
    await assert.rejects(server.cloud.assign(nicId, { addresses4: 2 }), fails('cloudGarbled'));
  }
  server.answer = addresses('10.20.0.6', '10.20.0.7');
  assert.deepEqual(await server.cloud.assign(nicId, { addresses4: 2 }), ['10.20.0.6/32', '10.20.0.7/32']);
  // By value EC2 need not tell what was there before, and may tell nothing that was not asked for.
  const these = [parseCidr('10.20.0.9/32')];
  server.answer = byCall({
    DescribeNetworkInterfaces: fields(nicsXml({ [nicId]: '' })),
    AssignPrivateIpAddresses: fields('<requestId>r</requestId>'),
  });
  assert.deepEqual(await server.cloud.assign(nicId, { these }), these);
  server.answer = addresses('10.20.0.5');
  await assert.rejects(server.cloud.assign(nicId, { these }), fails('cloudGarbled', /10\.20\.0\.5\/32, which nobody asked for/));
});

test('what an earlier lot gave is taken back when a later one is refused; when that fails too, nobody is told that nothing happened', async () => {
  await using server = await liar();
  const given = fields(
    '<assignedPrivateIpAddressesSet><item><privateIpAddress>10.20.0.6</privateIpAddress></item></assignedPrivateIpAddressesSet>',
  );
  const assigning: Answer = (response, body) =>
    (body.includes('SecondaryPrivateIpAddressCount') ? given : refusal('InsufficientCidrBlocks'))(response, body);
  server.answer = byCall({ AssignPrivateIpAddresses: assigning, UnassignPrivateIpAddresses: fields('<return>true</return>') });
  await assert.rejects(server.cloud.assign(nicId, { addresses4: 1, prefixes4: 1 }), fails('cloudSubnetFull', /1 \/28 prefixes/));
  assert.equal(new URLSearchParams(server.asked.at(-1)).get('PrivateIpAddress.1'), '10.20.0.6');
  server.answer = byCall({ AssignPrivateIpAddresses: assigning });
  await assert.rejects(
    server.cloud.assign(nicId, { addresses4: 1, prefixes4: 1 }),
    fails('cloudUnavailable', /10\.20\.0\.6\/32 were given before that/),
  );
  // An unclear answer is not cleaned up after: it may have been done.
  server.asked.length = 0;
  server.answer = byCall({
    AssignPrivateIpAddresses: (response, body) => (body.includes('PrefixCount') ? response.destroy() : given(response, body)),
  });
  await assert.rejects(server.cloud.assign(nicId, { addresses4: 1, prefixes4: 1 }), fails('cloudUnavailable'));
  assert.deepEqual(server.asked.map(actionOf), ['AssignPrivateIpAddresses', 'AssignPrivateIpAddresses']);
});

test('what was there before is never taken back, nor what may have been there', async () => {
  await using server = await liar();
  const six = parseCidr('2001:db8::9/128');
  const ok = fields('<requestId>r</requestId>');
  const answers = (held: string) => ({
    DescribeNetworkInterfaces: fields(
      nicsXml({ [nicId]: `<privateIpAddressesSet><item><privateIpAddress>${held}</privateIpAddress></item></privateIpAddressesSet>` }),
    ),
    AssignPrivateIpAddresses: ok,
    AssignIpv6Addresses: refusal('InvalidParameterValue'),
    UnassignPrivateIpAddresses: ok,
  });
  /** Asks for the address and another one that is refused; tells whether the address is taken back. */
  const takenBack = async (address: string): Promise<boolean> => {
    server.asked.length = 0;
    await assert.rejects(server.cloud.assign(nicId, { these: [parseCidr(`${address}/32`), six] }), fails('cloudInvalid'));
    return server.asked.some((body) => actionOf(body) === 'UnassignPrivateIpAddresses');
  };
  server.answer = byCall(answers('10.20.0.9'));
  assert.ok(!(await takenBack('10.20.0.9')), 'it was there');
  assert.ok(await takenBack('10.20.0.8'), 'it was not there');
  assert.ok(await takenBack('10.20.0.8'), 'nor was it the next time');
  server.answer = byCall({ ...answers('10.20.0.9'), AssignIpv6Addresses: ok });
  await server.cloud.assign(nicId, { these: [parseCidr('10.20.0.7/32'), six] });
  server.answer = byCall(answers('10.20.0.9'));
  assert.ok(!(await takenBack('10.20.0.7')), 'the list may be older than our last assign');
  server.answer = (response) => response.destroy();
  await assert.rejects(server.cloud.assign(nicId, { addresses4: 1 }), fails('cloudUnavailable'));
  server.answer = byCall(answers('10.20.0.9'));
  assert.ok(!(await takenBack('10.20.0.6')), 'nobody knows what the lost call gave');
});

test('an interface that EC2 cannot give all that is wanted of it is deleted again', async () => {
  await using server = await liar();
  const made = nicsXml({ [nicId]: '<ipv4PrefixSet><item><ipv4Prefix>10.20.0.16/28</ipv4Prefix></item></ipv4PrefixSet>' })
    .replaceAll('networkInterfaceSet', 'networkInterface')
    .replaceAll(/<\/?item>(?=<networkInterfaceId>|<\/networkInterface>)/g, '');
  const answers = {
    DescribeSubnets: fields('<subnetSet/>'),
    CreateNetworkInterface: fields(made),
    AssignPrivateIpAddresses: refusal('InsufficientFreeAddressesInSubnet'),
  };
  server.answer = byCall({ ...answers, DeleteNetworkInterface: fields('<return>true</return>') });
  const want = { these: [parseCidr('10.20.0.16/28')], addresses4: 1 };
  await assert.rejects(server.cloud.createNic({ ...request, want }), fails('cloudSubnetFull'));
  assert.deepEqual(server.asked.map(actionOf).slice(1), ['CreateNetworkInterface', 'AssignPrivateIpAddresses', 'DeleteNetworkInterface']);
  server.answer = byCall(answers);
  await assert.rejects(server.cloud.createNic({ ...request, want }), fails('cloudUnavailable', /could not be deleted/));
});

test('an interface that was made a moment ago and is not known yet is not missing, and not gone', async () => {
  let now_ms = Date.now();
  await using server = await liar({ options: { now_ms: () => now_ms } });
  server.answer = fields(
    `<networkInterface><networkInterfaceId>${nicId}</networkInterfaceId><subnetId>${subnet}</subnetId><macAddress>02:00:00:00:00:01</macAddress></networkInterface>`,
  );
  await server.cloud.createNic(request);
  server.answer = byCall({
    DescribeNetworkInterfaces: fields('<networkInterfaceSet/>'),
    ...Object.fromEntries(
      ['AttachNetworkInterface', 'AssignPrivateIpAddresses', 'DeleteNetworkInterface'].map((call) => [
        call,
        refusal('InvalidNetworkInterfaceID.NotFound'),
      ]),
    ),
  });
  const calls = [
    () => server.cloud.attachNic(nicId, instance, 1),
    () => server.cloud.assign(nicId, { addresses4: 1 }),
    () => server.cloud.detachNic(nicId),
    () => server.cloud.deleteNic(nicId),
  ];
  for (const call of calls)
    await assert.rejects(call(), fails('cloudConflict', /made 0 s ago and is (not known everywhere|in no list) yet/));
  now_ms += 61_000;
  for (const call of calls.slice(0, 3)) await assert.rejects(call(), fails('cloudNotFound'));
  await server.cloud.deleteNic(nicId);
});

test('an attachment whose answer was lost is seen, and its interface made to go with the instance', async () => {
  await using server = await liar();
  const there = (more: string, index = 1): Answer => fields(nicsXml({ [nicId]: plugXml(instance, index, more, 'attaching') }));
  const answers = {
    AttachNetworkInterface: refusal('InvalidNetworkInterface.InUse'),
    ModifyNetworkInterfaceAttribute: fields('<return>true</return>'),
  };
  const modified = (): number => server.asked.filter((body) => actionOf(body) === 'ModifyNetworkInterfaceAttribute').length;
  server.answer = byCall({ ...answers, DescribeNetworkInterfaces: there('') });
  await server.cloud.attachNic(nicId, instance, 1);
  assert.equal(modified(), 1);
  server.answer = byCall({ ...answers, DescribeNetworkInterfaces: there('<deleteOnTermination>true</deleteOnTermination>') });
  await server.cloud.attachNic(nicId, instance, 1);
  assert.equal(modified(), 1);
  server.answer = byCall({ ...answers, DescribeNetworkInterfaces: there('', 2) });
  await assert.rejects(server.cloud.attachNic(nicId, instance, 1), fails('cloudConflict', /InUse/));
});

test('that an interface goes with its instance is asked for again while EC2 is busy', async () => {
  await using server = await liar();
  let refusals = 2;
  const modify: Answer = (response, body) =>
    (refusals-- > 0 ? refusal('RequestLimitExceeded', 503) : fields('<return>true</return>'))(response, body);
  server.answer = byCall({ AttachNetworkInterface: fields('<attachmentId>a</attachmentId>'), ModifyNetworkInterfaceAttribute: modify });
  await server.cloud.attachNic(nicId, instance, 1);
  assert.deepEqual(server.asked.map(actionOf), [
    'AttachNetworkInterface',
    ...Array.from({ length: 3 }, () => 'ModifyNetworkInterfaceAttribute'),
  ]);
});

test('interfaces of the AWS VPC CNI are shown without blocks, and not touched', async () => {
  await using server = await liar();
  const address = '<privateIpAddressesSet><item><privateIpAddress>10.20.0.9</privateIpAddress></item></privateIpAddressesSet>';
  const tag = (key: string): string => `<tagSet><item><key>${key}</key><value>v</value></item></tagSet>`;
  for (const key of [
    'node.k8s.amazonaws.com/instance_id',
    'node.k8s.amazonaws.com/no_manage',
    'eks:eni:owner',
    'vpcresources.k8s.aws/trunk-eni-id',
  ]) {
    server.answer = fields(nicsXml({ [nicId]: address + tag(key) + plugXml(instance, 1) }));
    const [shown] = await server.cloud.nics({ ids: [nicId] });
    assert.deepEqual([shown?.blocks, shown?.tags], [[], { [key]: 'v' }]);
    server.asked.length = 0;
    for (const call of [
      server.cloud.assign(nicId, { addresses4: 1 }),
      server.cloud.unassign(nicId, [parseCidr('10.20.0.9/32')]),
      server.cloud.attachNic(nicId, instance, 2),
      server.cloud.detachNic(nicId),
      server.cloud.deleteNic(nicId),
    ]) {
      await assert.rejects(call, fails('cloudInvalid', new RegExp(`by its tag ${key}`)));
    }
    assert.deepEqual(server.asked, []);
  }
  server.answer = fields(nicsXml({ [nicId]: address + tag('Name') }));
  assert.deepEqual((await server.cloud.nics({ ids: [nicId] }))[0]?.blocks, ['10.20.0.9/32']);
});

test('an interface is as old as anybody can tell: since it was attached, or since it was first seen', async () => {
  let now_ms = Date.UTC(2026, 0, 2);
  await using server = await liar({ options: { now_ms: () => now_ms } });
  const created = async (): Promise<number | undefined> => (await server.cloud.nics({ ids: [nicId] }))[0]?.createdAt_ms;
  server.answer = fields(nicsXml({ [nicId]: '' }));
  const first_ms = now_ms;
  assert.equal(await created(), first_ms);
  now_ms += 5000;
  assert.equal(await created(), first_ms);
  server.answer = fields(nicsXml({ [nicId]: plugXml(instance, 1, '<attachTime>2026-01-01T00:00:00.000Z</attachTime>') }));
  assert.equal(await created(), Date.UTC(2026, 0, 1));
});

test('an instance’s limits are asked for once a type, and are those of its first network card', async () => {
  await using server = await liar();
  const one = (id: string): string =>
    `<item><instancesSet><item><instanceId>${id}</instanceId><instanceType>p4d.24xlarge</instanceType><instanceState><name>pending</name></instanceState>
      <placement><availabilityZone>z1</availabilityZone></placement></item></instancesSet></item>`;
  const card = (index: number): string =>
    `<item><networkCardIndex>${index}</networkCardIndex><maximumNetworkInterfaces>15</maximumNetworkInterfaces></item>`;
  server.answer = byCall({
    DescribeInstances: fields(`<reservationSet>${one(instance)}</reservationSet>`),
    DescribeInstanceTypes: fields(
      `<instanceTypeSet><item><instanceType>p4d.24xlarge</instanceType><networkInfo><maximumNetworkInterfaces>60</maximumNetworkInterfaces>
        <ipv4AddressesPerInterface>50</ipv4AddressesPerInterface><ipv6AddressesPerInterface>50</ipv6AddressesPerInterface>
        <networkCards>${[0, 1, 2, 3].map(card).join('')}</networkCards></networkInfo></item></instanceTypeSet>`,
    ),
  });
  for (let i = 0; i < 2; i++) {
    const { limits, state } = await server.cloud.instance(instance);
    assert.deepEqual([limits, state], [{ nics: 15, addressSlotsPerNic: 50, ipv6SlotsPerNic: 50 }, 'running']);
  }
  assert.equal(server.asked.filter((body) => actionOf(body) === 'DescribeInstanceTypes').length, 1);
  server.answer = fields('<reservationSet/>');
  await assert.rejects(server.cloud.instance(instance), fails('cloudNotFound'));
});

test('of IPv6 addresses the marked one is the interface’s own; without a mark the first, on another’s interface, or by our tag; else none', async () => {
  await using server = await liar();
  const six = (marked: string): string =>
    `<ipv6AddressesSet>${['2001:db8::1', '2001:db8::2'].map((ip) => `<item><ipv6Address>${ip}</ipv6Address><isPrimaryIpv6>${ip === marked}</isPrimaryIpv6></item>`).join('')}</ipv6AddressesSet>`;
  const tags = (...keys: string[]): string =>
    `<tagSet>${keys.map((key) => `<item><key>${key}</key><value>c</value></item>`).join('')}</tagSet>`;
  const tag = tags('flatpod.dev/cluster');
  const both = tags('flatpod.dev/cluster', 'flatpod.dev/own-ipv6');
  for (const [more, own, blocks] of [
    [six('2001:db8::2'), '2001:db8::2', ['2001:db8::1/128']],
    [six(''), '2001:db8::1', ['2001:db8::2/128']],
    [six('2001:db8::2') + tag, '2001:db8::2', ['2001:db8::1/128']],
    [six('') + tag, undefined, ['2001:db8::1/128', '2001:db8::2/128']],
    [six('2001:db8::2') + both, '2001:db8::2', ['2001:db8::1/128']],
    [six('') + both, '2001:db8::1', ['2001:db8::2/128']],
    [both, undefined, []],
  ] as const) {
    server.answer = fields(nicsXml({ [nicId]: more }));
    const [shown] = await server.cloud.nics({ ids: [nicId] });
    assert.deepEqual([shown?.primary6, shown?.blocks], [own, blocks]);
  }
});

test('interfaces of other network cards are not the instance’s, and those of load balancers are somebody’s', async () => {
  await using server = await liar();
  const balancer =
    '<attachment><attachmentId>ela-1</attachmentId><instanceOwnerId>amazon-elb</instanceOwnerId><status>attached</status></attachment>';
  server.answer = fields(
    nicsXml({ [nicId]: plugXml(instance, 1), [other]: plugXml(instance, 1, '<networkCardIndex>1</networkCardIndex>') }),
  );
  assert.deepEqual(
    (await server.cloud.nics({ instance })).map(({ id }) => id),
    [nicId],
  );
  server.answer = fields(nicsXml({ [nicId]: balancer, [other]: plugXml(instance, 1, '', 'detached') }));
  const found = await server.cloud.nics({ ids: [nicId, other] });
  assert.deepEqual(
    found.map(({ attachment }) => attachment?.instance),
    ['amazon-elb', undefined],
  );
});

test('ten thousand interfaces are read, page by page', async () => {
  await using server = await liar({ options: { deadline_ms: 30_000 } });
  const id = (i: number): string => `eni-${i.toString(16).padStart(17, '0')}`;
  const address = (i: number): string =>
    `<privateIpAddressesSet><item><privateIpAddress>10.20.${i >> 8}.${i & 255}</privateIpAddress></item></privateIpAddressesSet>`;
  server.answer = (response, body) => {
    const from = Number(new URLSearchParams(body).get('NextToken') ?? 0);
    const page = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [id(from + i), address(from + i) + tagged]));
    fields(nicsXml(page) + (from < 9500 ? `<nextToken>${from + 500}</nextToken>` : ''))(response, body);
  };
  const tagged = '<tagSet><item><key>flatpod.dev/cluster</key><value>c</value></item></tagSet>';
  const found = await server.cloud.nics({ tags: { 'flatpod.dev/cluster': 'c' } });
  assert.deepEqual([found.length, new Set(found.flatMap(({ blocks }) => blocks)).size, server.asked.length], [10_000, 10_000, 20]);
});

test('a list of before our own unassign is not taken for what is there now', async () => {
  await using server = await liar();
  const held = '<privateIpAddressesSet><item><privateIpAddress>10.20.0.9</privateIpAddress></item></privateIpAddressesSet>';
  const these = [parseCidr('10.20.0.9/32')];
  server.answer = byCall({
    DescribeNetworkInterfaces: fields(nicsXml({ [nicId]: held })),
    AssignPrivateIpAddresses: refusal('InvalidParameterValue'),
    UnassignPrivateIpAddresses: fields('<return>true</return>'),
  });
  assert.deepEqual(await server.cloud.assign(nicId, { these }), these);
  await server.cloud.unassign(nicId, these);
  await assert.rejects(server.cloud.assign(nicId, { these }), fails('cloudConflict', /only in a list of before/));
});

test('a clock that is off is set right by EC2’s own, and the call made once more', async () => {
  const hour_ms = 3_600_000;
  await using server = await liar({ options: { now_ms: () => Date.now() - hour_ms } });
  const date = (): string => new Date().toUTCString();
  // 20261122T145449Z
  const signedAt_ms = (): number =>
    Date.parse((server.headers.at(-1)?.['x-amz-date'] ?? '').replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
  const isRight = (): boolean => Math.abs(Date.now() - signedAt_ms()) < hour_ms / 2;
  server.answer = (response, body) =>
    (isRight() ? fields('<networkInterfaceSet/>') : refusal('RequestExpired', 400, '', { date: date() }))(response, body);
  assert.deepEqual(await server.cloud.nics({ ids: [nicId] }), []);
  assert.equal(server.asked.length, 2);
  await server.cloud.nics({ ids: [nicId] });
  assert.equal(server.asked.length, 3, 'the difference is remembered');
  server.asked.length = 0;
  server.answer = refusal('AuthFailure', 401, '', { date: date() });
  await assert.rejects(
    server.cloud.nics({ ids: [nicId] }),
    fails('cloudCredentials', /AuthFailure.*our clock is 3[56]\d\d s behind the server’s/),
  );
  assert.equal(server.asked.length, 1, 'neither the clock nor the keys would be others');
});
