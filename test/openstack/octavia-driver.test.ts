/** The driver's load balancers against an Octavia that refuses for every reason, and one that lies. */
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import type { SubnetId } from '../../src/cloud/cloud.ts';
import type { LoadBalancers, WantedLoadBalancer } from '../../src/cloud/load-balancers.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { fails, raw } from '../cloud/scripted-server.ts';
import { json, type Liar, liar } from './driver-liar.ts';

const subnet = 'a0000000-0000-4000-8000-000000000001' as SubnetId;
const tags = { 'flatpod.dev/cluster': 'c', 'flatpod.dev/service': 'u1' };
const words = ['flatpod.dev~2fcluster=c', 'flatpod.dev~2fservice=u1'];
const want: WantedLoadBalancer = {
  tags,
  name: 'c/shop/web',
  families: [4],
  isInternal: false,
  listeners: [{ transport: 'TCP', port: 80, sources: [], members: [{ address: parseIp('10.20.0.9'), port: 8080, subnet }] }],
};
const balancer = (n: number, more: object = {}): object => ({
  id: `lb-${n}`,
  tags: words,
  provisioning_status: 'ACTIVE',
  operating_status: 'ONLINE',
  vip_address: `10.20.0.${100 + n}`,
  vip_port_id: `port-${n}`,
  created_at: `2026-11-22T08:00:0${n}`,
  ...more,
});
const neutronSubnet = { id: subnet, network_id: 'n1', cidr: '10.20.0.0/24', gateway_ip: null, allocation_pools: [] };

/** Answers lists: of those load balancers, with nothing in them. */
const octaviaWith =
  (balancers: readonly object[], floatingips: readonly object[] = []) =>
  (response: ServerResponse): void =>
    json({ loadbalancers: balancers, listeners: [], pools: [], members: [], subnets: [neutronSubnet], floatingips })(response);

const of = (one: Liar, floatingNetwork?: string): LoadBalancers =>
  one.cloud.loadBalancers({ subnet, algorithm: 'ROUND_ROBIN', monitor: true, ...(floatingNetwork !== undefined && { floatingNetwork }) });

test('all that is needed is in one request, and looking sends none that changes', async () => {
  await using one = await liar();
  one.answer = octaviaWith([]);
  const balancers = of(one);
  const { state, next } = await balancers.look(want);
  assert.equal(state, 'absent');
  assert.ok(next);
  assert.ok(one.asked.every(({ method }) => method === 'GET'));
  one.answer = json({ loadbalancer: balancer(1) }, 201);
  await balancers.perform(next);
  const last = one.asked.at(-1);
  assert.deepEqual([last?.method, last?.path], ['POST', '/load-balancer/v2.0/lbaas/loadbalancers']);
  assert.deepEqual(JSON.parse(last?.body ?? ''), {
    loadbalancer: {
      name: 'c/shop/web',
      vip_subnet_id: subnet,
      tags: words,
      listeners: [
        {
          name: 'tcp-80',
          protocol: 'TCP',
          protocol_port: 80,
          default_pool: {
            name: 'tcp-80',
            lb_algorithm: 'ROUND_ROBIN',
            protocol: 'TCP',
            members: [{ address: '10.20.0.9', protocol_port: 8080, subnet_id: subnet }],
            healthmonitor: { type: 'TCP', delay: 5, timeout: 3, max_retries: 2, max_retries_down: 3 },
          },
        },
      ],
    },
  });
});

test('each refusal has one meaning', async () => {
  await using one = await liar();
  one.answer = octaviaWith([]);
  const balancers = of(one);
  const { next } = await balancers.look(want);
  assert.ok(next);
  for (const [status, text, kind, headers] of [
    [409, 'Load Balancer x is immutable and cannot be updated.', 'cloudConflict', {}],
    [403, 'Quota has been met for resources: LoadBalancer', 'cloudQuota', {}],
    [403, 'Policy does not allow this request to be performed.', 'cloudDenied', {}],
    [400, 'Validation failure', 'cloudInvalid', {}],
    [501, 'Provider does not support a requested option', 'cloudInvalid', {}],
    [404, 'Subnet x not found.', 'cloudNotFound', {}],
    [500, 'Provider reports error', 'cloudUnavailable', {}],
    [503, 'Project busy', 'cloudUnavailable', {}],
    [503, 'Project busy', 'cloudThrottled', { 'retry-after': '3' }],
    [429, 'Slow down', 'cloudThrottled', {}],
  ] as const) {
    one.answer = json({ faultcode: 'Client', faultstring: text, debuginfo: null }, status, headers);
    await assert.rejects(balancers.perform(next), fails(kind, new RegExp(`status ${status}: ${text}`)));
  }
  one.answer = raw('<html>bad gateway</html>', 502);
  await assert.rejects(balancers.perform(next), fails('cloudUnavailable', /status 502/));
  one.answer = json({ loadbalancer: {} }, 201);
  await assert.rejects(balancers.perform(next), fails('cloudGarbled', /should be text/));
});

test('a list with what was not asked for is not believed: nothing of somebody else is ever deleted', async () => {
  await using one = await liar();
  one.answer = octaviaWith([balancer(1, { tags: ['flatpod.dev~2fcluster=c'] })]);
  for (const asked of [of(one).leave(tags), of(one).look(want)])
    await assert.rejects(asked, fails('cloudGarbled', /lb-1, which was not asked for/));
  one.answer = octaviaWith([balancer(1, { provisioning_status: 'GONE' })]);
  await assert.rejects(of(one).leave(tags), fails('cloudGarbled', /provisioning_status should be ACTIVE or/));
});

interface Listed {
  readonly id: string;
  readonly loadbalancers?: readonly { readonly id: string }[];
}

/** Two of a list to a page; as in Octavia (api/common/pagination), the link to the next has a limit and a marker, and nothing of what was asked. */
const inPages =
  (lists: Readonly<Record<string, readonly Listed[]>>): Liar['answer'] =>
  (response, { path }) => {
    const { pathname, searchParams } = new URL(path, 'http://octavia');
    const what = pathname.split('/').at(-1) ?? '';
    const owner = searchParams.get('load_balancer_id') ?? searchParams.get('loadbalancer_id');
    const all = (lists[what] ?? []).filter((one) => owner === null || one.loadbalancers?.some(({ id }) => id === owner));
    const rest = all.slice(all.findIndex(({ id }) => id === searchParams.get('marker')) + 1);
    const page = rest.slice(0, 2);
    const links = rest.length > 2 ? [{ rel: 'next', href: `http://inside:9876${pathname}?limit=2&marker=${page[1]?.id}` }] : [];
    return json({ [what]: page, [`${what}_links`]: links })(response);
  };

test('where lists have pages each is asked for with all that was asked: listeners and pools of others are none of ours', async () => {
  await using one = await liar();
  const pool = { lb_algorithm: 'ROUND_ROBIN', healthmonitor_id: 'm1' };
  const owners = [1, 1, 2, 1, 2].map((n) => [{ id: `lb-${n}` }]);
  const lists = {
    loadbalancers: [{ id: 'lb-1', ...balancer(1) }],
    listeners: owners.map((loadbalancers, n) => ({
      id: `l${n}`,
      loadbalancers,
      protocol: 'TCP',
      protocol_port: n,
      default_pool_id: `p${n}`,
    })),
    pools: owners.map((loadbalancers, n) => ({ ...pool, id: `p${n}`, loadbalancers, name: `tcp-${n}` })),
    members: [{ id: 'e1', address: '10.20.0.9', protocol_port: 8080, subnet_id: subnet }],
    subnets: [neutronSubnet],
  };
  one.answer = inPages(lists);
  const listeners = want.listeners.flatMap((each) => [0, 1, 3].map((port) => ({ ...each, port })));
  assert.equal((await of(one).look({ ...want, listeners })).next?.text, undefined);
  // What says of itself that it is another's is not believed, whatever was asked.
  for (const what of ['listeners', 'pools'] as const) {
    const careless = inPages({ ...lists, listeners: [], pools: [], [what]: lists[what].slice(2, 3) });
    one.answer = (response, asked) => careless(response, { ...asked, path: asked.path.replace(/load_?balancer_id=/, 'ignored=') });
    await assert.rejects(of(one).look(want), fails('cloudGarbled', /\[0\] is [lp]2, which was not asked for/));
  }
});

test('of two load balancers by the same tags the one that users know stays, else one that works, else the first', async () => {
  await using one = await liar();
  const surplus = async (balancers: readonly object[], told?: string, floatingips: readonly object[] = []): Promise<string | undefined> => {
    one.answer = octaviaWith(balancers, floatingips);
    return (await of(one).look({ ...want, ...(told !== undefined && { told: parseIp(told) }) })).next?.text;
  };
  assert.equal(await surplus([balancer(2), balancer(1)]), 'deletes load balancer lb-2');
  assert.equal(await surplus([balancer(2), balancer(1)], '10.20.0.102'), 'deletes load balancer lb-1');
  assert.equal(await surplus([balancer(2), balancer(1, { provisioning_status: 'ERROR' })]), 'deletes load balancer lb-1');
  assert.equal(
    await surplus([balancer(1), balancer(2, { provisioning_status: 'PENDING_CREATE' })]),
    'lb-1 makes pool tcp-80',
    'one that is at work is left',
  );
  const floating = { id: 'f1', floating_ip_address: '203.0.113.9', port_id: 'port-2', description: '' };
  assert.equal(await surplus([balancer(2), balancer(1)], '203.0.113.9', [floating]), 'deletes load balancer lb-1');
});

test('while Octavia is at work nothing is asked of it, and what it gave up on goes only as long as no user was told of it', async () => {
  await using one = await liar();
  for (const provisioning_status of ['PENDING_CREATE', 'PENDING_UPDATE', 'PENDING_DELETE']) {
    one.answer = octaviaWith([balancer(1, { provisioning_status })]);
    assert.deepEqual(await of(one).look(want), { state: 'changing', id: 'lb-1', words: provisioning_status });
    assert.equal((await of(one).leave(tags)).state, 'changing');
  }
  one.answer = octaviaWith([balancer(1, { provisioning_status: 'ERROR' })]);
  assert.equal((await of(one).look(want)).next?.text, 'deletes load balancer lb-1');
  const { state, next } = await of(one).look({ ...want, told: parseIp('10.20.0.101') });
  assert.deepEqual([state, next], ['broken', undefined]);
});

test('a floating IP on another port is nobody’s to take, and only one that we made is deleted', async () => {
  await using one = await liar();
  const floating = (more: object): object => ({
    id: 'f1',
    floating_ip_address: '203.0.113.9',
    port_id: null,
    description: 'of Bob',
    ...more,
  });
  one.answer = octaviaWith([balancer(1)], [floating({ port_id: 'elsewhere' })]);
  const named = { ...want, listeners: [], address: parseIp('203.0.113.9') };
  await assert.rejects(of(one, 'n2').look(named), fails('cloudAddressTaken', /port elsewhere/));
  one.answer = octaviaWith([balancer(1)], [floating({ port_id: 'port-1' })]);
  const theirs = await of(one, 'n2').leave(tags);
  assert.deepEqual([theirs.next?.kind, theirs.next?.isRelease], ['unassign', false]);
  const mark = `flatpod.dev load balancer: ${words.join(' ')}`;
  one.answer = octaviaWith([], [floating({ description: mark })]);
  const ours = await of(one, 'n2').leave(tags);
  assert.deepEqual([ours.next?.text, ours.next?.isRelease], ['deletes floating IP 203.0.113.9', true]);
  one.answer = octaviaWith([], [floating({ description: mark.replace('u1', 'u2') })]);
  assert.deepEqual(await of(one, 'n2').leave(tags), { state: 'absent' });
});

test('members come before a floating IP that cannot be had, and of members alone nothing else is asked', async () => {
  await using one = await liar();
  const taken = { id: 'f1', floating_ip_address: '203.0.113.9', port_id: 'elsewhere', description: 'of Bob' };
  const loadbalancers = [{ id: 'lb-1' }];
  const listener = { id: 'l1', loadbalancers, protocol: 'TCP', protocol_port: 80, default_pool_id: 'p1', allowed_cidrs: ['192.0.2.0/24'] };
  const pool = { id: 'p1', loadbalancers, name: 'tcp-80', lb_algorithm: 'ROUND_ROBIN', healthmonitor_id: 'm1' };
  const inIt = (member: string, provisioning_status = 'ACTIVE') =>
    json({
      loadbalancers: [balancer(1, { provisioning_status })],
      listeners: [listener],
      pools: [pool],
      members: [{ address: member, protocol_port: 8080, subnet_id: subnet }],
      subnets: [neutronSubnet],
      floatingips: [taken],
    });
  const balancers = of(one, 'n2');
  const open = want.listeners.map((each) => ({ ...each, sources: [parseCidr('192.0.2.0/24')] }));
  const named = { ...want, listeners: open, address: parseIp('203.0.113.9') };
  one.answer = inIt('10.20.0.77');
  const { next, address } = await balancers.look(named);
  assert.deepEqual([next?.text, address], ['lb-1 gives tcp-80 1 members', undefined]);
  one.answer = inIt('10.20.0.9');
  await assert.rejects(balancers.look(named), fails('cloudAddressTaken', /port elsewhere/));
  // A subnet that is not there, clients of no family, a listener more: all that is left out.
  const [first] = want.listeners;
  assert.ok(first);
  const alone = { ...want, subnet: 'nowhere' as SubnetId, listeners: [first, { ...first, port: 81 }], membersOnly: true } as const;
  assert.deepEqual(await balancers.look(alone), { state: 'there', id: 'lb-1', words: 'ONLINE' });
  one.answer = inIt('10.20.0.77');
  const mended = await balancers.look(alone);
  assert.ok(mended.next);
  one.asked.length = 0;
  await balancers.perform(mended.next);
  assert.deepEqual(
    one.asked.map(({ method, path, body }) => [method, path, JSON.parse(body)]),
    [
      [
        'PUT',
        '/load-balancer/v2.0/lbaas/pools/p1/members',
        { members: [{ address: '10.20.0.9', protocol_port: 8080, subnet_id: subnet }] },
      ],
    ],
  );
  one.answer = inIt('10.20.0.77', 'ERROR');
  assert.deepEqual([(await balancers.look(alone)).state, (await balancers.look(alone)).next], ['broken', undefined]);
  one.answer = octaviaWith([]);
  assert.deepEqual(await balancers.look(alone), { state: 'absent' });
});

test('a floating IP is for an IPv4 address only: one of IPv6 is told as it is, and made with the address that was asked for', async () => {
  await using one = await liar();
  const six = { ...neutronSubnet, cidr: '2001:db8:7::/64' };
  const answers = (loadbalancers: readonly object[]) =>
    json({ loadbalancers, listeners: [], pools: [], members: [], subnets: [six], floatingips: [] });
  const wanted = { ...want, families: [6], listeners: [] } as const;
  one.answer = answers([balancer(1, { vip_address: '2001:db8:7::9' })]);
  const { next, address } = await of(one, 'n2').look(wanted);
  assert.deepEqual([next, address], [undefined, '2001:db8:7::9']);
  one.answer = answers([]);
  const balancers = of(one, 'n2');
  const absent = await balancers.look({ ...wanted, address: parseIp('2001:db8:7::8') });
  assert.ok(absent.next);
  one.answer = json({ loadbalancer: balancer(1) }, 201);
  await balancers.perform(absent.next);
  const made = JSON.parse(one.asked.at(-1)?.body ?? '') as { loadbalancer: { vip_address: string } };
  assert.equal(made.loadbalancer.vip_address, '2001:db8:7::8');
});

test('whatever load balancer goes, the floating IPs on it go before: on none nobody would find them', async () => {
  await using one = await liar();
  const on = (port_id: string): object => ({ id: 'f1', floating_ip_address: '203.0.113.9', port_id, description: 'of Bob' });
  one.answer = octaviaWith([balancer(1, { provisioning_status: 'ERROR' })], [on('port-1')]);
  assert.equal((await of(one).look(want)).next?.text, 'takes floating IP 203.0.113.9 off');
  one.answer = octaviaWith([balancer(1), balancer(2)], [on('port-2')]);
  assert.equal((await of(one).look(want)).next?.text, 'takes floating IP 203.0.113.9 off');
  one.answer = octaviaWith([balancer(1, { provisioning_status: 'ERROR' })]);
  assert.deepEqual((await of(one).leave(tags)).state, 'broken', 'so that a deletion that fails can be told');
});

test('a Service that only clients of another family may reach is refused: no clients would mean all of them', async () => {
  await using one = await liar();
  one.answer = octaviaWith([]);
  const listeners = want.listeners.map((listener) => ({ ...listener, sources: [parseCidr('2001:db8::/32')] }));
  await assert.rejects(of(one).look({ ...want, listeners }), fails('serviceUnfit', /none of spec\.loadBalancerSourceRanges is IPv4/));
  await assert.rejects(of(one).look({ ...want, families: [6] }), fails('cloudInvalid', /has no IPv6/));
});
