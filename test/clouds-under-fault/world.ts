/**
 * Nodes with honest agents, a cloud's server, and the real controller before it: under a virtual clock that stands still while a call is under way. The
 * controller can be killed at any request; what it is about to take away is compared with what Pods have.
 */
import assert from 'node:assert/strict';
import type { Clock } from '../../src/cloud/clock.ts';
import type { Cloud, CloudNic, InstanceId } from '../../src/cloud/cloud.ts';
import { gathered } from '../../src/cloud/limits/gathered.ts';
import { paced, usualPaceTimes } from '../../src/cloud/limits/paced.ts';
import { startController } from '../../src/controller/controller.ts';
import { createLog } from '../../src/log.ts';
import type { Ip } from '../../src/net/address.ts';
import { type Cidr, contains } from '../../src/net/cidr.ts';
import type { NodeNetworks } from '../../src/store/node-network.ts';
import { type FaultProxy, faultProxy, type Met } from '../cloud/fault-proxy.ts';
import { turnsOfTheLoop, type VirtualClock, virtualClock } from '../cloud/virtual-clock.ts';
import { type Agent, agent, memoryNetworks } from '../controller/harness.ts';
import type { Kind, Size } from './fronts.ts';
import { plain, type Shape } from './shapes.ts';
import { carried, forPods, gone, type NodeOf, pluggedInto } from './carried.ts';

const CLUSTER = 'faults';
const tags = { 'flatpod.dev/cluster': CLUSTER };
/** Between two looks at whether all is well. */
const STEP_ms = 5000;

/** See the head of this file. */
export interface World extends AsyncDisposable {
  readonly clock: VirtualClock;
  readonly proxy: FaultProxy;
  readonly nodes: ReadonlyMap<string, NodeOf>;
  /** What was said, for whoever has to find out what went wrong. */
  readonly lines: readonly string[];
  /** How often the controller was killed. */
  readonly kills: () => number;
  add(name: string): Promise<Agent>;
  /** The PodSubnet is taken away: nodes give back all they have of it. */
  withdraw(): void;
  /** The machine ends with all its Pods, and the node's object goes. */
  remove(name: string): Promise<void>;
  /** Kills the controller, at whatever it is. The next one starts within the next five seconds that are lived. */
  kill(): void;
  /** Detaches or deletes an interface of that node that we made, as a person would; its Pods end. Whether there was one. */
  byHand(node: string, how: 'detach' | 'delete'): Promise<boolean>;
  /** Lets so much time pass. @throws AssertionError when something in use was taken away, or is about to be. */
  live(ms: number): Promise<void>;
  /** Interfaces take so long to be attached from now on. */
  slowAttach(ms: number): Promise<void>;
  /** All NICs of ours, from the server itself. */
  truth(): Promise<CloudNic[]>;
  /** @throws AssertionError when anything is left in the cloud that no node was told of, or when no node is there, anything at all. */
  assertNoLeak(): Promise<void>;
}

/** What there is in it. */
interface Setting {
  /** What its PodSubnets are like; single addresses when absent. */
  readonly shape?: Shape;
  /** The shape's own when absent. */
  readonly size?: Size;
  /** How long the controller waits for an answer, in real time; the cloud's own when absent. */
  readonly patience_ms?: number;
}

/** One life of the controller. */
interface Life {
  dead: boolean;
  end(): void;
}

const never = new Promise<never>(() => undefined);

/** What a dead process asks is never asked, and what it was told it never hears. */
function mortal<T>(life: Life, ask: () => Promise<T>): Promise<T> {
  return life.dead
    ? never
    : ask().then(
        (answer) => (life.dead ? never : answer),
        (error: unknown) => (life.dead ? never : Promise.reject(error)),
      );
}

function mortalNetworks(life: Life, networks: NodeNetworks): NodeNetworks {
  return {
    get: (name) => mortal(life, () => networks.get(name)),
    list: () => mortal(life, () => networks.list()),
    writeSpec: (name, spec) => mortal(life, () => networks.writeSpec(name, spec)),
    writeStatus: (name, status) => mortal(life, () => networks.writeStatus(name, status)),
    watch: (changed) => networks.watch((node) => void (life.dead || changed(node))),
  };
}

function mortalClock(life: Life, clock: Clock): Clock {
  return { now_ms: () => clock.now_ms(), after: (ms, ring) => clock.after(ms, () => void (life.dead || ring())) };
}

/** The driver as the controller sees it: `pending` has the calls under way, `taking` hears of what is about to be taken away. */
function watched(life: Life, cloud: Cloud, pending: Set<Promise<unknown>>, taking: (nic: string, blocks?: readonly Cidr[]) => void): Cloud {
  const call = <T>(ask: () => Promise<T>): Promise<T> =>
    mortal(life, () => {
      const asked = ask();
      const done: Promise<unknown> = asked.catch(() => undefined).then(() => pending.delete(done));
      pending.add(done);
      return asked;
    });
  return {
    name: cloud.name,
    network: () => call(() => cloud.network()),
    instance: (id) => call(() => cloud.instance(id)),
    instances: (ids) => call(() => cloud.instances(ids)),
    subnets: (named) => call(() => cloud.subnets(named)),
    nics: (filter) => call(() => cloud.nics(filter)),
    createNic: (request) => call(() => cloud.createNic(request)),
    attachNic: (nic, instance, index) => call(() => cloud.attachNic(nic, instance, index)),
    attachBranch: (nic, trunk, vlan) => call(() => cloud.attachBranch(nic, trunk, vlan)),
    detachNic: (nic) => call(() => (taking(nic), cloud.detachNic(nic))),
    deleteNic: (nic) => call(() => (taking(nic), cloud.deleteNic(nic))),
    assign: (nic, want, whose) => call(() => cloud.assign(nic, want, whose)),
    unassign: (nic, blocks) => call(() => (taking(nic, blocks), cloud.unassign(nic, blocks))),
  };
}

/** Speaks up when an agent is told no more of the way out of an interface that it was told of. */
function forgetting(networks: NodeNetworks, say: (text: string) => void): () => void {
  const told = new Map<string, string>();
  return networks.watch(({ name, status }) => {
    for (const { id, subnet: serves, cidr4, gateway4 } of status.nics) {
      if (serves === undefined) continue;
      const [before, now] = [told.get(id), cidr4 === undefined || gateway4 === undefined ? undefined : `${cidr4} by ${gateway4}`];
      if (before !== undefined && now !== before) say(`${id} of ${name} was ${before}, and is ${now ?? 'nowhere'}`);
      if (now !== undefined) told.set(id, now);
    }
  });
}

/** A world without nodes, whose controller runs. `random`: in [0, 1). */
export async function world(kind: Kind, random: () => number, setting: Setting = {}): Promise<World> {
  const { shape = plain, size = shape.size, patience_ms } = setting;
  await using building = new AsyncDisposableStack();
  const pending = new Set<Promise<unknown>>();
  /** Whoever waits for calls of a controller that dies waits in vain. */
  let dying = Promise.withResolvers<void>();
  const settled = async (): Promise<void> => {
    for (await turnsOfTheLoop(); pending.size > 0; await turnsOfTheLoop()) await Promise.race([...pending, dying.promise]);
  };
  const clock = virtualClock(Date.now(), settled);
  const site = building.use(await kind.open(() => clock.now_ms(), size, shape.isDual));
  const proxy = building.use(await faultProxy(site.server, kind.dialect, () => clock.now_ms()));
  const honest = site.driver(site.server);
  const [empty] = await honest.subnets([site.subnet]);
  const config = shape.podSubnets(site.subnet);
  let subnets = config;
  const networks = memoryNetworks();
  const nodes = new Map<string, NodeOf>();
  const [lines, wrong]: [string[], string[]] = [[], []];
  const log = createLog('test', 'info', (line) => lines.push(line));
  const leases = (): { node: string; nic: string; ip: Ip }[] =>
    [...nodes].flatMap(([node, one]) => one.agent.leases.flatMap(({ nic, addresses }) => addresses.map((ip) => ({ node, nic, ip }))));
  const taking = (nic: string, blocks?: readonly Cidr[]): void => {
    for (const lease of leases())
      if (lease.nic === nic && (blocks === undefined || blocks.some((block) => contains(block, lease.ip))))
        wrong.push(`${blocks === undefined ? nic : blocks.join()} is taken away while a Pod on ${lease.node} has ${lease.ip}`);
  };
  building.defer(forgetting(networks, (text) => wrong.push(text)));
  let [kills, changes, checked] = [0, 0, -1];
  let life: Life | undefined;
  const begin = async (): Promise<void> => {
    const driver = site.driver(proxy.url, patience_ms);
    const one: Life = { dead: false, end: () => driver[Symbol.dispose]() };
    life = one;
    const own = mortalClock(one, clock);
    const cloud = gathered(paced(watched(one, driver, pending, taking), usualPaceTimes(100), own, random));
    const starting = startController({
      cluster: CLUSTER,
      networks: mortalNetworks(one, networks),
      subnets: () => subnets,
      cloud,
      log,
      clock: own,
      random,
    });
    await Promise.race([starting, turnsOfTheLoop()]);
  };
  const kill = (): void => {
    if (life === undefined || life.dead) return;
    life.dead = true;
    kills++;
    pending.clear();
    dying.resolve();
    dying = Promise.withResolvers<void>();
  };
  const truth = (): Promise<CloudNic[]> => honest.nics({ tags });
  await begin();
  building.defer(() => {
    for (const { agent: one } of nodes.values()) one.stop();
    kill();
    life?.end();
    honest[Symbol.dispose]();
  });
  const owned = building.move();
  const self: World = {
    clock,
    proxy,
    nodes,
    lines,
    kills: () => kills,
    kill,
    truth,
    async slowAttach(ms) {
      assert.ok(site.slowAttach !== undefined, `${kind.name} attaches in one call`);
      await site.slowAttach(ms);
    },
    async add(name) {
      const instance = await site.launch(name);
      const one = await agent(networks, instance, config, name);
      nodes.set(name, { instance, agent: one });
      return one;
    },
    withdraw() {
      subnets = [];
    },
    async remove(name) {
      const node = nodes.get(name);
      assert.ok(node !== undefined);
      node.agent.stop();
      nodes.delete(name);
      networks.remove(name);
      await site.terminate(node.instance);
    },
    async byHand(name, how) {
      const node = nodes.get(name);
      // One with branches nobody can pull; that its Pods’ branches are gone the machine would not see.
      const nic = (await truth()).find(({ attachment, isTrunk }) => attachment?.instance === node?.instance && isTrunk !== true);
      if (node === undefined || nic === undefined) return false;
      await honest.detachNic(nic.id);
      await node.agent.see(new Set((await pluggedInto(honest, node.instance)).map(({ id }) => id)));
      if (how === 'delete') await gone(honest, nic);
      return true;
    },
    async live(ms) {
      for (let passed = 0; passed < ms; passed += STEP_ms) {
        await clock.advance(STEP_ms);
        if (life?.dead === true) {
          life.end();
          await begin();
        }
        assert.deepEqual(wrong, []);
        changes = proxy.calls.filter(({ isRead }: Met) => !isRead).length;
        // What the cloud has begun it may end later: an agent that was told of an interface and does not see it looks again, as at a kernel's event.
        const isLooking = (await networks.list()).some(({ spec }) => spec.unplugged !== undefined);
        if (changes !== checked || isLooking) await carried(honest, nodes);
        checked = changes;
      }
    },
    async assertNoLeak() {
      const told = new Set((await networks.list()).flatMap(({ status }) => status.nics.map(({ id }) => id)));
      const left = (await truth()).filter(({ id }) => !told.has(id));
      assert.deepEqual(
        left.map(({ id, blocks, attachment }) => [id, blocks, attachment]),
        [],
        'nobody was told of these',
      );
      for (const { name, status } of await networks.list())
        for (const nic of await pluggedInto(honest, nodes.get(name)?.instance ?? ('' as InstanceId))) {
          const granted = status.nics.find(({ id }) => id === nic.id);
          assert.deepEqual(forPods(nic).toSorted(), granted?.blocks.toSorted() ?? [], `${nic.id} of ${name}`);
        }
      if (nodes.size > 0) return;
      const [now] = await honest.subnets([site.subnet]);
      assert.equal(now?.free4, empty?.free4, 'addresses are left');
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
  return self;
}
