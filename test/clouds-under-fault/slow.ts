/** Lives under a virtual clock before a cloud that takes its time, or has no time. */
import assert from 'node:assert/strict';
import type { Kind } from './fronts.ts';
import { type World, world } from './world.ts';

/** Real time, as long as it stands still for the controller: every call that is not answered costs it. */
const PATIENCE_ms = 500;

/**
 * Two nodes are served and give everything back, while every changing call is carried out and none is answered.
 * @throws AssertionError when Pods are not served, or something is there twice or left.
 */
export async function lifeUnanswered(kind: Kind): Promise<{ readonly calls: number }> {
  await using w = await world(kind, () => 0.5, { patience_ms: PATIENCE_ms });
  w.proxy.befall = ({ isRead }) => (isRead ? undefined : { kind: 'hangAfter', done: () => undefined });
  const nodes = [await w.add('n1'), await w.add('n2')];
  for (const one of nodes) await one.want(4);
  await w.live(900_000);
  assert.deepEqual(
    nodes.map(({ leases }) => leases.length),
    [4, 4],
    w.lines.join('\n'),
  );
  await w.assertNoLeak();
  assert.deepEqual((await w.truth()).length, 2, 'an interface for each');
  for (const one of nodes) await one.want(0);
  w.withdraw();
  await w.live(3_600_000);
  for (const name of w.nodes.keys()) await w.remove(name);
  await w.live(900_000);
  await w.assertNoLeak();
  return { calls: w.proxy.calls.length };
}

/**
 * The call that makes an interface is throttled for five minutes, answered for one, and throttled again: a node that needs one waits, one that needs addresses
 * alone does not. @throws AssertionError when that is not so, or the cloud is asked over and over meanwhile
 */
export async function lifeThrottled(kind: Kind, creates: RegExp): Promise<{ readonly wasted: number }> {
  await using w = await world(kind, () => 0.5);
  let wasted = 0;
  const throttled = (isSo: boolean): void => {
    w.proxy.befall = ({ name }) => {
      if (!isSo || !creates.test(name)) return undefined;
      wasted++;
      return { kind: 'throttle' };
    };
  };
  for (let wave = 1; wave <= 2; wave++) {
    throttled(true);
    const [large, small] = [await w.add(`large-${wave}`), await w.add(`small-${wave}`)];
    await large.want(4);
    await w.live(150_000);
    await small.want(2);
    await w.live(150_000);
    assert.deepEqual([large.leases.length < 4, small.leases.length], [true, 2], `wave ${wave}\n${w.lines.join('\n')}`);
    throttled(false);
    await w.live(310_000);
    assert.equal(large.leases.length, 4, `after wave ${wave}\n${w.lines.join('\n')}`);
  }
  // Pauses that double from five seconds on: seven in five minutes, or a few more where pauses are short, in each wave.
  assert.ok(wasted <= 20, `${wasted} calls were throttled`);
  return { wasted };
}

/** Two minutes for an interface: its node is served by it then, and nobody waits for it before. @throws AssertionError when that is not so */
export async function lifeWithSlowAttach(kind: Kind): Promise<void> {
  await using w = await world(kind, () => 0.5);
  await w.slowAttach(120_000);
  const large = await w.add('large');
  await large.want(4);
  await w.live(30_000);
  const states = async (): Promise<(string | undefined)[]> => (await w.truth()).map(({ attachment }) => attachment?.state);
  assert.deepEqual(await states(), ['attaching']);
  const other = await w.add('other');
  await other.want(2);
  await large.want(3);
  await w.live(20_000);
  // It had room for as many.
  assert.deepEqual([await states(), other.leases.length, served(w, 'large') < 4], [['attaching'], 2, true]);
  await large.want(4);
  await w.live(120_000);
  assert.deepEqual([await states(), served(w, 'large')], [['attached'], 4]);
  await w.assertNoLeak();
}

function served(w: World, node: string): number {
  return w.nodes.get(node)?.agent.leases.length ?? 0;
}
