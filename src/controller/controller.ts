/**
 * The cluster's brain: from what nodes ask for to what the cloud gives. In process for one node when standalone, for all nodes in a cluster.
 * How one node is served: reconcile.ts. What is decided: plan.ts. Who takes NICs away that nobody owns: sweeper.ts.
 */
import { type Clock, systemClock } from '../cloud/clock.ts';
import type { Cloud, CloudNic, NicId } from '../cloud/cloud.ts';
import type { RangeView } from '../cloud/range/range-options.ts';
import { pauseAfter } from '../cloud/limits/backoff.ts';
import { asFailure, sentence } from '../errors/failure.ts';
import type { Log } from '../log.ts';
import type { NodeNetworks } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { type Claims, noClaims } from './claims/claims.ts';
import { heldByStatus } from './counting.ts';
import { type Holdings, holdings } from './holdings.ts';
import { factsOf } from './facts.ts';
import { blankMemory, type NodeMemory } from './memory.ts';
import { notesOf } from './notes.ts';
import { turns } from './turns.ts';
import { noRanges, rangeRooms } from './range-rooms.ts';
import { pass } from './reconcile.ts';
import { shortageTeller } from './shortages.ts';
import { noSightings, sweep } from './sweeper.ts';
import { type Timings, usualTimings, type World } from './world.ts';

/** What a controller works on and with. */
export interface ControllerOptions {
  /** Tells our NICs from another cluster's in the same account. */
  readonly cluster: string;
  readonly networks: NodeNetworks;
  /** The PodSubnets that node may use now. */
  readonly subnets: (node: string) => readonly PodSubnet[];
  /** Whether agents are told of them; false when absent. */
  readonly tellSubnets?: boolean;
  /** IPClaims; none when absent. */
  readonly claims?: Claims;
  /** Called when another number of addresses of that PodSubnet is held by all nodes. */
  readonly heldChanged?: (subnet: string) => void;
  /** See World; none when absent. */
  readonly clash?: World['clash'];
  /** See World; no such limit, and nobody looks, when absent. */
  readonly share?: World['share'];
  readonly nicsPerInstance?: World['nicsPerInstance'];
  /** See World; all is read when absent. */
  readonly isUnread?: World['isUnread'];
  /** See World; nothing when absent. */
  readonly nodeSettings?: World['nodeSettings'];
  readonly observe?: World['observe'];
  /** Ranges without a cloud, as far as `cloud` has any; none when absent. */
  readonly ranges?: RangeView;
  readonly cloud: Cloud;
  /** Whether anything is given back to the cloud; true when absent. */
  readonly releases?: boolean;
  readonly log: Log;
  readonly clock?: Clock;
  /** In [0, 1); Math.random when absent. */
  readonly random?: () => number;
  readonly timings?: Partial<Timings>;
  /** Passes at once over different nodes; 16 when absent. */
  readonly passesAtOnce?: number;
}

/** A running controller. */
export interface Controller {
  /** Reads the cloud anew and makes one pass over the node, now. Rejects never: what fails is in the log and in the node's status. */
  passOnce(node: string): Promise<void>;
  /** Something about that node's claims is another now. */
  wake(node: string): void;
  /** What `subnets` answers may be another now: every node gets a pass, spread over a second. */
  subnetsChanged(): Promise<void>;
  /** What all nodes hold. */
  readonly holdings: Pick<Holdings, 'total'>;
  /** There is no such node any more, nor anything of it in the cloud. */
  forget(node: string): void;
  /** One sweep now; see sweeper.ts. @throws Failure cloud*, store* */
  sweepOnce(how?: { readonly dryRun?: boolean }): Promise<CloudNic[]>;
  /** Lets passes that run come to their end and starts no more. */
  stop(): Promise<void>;
}

/** Starts serving all nodes there are and come. Wrap the cloud in `paced`, and in `withoutChanges` where it is switched off, before. */
export async function startController(options: ControllerOptions): Promise<Controller> {
  const { networks, passesAtOnce = 16 } = options;
  const found = await networks.list();
  const names = found.map(({ name }) => name);
  const world = worldOf(options, names, (node) => queue.wake(node, world.timings.debounce_ms));
  const { clock, random, timings, holdings: held } = world;
  const memories = new Map<string, NodeMemory>();
  const seen = noSightings();
  const told = new Set<NicId>();

  const memoryOf = (node: string): NodeMemory => {
    const known = memories.get(node) ?? blankMemory(clock.now_ms());
    memories.set(node, known);
    return known;
  };
  const queue = turns(clock, passesAtOnce, {
    async run(node) {
      const due_ms = await passOrPause(world, memoryOf(node), node);
      if (due_ms === undefined) memories.delete(node);
      return due_ms;
    },
    deficit: (node) => memories.get(node)?.waiting ?? 0,
  });
  const unwatch = networks.watch(({ name, spec }) => {
    const memory = memoryOf(name);
    memory.waiting = spec.demand.reduce((sum, { waiting }) => sum + waiting, 0);
    const unplugged = JSON.stringify(spec.unplugged ?? []);
    // A NIC that the node misses may have been pulled: the cloud is asked at once, not at the next full read.
    if (unplugged !== memory.unplugged) [memory.unplugged, memory.mustRead] = [unplugged, true];
    queue.wake(name, timings.debounce_ms);
  });
  const tellShortages = shortageTeller(world);
  if (!world.releases) world.log.info(`nothing is given back to ${world.cloud.name}: spec.cloud.releases is false`);
  const sweeping = everyNowAndThen(world, async () => {
    const unowned = await sweep(world, seen, !world.releases);
    if (!world.releases) sayUnowned(world.log, unowned, told);
    await tellShortages();
  });
  void tellShortages();
  for (const { name, status } of found) {
    held.note(name, heldByStatus(status.nics, notesOf(status)?.intents ?? [], options.subnets(name)), false);
    queue.wake(name, random() * Math.min(timings.debounce_ms, 1000));
  }
  return {
    async passOnce(node) {
      memoryOf(node).mustRead = true;
      await queue.now(node);
    },
    wake: (node) => queue.wake(node, timings.debounce_ms),
    async subnetsChanged() {
      for (const { name } of await networks.list()) queue.wake(name, timings.debounce_ms + random() * 1000);
    },
    holdings: held,
    forget(node) {
      memories.delete(node);
      held.forget(node);
      world.ranges.forget(node);
    },
    sweepOnce: ({ dryRun = false } = {}) => sweep(world, seen, dryRun),
    async stop() {
      unwatch();
      world.ranges.stop();
      await Promise.all([sweeping.stop(), queue.stop()]);
    },
  };
}

/** What the passes are handed; what is not given is as on a node that stands alone. `wake`: a node may hold more, or less, than it could before. */
function worldOf(options: ControllerOptions, nodes: readonly string[], wake: (node: string) => void): World {
  const { cloud, clock = systemClock, random = Math.random, heldChanged = () => undefined } = options;
  const timings = { ...usualTimings, ...options.timings };
  const { ranges } = options;
  return {
    tellSubnets: false,
    claims: noClaims,
    clash: () => undefined,
    share: () => undefined,
    nicsPerInstance: () => undefined,
    isUnread: () => false,
    nodeSettings: () => ({}),
    releases: true,
    observe: () => undefined,
    ...options,
    ranges: ranges === undefined ? noRanges : rangeRooms(ranges, wake),
    clock,
    random,
    timings,
    holdings: holdings(nodes, { clock, settle_ms: timings.settle_ms, wake, changed: heldChanged }),
    facts: factsOf(cloud, clock, timings.fullRead_ms),
  };
}

/** What a sweep would have deleted; each is told once. */
function sayUnowned(log: Log, found: readonly CloudNic[], told: Set<NicId>): void {
  for (const { id } of found) if (!told.has(id)) log.info(`nobody owns ${id}; it stays, as spec.cloud.releases is false`);
  for (const { id } of found) told.add(id);
}

/** A pass that may fail at the store: then again after a pause. */
async function passOrPause(world: World, memory: NodeMemory, node: string): Promise<number | undefined> {
  try {
    return await pass(world, memory, node);
  } catch (error) {
    world.log.error(`a pass over ${node} ended early: ${sentence(asFailure(error))}`, { node });
    memory.mustRead = true;
    memory.refusals++;
    return world.clock.now_ms() + pauseAfter('medium', memory.refusals, world.random);
  }
}

/** Sweeps with a jittered pause between, until stopped. */
function everyNowAndThen({ clock, timings, random, log }: World, body: () => Promise<void>): { stop(): Promise<void> } {
  let running: Promise<void> = Promise.resolve();
  let cancel = (): void => {};
  let stopped = false;
  const arm = (): void => {
    if (stopped) return;
    cancel = clock.after(timings.sweep_ms * (0.75 + random() / 2), () => {
      running = body()
        .catch((error: unknown) => log.warn(`sweep for NICs nobody owns ended early: ${sentence(asFailure(error))}`))
        .then(arm);
    });
  };
  arm();
  return {
    stop() {
      stopped = true;
      cancel();
      return running;
    },
  };
}
