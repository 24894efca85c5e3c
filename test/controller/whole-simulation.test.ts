/**
 * PodSubnets of several datapaths on one node, while calls fail, answers are lost, controllers die, reads lag and interfaces are pulled by hand. After each
 * few seconds nothing in use is gone or shared, and in the end all who wait are served; when nobody wants anything any more, nothing is left.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CloudNic, InstanceId } from '../../src/cloud/cloud.ts';
import type { Controller } from '../../src/controller/controller.ts';
import { failure } from '../../src/errors/failure.ts';
import { Pool, type Taken } from '../../src/ipam/pool.ts';
import type { NodeNetworks } from '../../src/store/node-network.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import type { Fault } from '../cloud/memory-cloud.ts';
import { bench, subnet } from './harness.ts';
import { numbersFrom } from '../soak/random.ts';

const configs = [
  subnet('many', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 0 } }),
  subnet('single', { cloudSubnet: 'subnet-a', datapath: 'nic', warm: { spare: 0 } }),
  subnet('twig', { cloudSubnet: 'subnet-b', datapath: 'branch', families: [4, 6], warm: { spare: 0 } }),
  subnet('mac', { cloudSubnet: 'subnet-b', datapath: 'macvlan', warm: { spare: 0 } }),
];
/** What the instance has room for, all at once. */
const most: Readonly<Record<string, number>> = { many: 5, single: 2, twig: 4, mac: 3 };
const limits = { nics: 6, addressSlotsPerNic: 6, ipv6SlotsPerNic: 6, branches: 4 };

/** An agent with a pool for each PodSubnet. */
class Node {
  readonly pods = new Map<string, Taken[]>();
  readonly wanted = new Map<string, number>();
  readonly #pools = new Map<string, Pool>();
  readonly #networks: NodeNetworks;
  readonly #instance: InstanceId;
  #written = '';
  readonly stop: () => void;

  constructor(networks: NodeNetworks, instance: InstanceId) {
    [this.#networks, this.#instance] = [networks, instance];
    for (const { metadata, spec } of configs)
      this.#pools.set(metadata.name, new Pool({ families: spec.families, exclude: [], maximum: spec.perNode.maximum }));
    this.stop = networks.watch(({ status }) => {
      for (const [name, pool] of this.#pools) pool.grant(status.nics.filter((nic) => nic.subnet === name));
      void this.sync();
    });
  }

  async sync(): Promise<void> {
    const demand = [...this.#pools].map(([name, pool]) => {
      const pods = this.pods.get(name) ?? [];
      const wanted = this.wanted.get(name) ?? 0;
      while (pods.length > wanted) pool.release(pods.shift()?.addresses ?? [], 0);
      while (pods.length < wanted) {
        const taken = pool.take(0);
        if (taken === undefined) break;
        pods.push(taken);
      }
      const { inUse, cooling } = pool.counts(0);
      this.pods.set(name, pods);
      return { subnet: name, inUse, cooling, waiting: wanted - pods.length };
    });
    const returned = [...this.#pools.values()].flatMap((pool) => pool.giveBack(0));
    const spec = { instance: this.#instance, demand, returned };
    if (JSON.stringify(spec) === this.#written) return;
    this.#written = JSON.stringify(spec);
    await this.#networks.writeSpec('n1', spec);
  }
}

/** What a controller is handed: once it is dead no call of it is made any more, nor answered. */
function until<T extends object>(of: T, life: { readonly dead: boolean }): T {
  return new Proxy(of, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      return (...given: readonly unknown[]): unknown => (life.dead ? new Promise(() => {}) : Reflect.apply(value, target, given));
    },
  });
}

/** Nothing in use is gone or shared; what the cloud has is possible. `pulled`: interfaces that somebody has had in his hands. */
function sound(nics: readonly CloudNic[], node: Node, instance: InstanceId, pulled: ReadonlySet<string>): void {
  const at = (nic: CloudNic | undefined) =>
    nic?.branch === undefined ? nic?.attachment : nics.find(({ id }) => id === nic.branch?.trunk)?.attachment;
  for (const [name, pods] of node.pods) {
    for (const { nic: id, addresses } of pods) {
      const nic = nics.find((one) => one.id === id);
      if (pulled.has(id)) continue;
      assert.equal(at(nic)?.instance, instance, `${id} of ${name} was taken away in use`);
      if (name === 'many' || name === 'mac') continue;
      assert.deepEqual(addresses, [nic?.primary4, nic?.primary6].slice(0, addresses.length));
      assert.equal(pods.filter((pod) => pod.nic === id).length, 1, `two Pods on ${id}`);
    }
  }
  const tags = nics.flatMap(({ branch }) => (branch === undefined ? [] : [`${branch.trunk} ${branch.vlan}`]));
  assert.equal(new Set(tags).size, tags.length);
  assert.ok(nics.filter(({ attachment }) => attachment?.instance === instance).length <= limits.nics);
}

async function run(seed: number): Promise<void> {
  const random = numbersFrom(seed);
  const pick = <T>(all: readonly T[]): T | undefined => all[Math.floor(random() * all.length)];
  const b = bench();
  const { clock, cloud, networks } = b;
  const instance = cloud.launch('i-1', cloud.addSubnet('subnet-a', '10.20.0.0/24'), limits);
  cloud.addSubnet('subnet-b', '10.20.1.0/24', { cidr6: '2001:db8::/64' });
  let subnets: readonly PodSubnet[] = configs;
  let running: Controller | undefined;
  let life = { dead: false };
  const kinds: readonly Fault[] = ['loseRequest', 'loseAnswer', 'dieBefore', 'dieAfter'];
  const busy = (name: string) => failure('cloudThrottled', { cloud: 'memory', call: name, text: 'slow down' });
  const faulty = ({ name }: { name: string }): Fault => {
    if (random() > 0.05) return 'none';
    const fault = random() < 0.2 ? busy(name) : (pick(kinds) ?? 'none');
    life.dead = fault === 'dieBefore' || fault === 'dieAfter';
    return fault;
  };
  const start = async (): Promise<void> => {
    life = { dead: false };
    running = await b.controller({ subnets: () => subnets, random, cloud: until(cloud, life), networks: until(networks, life) });
  };
  const pulled = new Set<string>();
  cloud.fault = faulty;
  await start();
  const node = new Node(networks, instance);
  const live = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 3000) {
      await clock.advance(3000);
      if (life.dead) await start();
      sound(cloud.truth(), node, instance, pulled);
    }
  };
  for (let step = 0; step < 40; step++) {
    const { name } = pick(configs)?.metadata ?? { name: 'many' };
    node.wanted.set(name, Math.floor(random() * ((most[name] ?? 0) + 1)));
    await node.sync();
    if (random() < 0.3) Object.assign(cloud, { stale_ms: random() < 0.5 ? 0 : 2000, moving_ms: random() < 0.5 ? 0 : 1500 });
    if (random() < 0.1) {
      const nic = pick(cloud.truth().filter(({ attachment }) => (attachment?.deviceIndex ?? 0) > 0));
      if (nic !== undefined) {
        // With a trunk go its branches.
        for (const { id, branch } of cloud.truth()) if (id === nic.id || branch?.trunk === nic.id) pulled.add(id);
        cloud.pull(nic.id);
      }
    }
    await live(random() * 60_000);
  }
  cloud.fault = () => 'none';
  Object.assign(cloud, { stale_ms: 0, moving_ms: 0 });
  await live(900_000);
  for (const [name, count] of node.wanted) assert.equal(node.pods.get(name)?.length, count, `Pods of ${name} wait for ever`);
  node.wanted.clear();
  await node.sync();
  await live(300_000);
  subnets = [];
  await live(900_000);
  assert.deepEqual(
    cloud.truth().map(({ attachment, blocks }) => [attachment?.deviceIndex, blocks]),
    [[0, []]],
  );
  node.stop();
  await running?.stop();
}

test('several datapaths on one node under faults: nothing in use is gone or shared, all are served in the end, and nothing is left', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    await run(seed).catch((error: unknown) => {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
    });
  }
});
