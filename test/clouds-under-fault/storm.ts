/** Nodes come and go, Pods too, interfaces are detached and deleted by hand, and everything that can befall a call does; from a seed. */
import assert from 'node:assert/strict';
import type { CallFault } from '../cloud/fault-proxy.ts';
import { numbersFrom } from '../../src/vpc/numbers.ts';
import type { Kind } from './fronts.ts';
import { plain, type Shape } from './shapes.ts';
import { type World, world } from './world.ts';

/** How wild it is. */
export interface Weather {
  readonly steps: number;
  /** Of all calls, so many meet a fault. */
  readonly share: number;
  /** What the PodSubnets are like; single addresses when absent. */
  readonly shape?: Shape;
}

const names = ['n1', 'n2', 'n3'] as const;
/** Reads may lag so much by the controller's clock, whose own writes are believed for a minute. */
const STALE_ms = 20_000;
/** How long after whoever sent it has given it up a request may still be carried out. */
const LATE_ms = { least: 3000, span: 57_000 } as const;

/** @throws AssertionError when something in use was taken away, somebody waits for ever, or something is left. Answers with how often the controller died. */
export async function storm(kind: Kind, seed: number, { steps, share, shape = plain }: Weather): Promise<number> {
  const random = numbersFrom(seed);
  await using w = await world(kind, random, { shape });
  const wanted = new Map<string, number>();
  w.proxy.befall = () => (random() < share ? chosen(w, random()) : undefined);
  for (let step = 0; step < steps; step++) {
    await happening(w, shape.most, wanted, random);
    await w.live(5000 + Math.floor(random() * 8) * 5000);
  }
  w.proxy.befall = () => undefined;
  await w.live(900_000);
  for (const [name, count] of wanted) assert.equal(w.nodes.get(name)?.agent.leases.length, count, `Pods of ${name} wait for ever`);
  await w.assertNoLeak();
  for (const name of w.nodes.keys()) await w.nodes.get(name)?.agent.want(0);
  await w.live(400_000);
  w.withdraw();
  await w.live(450_000);
  for (const name of w.nodes.keys()) await w.remove(name);
  await w.live(900_000);
  await w.assertNoLeak();
  return w.kills();
}

function chosen(w: World, dice: number): CallFault {
  const faults: readonly CallFault[] = [
    { kind: 'cutRequest' },
    { kind: 'cutAnswer' },
    { kind: 'delay', ms: 20 },
    { kind: 'throttle' },
    { kind: 'stale', notOlderThan_ms: STALE_ms },
    { kind: 'truncate' },
    { kind: 'withoutSubnets' },
    { kind: 'html' },
    { kind: 'hangAfter', done: () => w.kill() },
    { kind: 'lateRequest', until: new Promise<void>((resolve) => w.clock.after(LATE_ms.least + dice * LATE_ms.span, resolve)) },
  ];
  const fault = faults[Math.floor(dice * faults.length)];
  assert.ok(fault !== undefined);
  return fault;
}

async function happening(w: World, most: number, wanted: Map<string, number>, random: () => number): Promise<void> {
  const name = names[Math.floor(random() * names.length)] ?? 'n1';
  const node = w.nodes.get(name);
  const dice = random();
  if (node === undefined) {
    const one = await w.add(name);
    wanted.set(name, Math.floor(random() * (most + 1)));
    await one.want(wanted.get(name) ?? 0);
  } else if (dice < 0.1) {
    wanted.delete(name);
    await w.remove(name);
  } else if (dice < 0.2) w.kill();
  else if (dice < 0.3) await w.byHand(name, dice < 0.25 ? 'detach' : 'delete');
  else {
    wanted.set(name, Math.floor(random() * (most + 1)));
    await node.agent.want(wanted.get(name) ?? 0);
  }
}
