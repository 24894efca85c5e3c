/** An agent with a pool for each of several PodSubnets, and what it takes to let a controller die. */
import type { InstanceId } from '../../src/cloud/cloud.ts';
import { Pool, type Taken } from '../../src/ipam/pool.ts';
import { subnetsOf, viewFor } from '../../src/store/nic-shares.ts';
import type { NodeNetworks } from '../../src/store/node-network.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import { excludedOf } from '../../src/store/within.ts';

/** Pods want addresses, get them as they come, and give them back the oldest first. */
export class SeveralPools {
  readonly pods = new Map<string, Taken[]>();
  readonly wanted = new Map<string, number>();
  readonly #pools = new Map<string, Pool>();
  readonly #networks: NodeNetworks;
  readonly #instance: InstanceId;
  #written = '';
  readonly stop: () => void;

  constructor(networks: NodeNetworks, instance: InstanceId, configs: readonly PodSubnet[]) {
    [this.#networks, this.#instance] = [networks, instance];
    for (const { metadata, spec } of configs)
      this.#pools.set(metadata.name, new Pool({ families: spec.families, exclude: excludedOf(spec), maximum: spec.perNode.maximum }));
    this.stop = networks.watch(({ name: node, status }) => {
      if (node !== 'n1') return;
      for (const [name, pool] of this.#pools)
        pool.grant(status.nics.filter((nic) => subnetsOf(nic).includes(name)).map((nic) => viewFor(nic, name)));
      void this.sync();
    });
  }

  /** So many Pods of it are wanted from now on. */
  async want(name: string, pods: number): Promise<void> {
    this.wanted.set(name, pods);
    await this.sync();
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
export function until<T extends object>(of: T, life: { readonly dead: boolean }): T {
  return new Proxy(of, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      return (...given: readonly unknown[]): unknown => (life.dead ? new Promise(() => {}) : Reflect.apply(value, target, given));
    },
  });
}
