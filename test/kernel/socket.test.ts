/** The netlink socket: refusals, batches, dumps. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { decodeLink, dumpLinks, getLink, newLink, setLink } from '../../src/kernel/netlink/link.ts';
import { Message } from '../../src/kernel/netlink/message.ts';
import { decodeRoute, dumpRoutes, MAIN_TABLE, newRoute, type Route } from '../../src/kernel/netlink/route.ts';
import { dumpOffLoop } from '../../src/kernel/netlink/off-loop.ts';
import { NetlinkSocket } from '../../src/kernel/netlink/socket.ts';
import { addToIp, parseIp } from '../../src/net/address.ts';
import { cidrOf, parseCidr } from '../../src/net/cidr.ts';
import { openHost, openHostWithVeth, type TestHost } from './host.ts';

const PROTOCOL = 114;

function routes(link: number, count: number): Route[] {
  return Array.from({ length: count }, (_, i) => ({
    dst: cidrOf(addToIp(parseIp('10.50.0.0'), i), 32),
    link,
    table: MAIN_TABLE,
    protocol: PROTOCOL,
    scope: 'link',
  }));
}

const route: Route = { dst: parseCidr('10.50.0.0/32'), table: MAIN_TABLE, protocol: PROTOCOL, scope: 'link' };
const [IFLA_IFNAME, RTA_GATEWAY] = [3, 5];
const refused: readonly [what: string, message: (link: number) => Message, words: string, attribute?: number][] = [
  ['an unknown kind of link', () => newLink({ name: 'x' }, 'nosuchkind'), 'EOPNOTSUPP: Unknown device type'],
  ['too long a name', () => newLink({ name: 'a'.repeat(30) }, 'bridge'), 'ERANGE: Attribute failed policy validation', IFLA_IFNAME],
  ['too small an MTU', (link) => setLink(link, { mtu: 10 }), 'EINVAL: mtu less than device minimum'],
  [
    'a gateway nowhere',
    (link) => newRoute({ ...route, link, via: parseIp('192.0.2.1'), scope: 'global' }),
    'ENETUNREACH: Nexthop has invalid gateway',
  ],
  [
    'a gateway of the other family',
    (link) => newRoute({ ...route, dst: parseCidr('fd09::/64'), link, via: parseIp('192.0.2.1') }),
    'ERANGE: Attribute failed policy validation',
    RTA_GATEWAY,
  ],
  ['no such link', () => newRoute({ ...route, link: 4711 }), 'ENODEV'],
];

for (const [what, message, words, attribute] of refused)
  test(`the refusal of ${what} carries the kernel's words and the attribute it names`, () => {
    using host = openHostWithVeth();
    const { index } = host.socket.get(getLink('v0'), decodeLink) ?? assert.fail();
    assert.throws(() => host.socket.request(message(index)), { name: 'NetlinkError', message: words, attribute });
  });

test("the refusal of a dump carries the kernel's words", () => {
  using host = openHost();
  const badHeader = new Message(26, 0, Buffer.of(2, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  assert.throws(() => host.socket.dump(badHeader, decodeRoute), { message: 'EINVAL: Invalid values in header for FIB dump request' });
});

test('a batch tells each message its own answer, and the kernel goes on after a refusal', () => {
  using host = openHostWithVeth();
  const [first, third] = routes(host.index('v0'), 2);
  assert.ok(first !== undefined && third !== undefined);
  const errors = host.socket.batch([newRoute(first), newRoute({ ...first, link: 4711 }), newRoute(third)]);
  assert.deepEqual(
    errors.map((error) => error?.errno),
    [undefined, 19, undefined],
  );
  assert.deepEqual(host.socket.dump(dumpRoutes(4, { protocol: PROTOCOL }), decodeRoute), [first, third]);
  assert.deepEqual(host.socket.batch([]), []);
});

test('ten thousand messages in one batch are all sent and all answered', () => {
  using host = openHostWithVeth();
  const wanted = routes(host.index('v0'), 10_000);
  assert.ok(host.socket.batch(wanted.map(newRoute)).every((error) => error === undefined));
  assert.equal(host.socket.dump(dumpRoutes(4, { protocol: PROTOCOL }), decodeRoute).length, 10_000);
});

test('dumps while another process changes the tables are complete each time', async () => {
  using host = openHostWithVeth();
  const wanted = routes(host.index('v0'), 3000);
  host.socket.batch(wanted.map(newRoute));
  for (let i = 0; i < 40; i++) host.socket.request(newLink({ name: `stays${i}` }, 'bridge'));
  await using churn = churnIn(host);
  await churn.started;
  for (let i = 0; i < 40; i++) {
    const found = host.socket.dump(dumpRoutes(4, { protocol: PROTOCOL }), decodeRoute);
    assert.equal(new Set(found.map(({ dst }) => dst)).size, wanted.length, `dump ${i}`);
    assert.equal(found.length, wanted.length);
    const links = new Set(host.socket.dump(dumpLinks(), decodeLink).map(({ name }) => name));
    for (let n = 0; n < 40; n++) assert.ok(links.has(`stays${n}`), `stays${n} is missing in dump ${i}`);
    // Lets the churning process be scheduled and its end be noticed.
    await new Promise((resume) => setImmediate(resume));
  }
  assert.equal(churn.ended(), false, 'the churn ended before the dumps did');
});

test('a decoder that throws ends the dump with its error, and the socket can dump again at once', () => {
  using host = openHostWithVeth();
  const wanted = routes(host.index('v0'), 5000);
  host.socket.batch(wanted.map(newRoute));
  const refuse = (): never => {
    throw new RangeError('not mine');
  };
  assert.throws(() => host.socket.dump(dumpRoutes(4, { protocol: PROTOCOL }), refuse), /not mine/);
  assert.equal(host.socket.dump(dumpRoutes(4, { protocol: PROTOCOL }), decodeRoute).length, wanted.length);
});

test('a dump on the thread pool is as complete as one on the event loop', async () => {
  using host = openHostWithVeth();
  host.socket.batch(routes(host.index('v0'), 5000).map(newRoute));
  const expected = host.socket.dump(dumpRoutes(4, { protocol: PROTOCOL }), decodeRoute);
  assert.deepEqual(await dumpOffLoop(host.socket, dumpRoutes(4, { protocol: PROTOCOL }), decodeRoute), expected);
});

test('a socket that lost multicast messages still dumps completely', () => {
  using host = openHostWithVeth();
  const RTNLGRP_IPV4_ROUTE = 7;
  const deaf = host.ns.netns.run(() => new NetlinkSocket(0, 1 << (RTNLGRP_IPV4_ROUTE - 1)));
  try {
    // Nobody reads the group's messages, and there are more of them than the 8 MiB of the socket hold.
    const wanted = routes(host.index('v0'), 12_000);
    host.socket.batch(wanted.map(newRoute));
    const dropped = host.ns.exec("awk 'NR > 1 { sum += $9 } END { print sum }' /proc/net/netlink");
    assert.ok(Number(dropped) > 0, 'the socket lost nothing: send more');
    assert.equal(deaf.dump(dumpRoutes(4, { protocol: PROTOCOL }), decodeRoute).length, wanted.length);
  } finally {
    deaf.close();
  }
});

/** Another process that adds and deletes routes and a link in the host's namespace for as long as it lives. */
function churnIn(host: TestHost): AsyncDisposable & { readonly started: Promise<unknown>; ended(): boolean } {
  const all = (action: string): string =>
    `for i in $(seq 1 250); do echo "route ${action} 10.49.0.$i dev v0 proto 115"; echo "route ${action} 10.51.0.$i dev v0 proto 115"; done`;
  const round = `{ echo "link add churn type bridge"; ${all('add')}; ${all('del')}; echo "link del churn"; } | ip -n ${host.ns.name} -force -batch - >/dev/null 2>&1`;
  // A group of its own, so that the shell and what it has started end together.
  const child = spawn('sh', ['-c', `while echo round; do ${round}; done`], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  const closed = once(child, 'close');
  return {
    started: once(child.stdout, 'data'),
    ended: () => child.exitCode !== null,
    async [Symbol.asyncDispose]() {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      await closed;
    },
  };
}
