/** Lists of subnets that lack ours, by the wire: a Pod keeps its way out, and its node goes on to grow and to give back when the list is whole again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fronts } from './fronts.ts';
import { world } from './world.ts';

for (const kind of fronts) {
  test(`${kind.name}: a subnet that its cloud does not list for a while is on every interface what it was, and nothing is given up`, async () => {
    await using w = await world(kind, () => 0.5);
    const node = await w.add('n1');
    await node.want(4);
    await w.live(60_000);
    assert.equal(node.leases.length, 4);
    const asked = w.proxy.calls.length;
    w.proxy.befall = () => ({ kind: 'withoutSubnets' });
    // More than one full read; another controller has never seen the subnet.
    await w.live(400_000);
    w.kill();
    await w.live(400_000);
    assert.ok(
      w.proxy.calls.slice(asked).some(({ name }) => /subnets|vxnets/i.test(name)),
      'nobody asked for subnets',
    );
    assert.equal(node.leases.length, 4);
    await node.want(1);
    await w.live(200_000);
    w.proxy.befall = () => undefined;
    await w.live(200_000);
    await node.want(4);
    await w.live(60_000);
    assert.equal(node.leases.length, 4);
    await w.assertNoLeak();
  });
}
