/** An account that may not do one thing, in each cloud's own words: that is asked ever more seldom, Pods that need it are told, and nothing is made in vain. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fronts } from './fronts.ts';
import { world } from './world.ts';

const attaching: Readonly<Record<string, RegExp>> = { vpc: /attach/, aws: /^AttachNetworkInterface$/, qingcloud: /^AttachNics$/ };
const HOUR_ms = 3_600_000;
/** In an hour of pauses that double from 2 s to a quarter of an hour, each at least half as long. */
const MOST = 20;

for (const kind of fronts) {
  test(`${kind.name}: an account that may not attach interfaces makes one and keeps it, and attaches it when it may`, async () => {
    await using w = await world(kind, () => 0.5);
    const isAttach = (name: string): boolean => attaching[kind.name]?.test(name) === true;
    w.proxy.befall = ({ name, isRead }) => (!isRead && isAttach(name) ? { kind: 'denied' } : undefined);
    const node = await w.add('n1');
    await node.want(4);
    await w.live(HOUR_ms);
    const refused = w.proxy.calls.filter(({ name, isRead }) => !isRead && isAttach(name)).length;
    assert.ok(refused >= 3 && refused <= MOST, `${refused} times in an hour`);
    const loose = await w.truth();
    assert.deepEqual(
      loose.map(({ attachment }) => attachment),
      [undefined],
      'one interface, attached to nothing',
    );
    assert.ok(w.lines.some((line) => line.includes('pods does not grow') && /FP\d+|permit|denied/i.test(line)));
    assert.ok(node.leases.length > 0 && node.leases.length < 4, 'what there is without is used');
    w.proxy.befall = () => undefined;
    await w.live(1_000_000);
    assert.equal(node.leases.length, 4);
    assert.deepEqual(
      (await w.truth()).map(({ id }) => id),
      loose.map(({ id }) => id),
    );
    await w.assertNoLeak();
  });
}
