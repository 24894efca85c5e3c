/** A controller under the machine's own clock, before a server whose answers are held: who is served meanwhile. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/cloud/clock.ts';
import { gathered } from '../../src/cloud/limits/gathered.ts';
import { paced, usualPaceTimes } from '../../src/cloud/limits/paced.ts';
import { startController } from '../../src/controller/controller.ts';
import { createLog } from '../../src/log.ts';
import { type FaultProxy, faultProxy } from '../cloud/fault-proxy.ts';
import { type Agent, agent, memoryNetworks, subnet } from '../controller/harness.ts';
import type { Kind } from './fronts.ts';

/** Longer than anything here takes: no call is given up, so whoever waits behind one waits until it is let go. */
const PATIENCE_ms = 600_000;
/** As the command gives each call some seconds. */
const SHORT_ms = 2000;
const LIMIT_ms = 300_000;
const PODS = 4;
/** More than the controller serves at once. */
const MANY = 20;

/** A controller, and nodes that come one by one. */
interface Lab extends AsyncDisposable {
  readonly proxy: FaultProxy;
  readonly lines: readonly string[];
  add(name: string, pods: number): Promise<Agent>;
  /** @throws AssertionError when it is never so */
  until(what: string, isSo: () => boolean): Promise<void>;
}

async function lab(kind: Kind, patience_ms: number): Promise<Lab> {
  await using building = new AsyncDisposableStack();
  const site = building.use(await kind.open(Date.now, 'small'));
  const proxy = building.use(await faultProxy(site.server, kind.dialect));
  const driver = building.use(site.driver(proxy.url, patience_ms));
  const config = subnet('pods', { cloudSubnet: site.subnet, default: true, warm: { spare: 1 } });
  const networks = memoryNetworks();
  const lines: string[] = [];
  const log = createLog('test', 'warn', (line) => lines.push(line));
  const cloud = gathered(paced(driver, usualPaceTimes(100), systemClock, Math.random));
  const controller = await startController({ cluster: 'slow', networks, subnets: () => [config], cloud, log });
  building.defer(() => controller.stop());
  const open = building.move();
  return {
    proxy,
    lines,
    async add(name, pods) {
      const one = await agent(networks, await site.launch(name), config, name);
      open.defer(() => one.stop());
      await one.want(pods);
      return one;
    },
    async until(what, isSo) {
      for (const end_ms = performance.now() + LIMIT_ms; !isSo(); await sleep(10))
        assert.ok(performance.now() < end_ms, `never so: ${what}\n${lines.join('\n')}`);
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/**
 * One node after the other comes, each so large that it needs an interface. Whatever changing call the first of them is the first to make, its request or its
 * answer is held until the next node has got all it wants. Answers with the names of the calls that were held.
 * @throws AssertionError when a node has to wait for another one's call.
 */
export async function servedMeanwhile(kind: Kind, what: 'request' | 'answer'): Promise<readonly string[]> {
  await using w = await lab(kind, PATIENCE_ms);
  const held: string[] = [];
  let isWatching = true;
  let letGo: (() => void) | undefined;
  // Whatever happens the server has nothing in hand when it ends.
  using _end = { [Symbol.dispose]: () => letGo?.() };
  w.proxy.befall = ({ name, isRead }) => {
    if (!isWatching || isRead || held.includes(name)) return undefined;
    isWatching = false;
    held.push(name);
    const { promise: until, resolve } = Promise.withResolvers<void>();
    letGo = resolve;
    return { kind: 'hold', what, until };
  };
  const isServed = ({ leases }: Agent): boolean => leases.length === PODS;
  const first = await w.add('first', PODS);
  for (;;) {
    await w.until('the first node makes a call, or is served', () => letGo !== undefined || isServed(first));
    if (letGo === undefined) break;
    const other = await w.add(`beside-${held.length}`, PODS);
    await w.until(`a node is served while ${held.at(-1)} of another one is not answered`, () => isServed(other));
    assert.ok(!isServed(first), 'the first node has nothing to wait for');
    isWatching = true;
    letGo();
    letGo = undefined;
  }
  assert.deepEqual(w.lines, [], 'nothing was refused, given up or asked again');
  return held;
}

/**
 * More nodes than are served at once need an interface, and no call that makes one is ever taken up; one more node needs addresses alone, and gets them.
 * Answers with how many calls were in vain by then. @throws AssertionError when it does not
 */
export async function servedBesideMany(kind: Kind, creates: RegExp): Promise<number> {
  await using w = await lab(kind, SHORT_ms);
  let inVain = 0;
  w.proxy.befall = ({ name }) => {
    if (!creates.test(name)) return undefined;
    inVain++;
    return { kind: 'hangBefore' };
  };
  await Promise.all(Array.from({ length: MANY }, (_, i) => w.add(`large-${i}`, PODS)));
  await w.until('as many calls hang as there are nodes served at once', () => inVain >= 16);
  const small = await w.add('small', 2);
  await w.until('a node is served that needs no interface', () => small.leases.length === 2);
  return inVain;
}
