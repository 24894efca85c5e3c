/** A life of a node in which the controller is killed once: right before a request is sent, right after it was carried out, or as soon as it was answered. */
import assert from 'node:assert/strict';
import type { CallFault, Met } from '../cloud/fault-proxy.ts';
import type { Kind } from './fronts.ts';
import { type World, world } from './world.ts';

/** When the controller dies. */
export interface Death {
  /** Of all requests, or of those that change something; from 1. */
  readonly of: 'all' | 'changes';
  readonly nth: number;
  /** `next`: before whatever is asked after it. */
  readonly when: 'before' | 'after' | 'next';
}

/**
 * Four Pods come, so that an interface has to; three go; all go; the PodSubnet goes, and the machine. Answers with the requests that were made, and how often it died.
 * @throws AssertionError when Pods are not served, when something in use is taken away, or something is left.
 */
export async function life(kind: Kind, death?: Death): Promise<{ readonly calls: readonly Met[]; readonly kills: number }> {
  await using w = await world(kind, () => 0.5);
  if (death !== undefined) w.proxy.befall = killing(w, death);
  const node = await w.add('n1');
  await node.want(4);
  await w.live(60_000);
  assert.equal(node.leases.length, 4, 'all Pods were served');
  await node.want(1);
  await w.live(120_000);
  await node.want(0);
  await w.live(300_000);
  await w.assertNoLeak();
  assert.deepEqual(await w.truth(), [], 'an interface is left that nobody needs');
  w.withdraw();
  // Long enough for a full read, and for what nobody owns to be swept.
  await w.live(450_000);
  await w.remove('n1');
  await w.assertNoLeak();
  return { calls: w.proxy.calls, kills: w.kills() };
}

function killing(w: World, { of, nth, when }: Death): World['proxy']['befall'] {
  let [met, isOver] = [0, false];
  const die = (fault: CallFault): CallFault => {
    isOver = true;
    if (fault.kind !== 'hangAfter') w.kill();
    return fault;
  };
  return ({ isRead }) => {
    if (isOver) return undefined;
    if (met === nth) return die({ kind: 'hangBefore' });
    if (of === 'changes' && isRead) return undefined;
    met++;
    if (met < nth || when === 'next') return undefined;
    return die(when === 'before' ? { kind: 'hangBefore' } : { kind: 'hangAfter', done: () => w.kill() });
  };
}

/** Every death there is in a life of these requests: around each that changes something, or, `thoroughly`, around all of them. */
export function deathsIn(calls: readonly Met[], thoroughly: boolean): Death[] {
  const of = thoroughly ? 'all' : 'changes';
  const kinds = thoroughly ? (['before', 'after'] as const) : (['before', 'after', 'next'] as const);
  const count = calls.filter(({ isRead }) => thoroughly || !isRead).length;
  return Array.from({ length: count }, (_, i) => kinds.map((when): Death => ({ of, nth: i + 1, when }))).flat();
}
