/** The driver for OpenStack against servers that lie, stall, hang up, and refuse for every reason of its tables. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import type { InstanceId, NicId, SubnetId } from '../../src/cloud/cloud.ts';
import { neutronRefusals, novaRefusals } from '../../src/cloud/openstack/refusals.ts';
import { isFailure } from '../../src/errors/failure.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { fails, raw } from '../cloud/scripted-server.ts';
import { json, liar } from './driver-liar.ts';
import { deadlines } from '../cloud/deadlines.ts';
import { assertDecisions, toldRefusals } from '../cloud/decision-words.ts';

const id = 'd0000000-0000-4000-8000-000000000001' as NicId;
const server = 'c0000000-0000-4000-8000-000000000001' as InstanceId;
const subnet = 'a0000000-0000-4000-8000-000000000001' as SubnetId;
const port = {
  id,
  name: '',
  description: '',
  network_id: 'b0000000-0000-4000-8000-000000000001',
  mac_address: 'fa:16:3e:00:00:01',
  status: 'DOWN',
  device_id: '',
  device_owner: 'flatpod:nic',
  fixed_ips: [{ subnet_id: subnet, ip_address: '10.20.0.5' }],
  allowed_address_pairs: [],
  security_groups: [],
  port_security_enabled: true,
  tags: ['a=b'],
  revision_number: 3,
  created_at: '2026-11-22T04:14:00Z',
};
const network = { id: port.network_id, mtu: 1450, project_id: 'p1', shared: false, 'router:external': false };

/** A Neutron with these ports, which believes nothing and keeps nothing. */
const neutronWith =
  (ports: readonly object[]) =>
  (response: ServerResponse, { path }: { readonly path: string }): void => {
    if (path.includes('/networks')) return json({ networks: [network] })(response);
    return json({ ports: path.includes('device_id=') ? [] : ports })(response);
  };

test('a NIC is read from its port', async () => {
  await using one = await liar();
  one.answer = neutronWith([port]);
  assert.deepEqual(await one.cloud.nics({ ids: [id] }), [
    {
      id,
      mac: 'fa:16:3e:00:00:01',
      subnet,
      mtu: 1450,
      primary4: '10.20.0.5',
      blocks: [],
      securityGroups: [],
      tags: { a: 'b' },
      nodeAnswers: true,
      createdAt_ms: Date.UTC(2026, 10, 22, 4, 14),
    },
  ]);
  assert.ok(one.asked.every(({ headers }) => headers['x-auth-token'] === 'token-1'));
  assert.match(one.asked[0]?.path ?? '', /^\/network\/v2\.0\/ports\?/);
});

test('an answer that is not what the API promises is refused with the place where it is wrong', async () => {
  await using one = await liar();
  const lies: [unknown, RegExp][] = [
    [{ ports: 'none' }, /answer\.ports should be a list/],
    [{ ports: [null] }, /answer\.ports\[0\] should be an object/],
    [{ ports: [{ ...port, mac_address: 'no' }] }, /mac_address should be an Ethernet address/],
    [{ ports: [{ ...port, fixed_ips: [{ subnet_id: subnet, ip_address: '10.20.0.500' }] }] }, /ip_address should be an address/],
    [{ ports: [{ ...port, allowed_address_pairs: [{ ip_address: 'x', mac_address: port.mac_address }] }] }, /an address or a block/],
    [{ ports: [{ ...port, revision_number: -1 }] }, /revision_number should be a whole number/],
    [{ ports: [{ ...port, created_at: 'yesterday' }] }, /created_at should be a time/],
    [{ ports: [{ ...port, tags: undefined }] }, /tags should be a list/],
    [{ ports: [{ ...port, id: server }] }, /which was not asked for/],
    [{ ports: [port], ports_links: [{ rel: 'next', href: 'nowhere?id=x' }] }, /has no marker/],
    [[], /answer should be an object/],
  ];
  for (const [lie, words] of lies) {
    one.answer = json(lie);
    await assert.rejects(one.cloud.nics({ ids: [id] }), fails('cloudGarbled', words));
  }
  one.answer = json({ ports: [port] });
  await assert.rejects(one.cloud.nics({ tags: { a: 'c' } }), fails('cloudGarbled', /not asked for/));
  await assert.rejects(one.cloud.nics({ instance: server }), fails('cloudGarbled', /not asked for/));
});

test('another program at the address is told from the API', async () => {
  await using one = await liar();
  for (const [answer, words] of [
    [raw('<html>welcome</html>'), /no JSON/],
    [raw(''), /should be an object, not absent/],
    [json({ ok: { nope: 1 } }, 400), /message should be text/],
  ] as const) {
    one.answer = answer;
    await assert.rejects(one.cloud.nics({ ids: [id] }), fails('cloudGarbled', words));
  }
});

test('silence, half an answer and a closed connection are unavailability, and a changing request is sent once', async (t) => {
  const { given_ms, pass } = deadlines(t);
  await using one = await liar({ deadline_ms: 60_000 });
  const half = (response: ServerResponse): void => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('{"port":');
    setTimeout(() => response.destroy(), 10);
  };
  for (const broken of [pass, half, (response: ServerResponse) => void response.destroy()]) {
    one.asked.length = 0;
    one.answer = (response, { method, path }) => {
      if (method !== 'GET') return broken(response);
      return path.includes('/servers/') || path.includes('?')
        ? neutronWith([{ ...port, device_id: server, tags: ['fp:index=1'] }])(response, { path })
        : json({ port: { ...port, device_id: server, tags: ['fp:index=1'] } })(response);
    };
    await assert.rejects(one.cloud.detachNic(id), fails('cloudUnavailable'));
    assert.equal(one.asked.filter(({ method }) => method === 'DELETE').length, 1);
  }
  assert.ok(
    given_ms.every((ms) => ms > 0 && ms <= 60_000),
    given_ms.join(),
  );
});

test('a port where nobody listens is unavailability that names the endpoint', async () => {
  const one = await liar();
  await one[Symbol.asyncDispose]();
  await assert.rejects(one.cloud.network(), (error: unknown) => {
    assert.ok(isFailure(error, 'cloudUnavailable'), String(error));
    assert.ok(error.hint.includes(one.authUrl), error.hint);
    return true;
  });
});

test('lists are read to their last page by the marker of the link, whatever else it says, and left after two hundred', async () => {
  await using one = await liar({ deadline_ms: 20_000 });
  const second = { ...port, id: 'd0000000-0000-4000-8000-000000000002' as NicId, mac_address: 'fa:16:3e:00:00:02' };
  one.answer = (response, { path }) => {
    if (path.includes('/networks')) return json({ networks: [network] })(response);
    if (path.includes('device_id=')) return json({ ports: [] })(response);
    // Octavia's has no more of what was asked than the limit, or a lower one.
    const link = { rel: 'next', href: 'http://10.0.0.1:9696/v2.0/ports?limit=1&marker=m1' };
    return path.includes('marker=m1') && path.includes(`id=${id}&id=${second.id}`)
      ? json({ ports: [second], ports_links: [{ rel: 'previous', href: '?x' }] })(response)
      : json({ ports: [port], ports_links: [link] })(response);
  };
  assert.equal((await one.cloud.nics({ ids: [id, second.id] })).length, 2);
  one.asked.length = 0;
  one.answer = json({ ports: [], ports_links: [{ rel: 'next', href: '?marker=again' }] });
  await assert.rejects(one.cloud.nics({ ids: [id] }), fails('cloudGarbled', /200 pages/));
  assert.equal(one.asked.length, 200);
});

test('a list whose last item was deleted between two pages is begun anew, and given up when that goes on', async () => {
  await using one = await liar();
  const gone = { NeutronError: { type: 'PortNotFound', message: 'no such marker', detail: '' } };
  let begun = 0;
  one.answer = (response, { path }) => {
    if (path.includes('/networks')) return json({ networks: [network] })(response);
    if (path.includes('device_id=')) return json({ ports: [] })(response);
    if (path.includes('marker=')) return json(gone, 404)(response);
    const isLong = ++begun < 3;
    return json({ ports: [port], ...(isLong && { ports_links: [{ rel: 'next', href: '?marker=gone' }] }) })(response);
  };
  assert.equal((await one.cloud.nics({ ids: [id] })).length, 1);
  assert.equal(begun, 3);
  begun = -100;
  await assert.rejects(one.cloud.nics({ ids: [id] }), fails('cloudNotFound'));
});

test('each type of a refusal has one meaning, and docs/clouds/openstack.md tells the same', async () => {
  await using one = await liar();
  const rows = toldRefusals('openstack.md', /^`\w+`$/);
  assertDecisions(rows);
  const told = new Map(rows.map(({ labels: [type = ''], kind }) => [type, kind]));
  const bodies: [string, object][] = [
    ...Object.keys(neutronRefusals).map((type): [string, object] => [type, { NeutronError: { type, message: 'because', detail: '' } }]),
    ...Object.keys(novaRefusals).map((type): [string, object] => [type, { [type]: { code: 418, message: 'because' } }]),
  ];
  for (const [type, body] of bodies) {
    one.answer = json(body, 418);
    const error: unknown = await one.cloud.nics({ ids: [id] }).catch((thrown: unknown) => thrown);
    assert.ok(isFailure(error), String(error));
    assert.equal(told.get(type), error.kind, type);
    assert.ok(!error.message.includes('{') && !error.details.includes('{'), error.message);
  }
  assert.deepEqual(new Set(told.keys()), new Set(bodies.map(([type]) => type)));
});

test('a type nobody knows is judged by its status, and a busy server is one that throttles', async () => {
  await using one = await liar();
  const novelty = { NeutronError: { type: 'Novelty', message: 'because', detail: '' } };
  one.answer = raw('<html>bad gateway</html>', 502);
  await assert.rejects(one.cloud.detachNic(id), fails('cloudUnavailable', /502/));
  for (const [status, kind, headers] of [
    [429, 'cloudThrottled', {}],
    [503, 'cloudThrottled', { 'retry-after': '5' }],
    [503, 'cloudUnavailable', {}],
    [500, 'cloudUnavailable', {}],
    [403, 'cloudDenied', {}],
    [404, 'cloudNotFound', {}],
    [409, 'cloudConflict', {}],
    [400, 'cloudInvalid', {}],
  ] as const) {
    one.answer = json(novelty, status, headers);
    await assert.rejects(one.cloud.detachNic(id), fails(kind));
  }
});

test('a server is read with the limits of its flavor, and one that is gone is unknown', async () => {
  await using one = await liar({ nicsPerInstance: 5, pairsPerNic: 6, branchesPerInstance: 7 });
  const flavor = { original_name: 'm1', extra_specs: {} };
  const found = { id: server, status: 'ACTIVE', 'OS-EXT-AZ:availability_zone': 'z1', flavor };
  one.answer = json({ server: found });
  const limits = { nics: 5, addressSlotsPerNic: 7, ipv6SlotsPerNic: 7, branches: 7 };
  assert.deepEqual(await one.cloud.instance(server), { id: server, zone: 'z1', type: 'm1', limits, state: 'running' });
  assert.equal(one.asked[0]?.headers['openstack-api-version'], 'compute 2.49');
  const specs = { 'flatpod:nics': '3', 'flatpod:slots': '9', 'flatpod:branches': '0', 'hw:cpu': 'x' };
  one.answer = json({ server: { ...found, status: 'DELETED', flavor: { ...flavor, extra_specs: specs } } });
  const told = await one.cloud.instance(server);
  assert.deepEqual([told.state, told.limits], ['terminated', { nics: 3, addressSlotsPerNic: 9, ipv6SlotsPerNic: 9 }]);
  one.answer = json({ server: { ...found, flavor: { ...flavor, extra_specs: { 'flatpod:nics': 'many' } } } });
  await assert.rejects(one.cloud.instance(server), fails('cloudGarbled', /flatpod:nics should be a whole number/));
  one.answer = json({ itemNotFound: { code: 404, message: 'gone' } }, 404);
  await assert.rejects(one.cloud.instance(server), fails('cloudNotFound'));
  assert.deepEqual(await one.cloud.instances([server]), []);
});

test('a block is the NIC’s when it is reserved and let through, and not before', async () => {
  await using one = await liar();
  const block = (n: number, text: string, ip: string): object => ({
    ...port,
    id: `d0000000-0000-4000-8000-00000000010${n}`,
    device_owner: 'flatpod:block',
    device_id: 'flatpod-k1',
    fixed_ips: [{ subnet_id: subnet, ip_address: ip }],
    tags: ['a=b', `fp:block=${text}`],
  });
  const nic = {
    ...port,
    tags: ['a=b', 'fp:key=k1'],
    allowed_address_pairs: [{ ip_address: '10.20.0.64/27', mac_address: port.mac_address }],
  };
  const blocks = [
    block(1, '10.20.0.64~2f28', '10.20.0.64'),
    block(2, '10.20.0.80~2f28', '10.20.0.80'),
    block(3, '10.20.0.128~2f28', '10.20.0.128'),
  ];
  one.answer = neutronWith([nic, ...blocks]);
  const [found] = await one.cloud.nics({ tags: { a: 'b' } });
  assert.deepEqual(found?.blocks, ['10.20.0.64/28', '10.20.0.80/28']);
  one.answer = neutronWith([
    { ...nic, allowed_address_pairs: [{ ip_address: '10.20.0.64/27', mac_address: 'fa:16:3e:00:00:99' }] },
    ...blocks,
  ]);
  assert.deepEqual(
    (await one.cloud.nics({ tags: { a: 'b' } }))[0]?.blocks,
    [],
    'a pair for another Ethernet address lets nothing through here',
  );
  one.answer = neutronWith([{ ...nic, port_security_enabled: false, allowed_address_pairs: [] }, ...blocks]);
  assert.equal((await one.cloud.nics({ tags: { a: 'b' } }))[0]?.blocks.length, 3, 'without port security everything passes');
});

test('nothing is asked of Neutron for a filter that selects nothing', async () => {
  await using one = await liar();
  assert.deepEqual([await one.cloud.nics({ ids: [] }), await one.cloud.nics({ instance: [] }), await one.cloud.subnets([])], [[], [], []]);
  await assert.rejects(one.cloud.nics({}), fails('cloudInvalid'));
  await one.cloud.unassign(id, []);
  assert.deepEqual(one.asked, []);
});

test('a Neutron that cannot tag what it makes is not used to make anything', async () => {
  await using one = await liar();
  one.answer = (response, { path }) =>
    path.includes('/extensions/')
      ? json({ NeutronError: { type: 'HTTPNotFound', message: 'no', detail: '' } }, 404)(response)
      : json({ ports: [] })(response);
  const request = { clientToken: 't', subnet, securityGroups: [], tags: {}, description: '', want: { these: [parseCidr('10.20.0.9/32')] } };
  await assert.rejects(one.cloud.createNic(request), fails('cloudInvalid', /tag_ports_during_bulk_creation/));
  assert.ok(one.asked.every(({ method }) => method === 'GET'));
});

test('whether Neutron can tag is asked again when nobody answered, and what is said of it then is not that it cannot', async () => {
  await using one = await liar();
  let extension = raw('<html>no server is available</html>', 503);
  one.answer = (response, { path }) => (path.includes('/extensions/') ? extension(response) : json({ ports: [], subnets: [] })(response));
  const make = () => one.cloud.createNic({ clientToken: 't', subnet, securityGroups: [], tags: {}, description: '' });
  await assert.rejects(make(), fails('cloudUnavailable', /503/));
  extension = json({ extension: {} });
  await assert.rejects(make(), fails('cloudNotFound', /no such subnet/));
});
