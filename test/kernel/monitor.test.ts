/** What changes in the host's network is heard, each kind by its name; what was missed is told as missed, and repaired. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startSelfDefence } from '../../src/agent/self-defence.ts';
import type { KernelEvent } from '../../src/kernel/monitor.ts';
import { createLog } from '../../src/log.ts';
import { eventually } from '../life/lab.ts';
import { openNode, planFor, TABLE, type TestNode } from './node.ts';

/** More changes of routes than the monitor's socket holds while nobody reads it. */
const BURST = 40_000;

/** The events from now on. Stops with the node. */
function heardBy(node: TestNode): KernelEvent[] {
  const events: KernelEvent[] = [];
  node.kernel.watch((event) => events.push(event));
  return events;
}

const changes: readonly [what: string, prepare: string, change: string, kind: KernelEvent['kind'], words: RegExp][] = [
  ['a new link', 'true', 'ip link add d0 type bridge', 'link', /"name":"d0"/],
  ['a link that goes down', 'ip link add d0 up type bridge', 'ip link set d0 down', 'link', /"name":"d0".*"up":false/],
  ['a link that goes', 'ip link add d0 type bridge', 'ip link del d0', 'link-gone', /"name":"d0"/],
  ['an address that comes', 'true', 'ip addr add 10.9.0.1/32 dev lo', 'address', /"10\.9\.0\.1"/],
  ['an address that goes', 'ip addr add 10.9.0.1/32 dev lo', 'ip addr del 10.9.0.1/32 dev lo', 'address-gone', /"10\.9\.0\.1"/],
  ['an IPv6 address that goes', 'ip addr add fd00::1/128 dev lo', 'ip addr del fd00::1/128 dev lo', 'address-gone', /"fd00::1"/],
  ['a route that goes', 'ip route add 10.9.0.0/24 dev lo', 'ip route del 10.9.0.0/24', 'route-gone', /"dst":"10\.9\.0\.0\/24"/],
  ['an IPv6 route that goes', 'ip route add fd00:9::/64 dev lo', 'ip route del fd00:9::/64', 'route-gone', /"dst":"fd00:9::\/64"/],
  ['a rule that goes', 'ip rule add to 10.9.0.5 pref 700', 'ip rule del to 10.9.0.5', 'rule-gone', /"to":"10\.9\.0\.5\/32"/],
  ['an IPv6 rule that goes', 'ip -6 rule add to fd00::5 pref 700', 'ip -6 rule del to fd00::5', 'rule-gone', /"to":"fd00::5\/128"/],
  ['a change of our table', `nft add table inet ${TABLE}`, `nft add chain inet ${TABLE} c`, 'nft-changed', /"by":"nft \(pid \d+\)"/],
];

for (const [what, prepare, change, kind, words] of changes)
  test(`${what} is heard as ${kind}`, async () => {
    using node = openNode(TABLE);
    node.host.exec(prepare);
    const events = heardBy(node);
    node.host.exec(change);
    await eventually('heard', () => events.some((event) => event.kind === kind && words.test(JSON.stringify(event))));
  });

test('routes, rules and tables that we make and remove ourselves are not heard, the same done by another is', async () => {
  using node = openNode(TABLE);
  const events = heardBy(node);
  const plan = planFor(node.pod.path);
  node.kernel.apply(plan);
  await node.kernel.remove(plan);
  node.kernel.apply(plan);
  // Events come in order: when the last is heard, the others would have been.
  node.host.exec('ip rule del to 10.9.0.5');
  await eventually('the stranger is heard', () => events.some(({ kind }) => kind === 'rule-gone'));
  // Of links the kernel does not say who made or removed them.
  const others = events.filter(({ kind }) => kind !== 'link' && kind !== 'link-gone');
  assert.deepEqual(
    others.map(({ kind }) => kind),
    ['rule-gone'],
    JSON.stringify(events),
  );
});

test('who stopped listening hears nothing more, not even what was on its way; the others do', async () => {
  using node = openNode();
  const [first, second]: KernelEvent[][] = [[], []];
  const stop = node.kernel.watch((event) => first?.push(event));
  node.kernel.watch((event) => second?.push(event));
  node.host.ip('link add d0 type bridge');
  stop();
  await eventually('the second hears it', () => (second?.length ?? 0) > 0);
  assert.deepEqual(first, []);
});

test('a closed kernel calls nobody', async () => {
  using node = openNode();
  const events = heardBy(node);
  {
    using other = openNode();
    heardBy(other);
  }
  node.host.ip('link add d0 type bridge');
  await eventually('heard', () => events.length > 0);
  await sleep(0);
});

/** Adds and deletes as many routes from another process, while this one stands still. */
function burst(node: TestNode): void {
  const lines = Array.from({ length: BURST }, (_, i) => {
    const dst = `10.${100 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`;
    return `route add ${dst} dev lo\nroute del ${dst} dev lo\n`;
  });
  node.host.exec('ip -batch -', lines.join(''));
}

test('more events than the socket holds are told as an overrun, and the watch goes on', async () => {
  using node = openNode();
  const events = heardBy(node);
  burst(node);
  await eventually('the overrun is told', () => events.some(({ kind }) => kind === 'overrun'));
  node.host.ip('link add d0 type bridge');
  await eventually('the watch goes on', () => events.some((event) => event.kind === 'link' && event.link.name === 'd0'));
});

test('what was lost in an overrun is repaired all the same', async (t) => {
  using node = openNode(TABLE);
  const plan = planFor(node.pod.path);
  node.kernel.apply(plan);
  const lines: string[] = [];
  const log = createLog('test', 'info', (line) => lines.push(line));
  const defence = startSelfDefence({
    kernel: node.kernel,
    log,
    nodePlan: () => plan,
    pods: () => [],
    others: () => [],
    lookEvery_ms: 60_000,
  });
  t.after(() => defence.stop());
  // The rules go when the socket is full already: nobody hears that.
  burst(node);
  node.host.exec('ip rule del to 10.9.0.5; ip rule del from 10.9.0.5');
  assert.equal(node.kernel.compare(plan).length, 2);
  await eventually('repaired', () => node.kernel.compare(plan).length === 0);
  assert.match(lines.join(''), /put back rule 700: to 10\.9\.0\.5\/32 lookup main in host: removed behind our back \(1 time\)/);
});
