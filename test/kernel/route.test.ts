/** Routes over rtnetlink, against the kernel and `ip -j`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeRoute, deleteRoute, dumpRoutes, MAIN_TABLE, newRoute, type Route } from '../../src/kernel/netlink/route.ts';
import { parseIp } from '../../src/net/address.ts';
import { cidrFamily, parseCidr } from '../../src/net/cidr.ts';
import { openHostWithVeth, type TestHost } from './host.ts';

const PROTOCOL = 114;

/** Route → what ip shows of it: destination, gateway, source, metric, scope. */
const cases: readonly [name: string, route: Omit<Route, 'link' | 'protocol'>, shown: Record<string, unknown>][] = [
  ['a /32 on the link', { dst: parseCidr('10.9.0.5/32'), table: MAIN_TABLE, scope: 'link' }, { dst: '10.9.0.5', scope: 'link' }],
  [
    'a subnet via a gateway',
    { dst: parseCidr('10.9.0.0/16'), via: parseIp('10.0.0.2'), table: 200, scope: 'global' },
    { dst: '10.9.0.0/16', gateway: '10.0.0.2' },
  ],
  [
    'a default in a table beyond 255',
    { dst: parseCidr('0.0.0.0/0'), via: parseIp('10.0.0.2'), table: 70_001, scope: 'global' },
    { dst: 'default', gateway: '10.0.0.2' },
  ],
  [
    'a metric and a source',
    { dst: parseCidr('10.9.0.0/24'), src: parseIp('10.0.0.1'), metric: 77, table: 255 + 1, scope: 'link' },
    { dst: '10.9.0.0/24', prefsrc: '10.0.0.1', metric: 77 },
  ],
  [
    'a /128 on the link',
    { dst: parseCidr('fd00:9::5/128'), metric: 1024, table: MAIN_TABLE, scope: 'global' },
    { dst: 'fd00:9::5', metric: 1024 },
  ],
  [
    'an IPv6 default via a link-local gateway',
    { dst: parseCidr('::/0'), via: parseIp('fe80::1'), metric: 50, table: 7001, scope: 'global' },
    { dst: 'default', gateway: 'fe80::1', metric: 50 },
  ],
  [
    'an IPv6 subnet via a gateway with a source',
    { dst: parseCidr('fd00:9::/48'), via: parseIp('fd00::2'), src: parseIp('fd00::1'), metric: 1, table: 7001, scope: 'global' },
    { dst: 'fd00:9::/48', gateway: 'fd00::2', prefsrc: 'fd00::1', metric: 1 },
  ],
];

function shownIn(host: TestHost, { dst, table }: Pick<Route, 'dst' | 'table'>): Record<string, unknown>[] {
  return host.ns.ipJson(`-${cidrFamily(dst)} -d route show table ${table} protocol ${PROTOCOL}`);
}

for (const [name, partial, expected] of cases)
  test(`${name} is shown by ip as it was added, decoded the same, and gone after its deletion`, () => {
    using host = openHostWithVeth();
    const route: Route = { ...partial, link: host.index('v0'), protocol: PROTOCOL };
    host.socket.request(newRoute(route));
    const [shown] = shownIn(host, route);
    assert.deepEqual({ ...shown, ...expected, dev: 'v0' }, shown, JSON.stringify(shown));
    assert.deepEqual(host.socket.dump(dumpRoutes(cidrFamily(route.dst), { protocol: PROTOCOL }), decodeRoute), [route]);
    host.socket.request(newRoute(route));
    host.socket.request(deleteRoute(route));
    assert.deepEqual(shownIn(host, route), []);
  });

test('adding replaces the route with the same destination, table and metric', () => {
  using host = openHostWithVeth();
  for (const dst of [parseCidr('10.9.0.0/16'), parseCidr('fd00:9::/48')]) {
    const v6 = cidrFamily(dst) === 6;
    const via = (last: number): Route => ({
      dst,
      via: parseIp(v6 ? `fd00::${last}` : `10.0.0.${last}`),
      link: host.index('v0'),
      table: 200,
      protocol: PROTOCOL,
      scope: 'global',
    });
    host.socket.request(newRoute(via(2)));
    host.socket.request(newRoute(via(3)));
    assert.deepEqual(
      shownIn(host, via(3)).map(({ gateway }) => gateway),
      [via(3).via],
    );
  }
});

test('routes added by ip are decoded; local, blackhole and multipath ones are left out', () => {
  using host = openHostWithVeth();
  host.ns.ip('route add 10.8.0.0/16 via 10.0.0.9 dev v0 metric 5 proto 99');
  host.ns.ip('route add blackhole 10.7.0.0/16 proto 99');
  host.ns.ip('route add 10.6.0.0/16 proto 99 nexthop via 10.0.0.8 dev v0 nexthop via 10.0.0.9 dev v0');
  host.ns.ip('route add fd00:6::/48 proto 99 nexthop via fd00::8 dev v0 nexthop via fd00::9 dev v0');
  assert.deepEqual(host.socket.dump(dumpRoutes(6, { protocol: 99 }), decodeRoute), []);
  const found = host.socket.dump(dumpRoutes(4, { protocol: 99 }), decodeRoute);
  const expected: Route = {
    dst: parseCidr('10.8.0.0/16'),
    via: parseIp('10.0.0.9'),
    link: host.index('v0'),
    table: MAIN_TABLE,
    protocol: 99,
    scope: 'global',
    metric: 5,
  };
  assert.deepEqual(found, [expected]);
});

test('a dump is narrowed to a table and a protocol by the kernel', () => {
  using host = openHostWithVeth();
  for (const [dst, table, protocol] of [
    ['10.1.0.0/16', 200, 114],
    ['10.2.0.0/16', 200, 99],
    ['10.3.0.0/16', 70_001, 114],
  ] as const)
    host.socket.request(newRoute({ dst: parseCidr(dst), link: host.index('v0'), table, protocol, scope: 'link' }));
  const dump = (filter: { table?: number; protocol?: number }): string[] =>
    host.socket
      .dump(dumpRoutes(4, filter), decodeRoute)
      .map(({ dst }) => dst)
      .toSorted();
  assert.deepEqual(dump({ table: 200 }), ['10.1.0.0/16', '10.2.0.0/16']);
  assert.deepEqual(dump({ protocol: 114 }), ['10.1.0.0/16', '10.3.0.0/16']);
  assert.deepEqual(dump({ table: 70_001, protocol: 114 }), ['10.3.0.0/16']);
  assert.deepEqual(dump({ table: 4711 }), []);
});

test('deleting a route of another protocol is refused: it is not ours', () => {
  using host = openHostWithVeth();
  host.ns.ip('route add 10.8.0.0/16 dev v0 proto 99');
  assert.throws(
    () =>
      host.socket.request(
        deleteRoute({ dst: parseCidr('10.8.0.0/16'), link: host.index('v0'), table: MAIN_TABLE, protocol: PROTOCOL, scope: 'link' }),
      ),
    /ESRCH/,
  );
});

test('a gateway that no route leads to is taken when it is said to be on the link', () => {
  using host = openHostWithVeth();
  for (const [dst, via] of [
    ['10.9.0.0/16', '192.0.2.1'],
    ['fd00:9::/48', '2001:db8::1'],
  ] as const) {
    const route: Route = {
      dst: parseCidr(dst),
      via: parseIp(via),
      link: host.index('v0'),
      table: 200,
      protocol: PROTOCOL,
      scope: 'global',
    };
    assert.throws(() => host.socket.request(newRoute(route)));
    host.socket.request(newRoute({ ...route, onLink: true }));
    assert.deepEqual(
      shownIn(host, route).map(({ gateway }) => gateway),
      [via],
    );
  }
});
