/** A machine that ends while an interface is being attached to it. */
import assert from 'node:assert/strict';
import type { Kind } from './fronts.ts';
import { world } from './world.ts';

/**
 * Its node goes with it, right before the server takes up the call, or beside it and before the answer comes; another node lives on.
 * @throws AssertionError when something of it is left, or of the other one is taken.
 */
export async function lifeThatEndsAttaching(kind: Kind, what: 'request' | 'answer'): Promise<void> {
  await using w = await world(kind, () => 0.5);
  const other = await w.add('other');
  await other.want(4);
  await w.live(60_000);
  let met: string | undefined;
  w.proxy.befall = ({ name, isRead }) => {
    if (met !== undefined || isRead || !/\/attach$|^Attach|os-interface$/.test(name)) return undefined;
    met = name;
    return { kind: 'hold', what, until: w.remove('n1') };
  };
  const node = await w.add('n1');
  await node.want(4);
  await w.live(60_000);
  assert.ok(met !== undefined, 'nothing was attached');
  // What nobody owns is swept when it is five minutes old and was seen twice.
  await w.live(900_000);
  assert.equal(other.leases.length, 4);
  const theirs = w.nodes.get('other')?.instance;
  const left = (await w.truth()).filter(({ attachment }) => attachment?.instance !== theirs);
  assert.deepEqual(left, [], w.lines.join('\n'));
  await w.assertNoLeak();
}
