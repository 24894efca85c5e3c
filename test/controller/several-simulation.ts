/**
 * PodSubnets on one node, while calls fail, answers are lost, controllers die, reads lag and interfaces are pulled by hand. Every few seconds nothing in use
 * is gone or shared, and in the end all who wait are served; when nobody wants anything any more, nothing is left.
 */
import assert from 'node:assert/strict';
import type { CloudNic, InstanceId } from '../../src/cloud/cloud.ts';
import type { Controller } from '../../src/controller/controller.ts';
import { failure } from '../../src/errors/failure.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import type { Fault } from '../cloud/memory-cloud.ts';
import { numbersFrom } from '../../src/vpc/numbers.ts';
import { bench } from './harness.ts';
import { SeveralPools, until } from './several-pools.ts';

/** A moment. `pulled`: interfaces that somebody has had in his hands. */
export interface Moment {
  readonly nics: readonly CloudNic[];
  readonly node: SeveralPools;
  readonly instance: InstanceId;
  readonly pulled: ReadonlySet<string>;
}

/** What is simulated. */
export interface Lives {
  readonly configs: readonly PodSubnet[];
  /** What the instance has room for, all at once, by PodSubnet. */
  readonly most: Readonly<Record<string, number>>;
  readonly limits: Parameters<ReturnType<typeof bench>['cloud']['launch']>[2];
  /** @throws AssertionError when something is wrong at that moment. */
  readonly sound: (moment: Moment) => void;
  /** The PodSubnets as somebody has changed them. */
  readonly changed?: (random: () => number) => readonly PodSubnet[];
}

/** One life of a node with them. @throws AssertionError what went wrong. */
export async function simulate(seed: number, { configs, most, limits, sound, changed = () => configs }: Lives): Promise<void> {
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
  const node = new SeveralPools(networks, instance, configs);
  const live = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 3000) {
      await clock.advance(3000);
      if (life.dead) await start();
      sound({ nics: cloud.truth(), node, instance, pulled });
    }
  };
  for (let step = 0; step < 40; step++) {
    const { name } = pick(configs)?.metadata ?? assert.fail();
    await node.want(name, Math.floor(random() * ((most[name] ?? 0) + 1)));
    if (random() < 0.3) Object.assign(cloud, { stale_ms: random() < 0.5 ? 0 : 2000, moving_ms: random() < 0.5 ? 0 : 1500 });
    if (random() < 0.2) {
      subnets = changed(random);
      await running?.subnetsChanged();
    }
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
  subnets = configs;
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
