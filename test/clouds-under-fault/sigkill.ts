/** A life of some nodes in which the controller's process is killed around each kind of changing call, in every way there is. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { CallFault } from '../cloud/fault-proxy.ts';
import type { Agent } from '../controller/harness.ts';
import type { Kind } from './fronts.ts';
import { type Installed, installed } from './installed.ts';
import { roundsOf } from './rounds.ts';

/**
 * When it dies: right before the call is sent; when it was sent, and the server does it only after the next controller has begun to look; when it was done,
 * before the answer comes; when it was answered, before anything else is asked.
 */
const ways = ['before', 'late', 'after', 'next'] as const;
type Way = (typeof ways)[number];

/** Deaths by the name of the call. */
type Deaths = ReadonlyMap<string, readonly Way[]>;

/** Lives that life, tells how, and makes sure that no kind of changing call was left out. More with FLATPOD_FAULT_ROUNDS=N: so often in each way. */
export async function testDeaths(kind: Kind, t: TestContext): Promise<void> {
  const { deaths, changes } = await lifeWithDeaths(kind, roundsOf(1));
  for (const [name, how] of deaths) t.diagnostic(`${name}: ${how.join(', ')}`);
  assert.deepEqual(new Set(deaths.keys()), changes);
}

/**
 * Pods come to four nodes so that each needs an interface; hands take two of these away while no controller lives; all Pods go, the PodSubnet, the interfaces.
 * Answers with how it died, and with all changing calls. `times`: so often in each way.
 * @throws AssertionError when Pods are not served, when something in use is taken away, or something is left.
 */
async function lifeWithDeaths(kind: Kind, times: number): Promise<{ readonly deaths: Deaths; readonly changes: ReadonlySet<string> }> {
  await using w = await installed(kind);
  const killer = killing(w, times);
  try {
    await Promise.race([live(w, killer), killer.failed]);
    const changes = w.proxy.calls.filter(({ isRead }) => !isRead).map(({ name }) => name);
    return { deaths: killer.deaths, changes: new Set(changes) };
  } catch (error) {
    throw new Error(`${String(error)}\nthe controllers said:\n${w.controllers.log().slice(-6000)}`, { cause: error });
  }
}

async function live(w: Installed, killer: Killer): Promise<void> {
  const nodes: Agent[] = [];
  const served = async (count: number): Promise<void> => {
    for (const one of nodes) await one.want(count);
    await w.until(`${count} Pods of each node have addresses`, () => nodes.every(({ leases }) => leases.length === count));
  };
  // One by one, so that a death of one call is not the end of the others of its kind.
  for (const name of ['n1', 'n2', 'n3', 'n4']) {
    nodes.push(await w.add(name));
    await served(4);
  }
  await killer.kill(async () => {
    assert.ok(await w.byHand('n1', 'detach'));
    assert.ok(await w.byHand('n2', 'delete'));
  });
  // Each that is killed begins anew to make sure, for a minute, that an interface is gone.
  killer.rests = true;
  await served(4);
  killer.rests = false;
  await served(1);
  await served(0);
  // Here too: to whoever begins anew every interface is young, and the young are not deleted.
  killer.ways = ['before', 'after'];
  await w.withdraw();
  await w.until('no interface is left', async () => (await w.truth()).length === 0);
  await w.until('all addresses are given back', () => w.isNothingHeld());
  await w.assertNoLeak();
}

interface Killer {
  /** Nobody dies at a call while this is so. */
  rests: boolean;
  /** In which they die from now on; all at first. */
  ways: readonly Way[];
  readonly deaths: Deaths;
  /** Rejects when there is none to kill; never resolves. */
  readonly failed: Promise<never>;
  /** One more death, at no call's time. */
  kill(meanwhile: () => Promise<void>): Promise<void>;
}

/** From now on whoever leads dies around changing calls, of each name `times` in each way. */
function killing({ proxy, controllers }: Installed, times: number): Killer {
  const deaths = new Map<string, Way[]>();
  const { promise: failed, reject: fail } = Promise.withResolvers<never>();
  let dying: Promise<void> | undefined;
  let isAnswered = false;
  let next = Promise.withResolvers<void>();
  const kill: Killer['kill'] = async (meanwhile) => {
    // One after the other: nobody is dead who leads.
    const before = dying ?? Promise.resolve();
    const mine = before.then(() => controllers.kill(meanwhile));
    dying = mine.finally(() => (dying = undefined));
    await dying;
  };
  const killer: Killer = { deaths, failed, kill, rests: false, ways };
  const die = (): void => void (dying === undefined && kill(() => Promise.resolve()).catch(fail));
  const dies = (way: Way): CallFault | undefined => {
    if (way === 'after') return { kind: 'hangAfter', done: die };
    if (way === 'next') isAnswered = true;
    else die();
    if (way !== 'late') return way === 'before' ? { kind: 'hangBefore' } : undefined;
    next = Promise.withResolvers();
    return { kind: 'hold', what: 'request', until: next.promise };
  };
  proxy.befall = ({ name, isRead }) => {
    // What the dead one has sent besides.
    if (dying !== undefined || killer.rests) return undefined;
    if (isAnswered) {
      isAnswered = false;
      die();
      return { kind: 'hangBefore' };
    }
    // Whoever came after it has begun to look.
    next.resolve();
    const before = deaths.get(name) ?? [];
    const way = killer.ways.find((one) => before.filter((each) => each === one).length < times);
    if (isRead || way === undefined) return undefined;
    deaths.set(name, [...before, way]);
    return dies(way);
  };
  return killer;
}
