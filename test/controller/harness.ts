/** A controller under a virtual clock, with a cloud in memory, a store in memory and honest agents around the real pool. */
import { memoryCloud, type MemoryCloud } from '../cloud/memory-cloud.ts';
import { type VirtualClock, virtualClock } from '../cloud/virtual-clock.ts';
import type { InstanceId } from '../../src/cloud/cloud.ts';
import { type Controller, type ControllerOptions, startController } from '../../src/controller/controller.ts';
import { Pool, type Taken } from '../../src/ipam/pool.ts';
import { createLog } from '../../src/log.ts';
import { subnetsOf, viewFor } from '../../src/store/nic-shares.ts';
import type { Demand, NodeNetwork, NodeNetworkSpec, NodeNetworkStatus, NodeNetworks } from '../../src/store/node-network.ts';
import { type PodSubnet, podSubnet } from '../../src/store/pod-subnet.ts';
import { excludedOf } from '../../src/store/within.ts';

export interface MemoryNetworks extends NodeNetworks {
  readonly statusWrites: () => number;
  remove(name: string): void;
  readonly watchers: () => number;
}

/** Objects survive as text, as in SQLite. */
export function memoryNetworks(): MemoryNetworks {
  const objects = new Map<string, string>();
  const watchers = new Set<(node: NodeNetwork) => void>();
  let statusWrites = 0;
  const empty: NodeNetwork['status'] = { vpcCidrs: [], nics: [], growth: [] };
  const read = (name: string): NodeNetwork | undefined => {
    const text = objects.get(name);
    return text === undefined ? undefined : (JSON.parse(text) as NodeNetwork);
  };
  const write = (node: NodeNetwork): void => {
    objects.set(node.name, JSON.stringify(node));
    for (const watcher of watchers) queueMicrotask(() => watcher(JSON.parse(JSON.stringify(node)) as NodeNetwork));
  };
  return {
    get: async (name) => read(name),
    list: async () => [...objects.keys()].flatMap((name) => read(name) ?? []),
    writeSpec: async (name, spec) => write({ name, spec, status: read(name)?.status ?? empty }),
    async writeStatus(name, status) {
      const node = read(name);
      if (node === undefined) throw new Error(`no node ${name}`);
      statusWrites++;
      write({ ...node, status });
    },
    watch(changed) {
      watchers.add(changed);
      return () => watchers.delete(changed);
    },
    statusWrites: () => statusWrites,
    remove: (name) => void objects.delete(name),
    watchers: () => watchers.size,
  };
}

export function subnet(name: string, spec: Record<string, unknown>): PodSubnet {
  return podSubnet.parse({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name }, spec });
}

export interface Bench {
  readonly clock: VirtualClock;
  readonly cloud: MemoryCloud;
  readonly networks: MemoryNetworks;
  readonly lines: string[];
  subnets: PodSubnet[];
  readonly controller: (options?: Partial<ControllerOptions>) => Promise<Controller>;
  readonly status: (node?: string) => Promise<NodeNetworkStatus>;
  readonly changes: () => string[];
}

export function bench(): Bench {
  const clock = virtualClock();
  const cloud = memoryCloud(clock);
  const networks = memoryNetworks();
  const lines: string[] = [];
  const one: Bench = {
    clock,
    cloud,
    networks,
    lines,
    subnets: [],
    controller: (options = {}) =>
      startController({
        cluster: 'test',
        networks,
        subnets: () => one.subnets,
        cloud,
        log: createLog('test', 'debug', (line) => lines.push(line)),
        clock,
        random: () => 0.5,
        ...options,
      }),
    status: async (node = 'n1') => {
      const found = await networks.get(node);
      if (found === undefined) throw new Error(`no node ${node}`);
      return found.status;
    },
    changes: () => cloud.calls.filter(({ changing }) => changing).map(({ name }) => name),
  };
  return one;
}

/** Writes what a node asks for by hand. */
export function demand(
  networks: NodeNetworks,
  instance: InstanceId,
  of: Partial<Demand>,
  more: Partial<NodeNetworkSpec> = {},
  node = 'n1',
): Promise<void> {
  return networks.writeSpec(node, {
    instance,
    demand: [{ subnet: 'pods', inUse: 0, cooling: 0, waiting: 0, ...of }],
    returned: [],
    ...more,
  });
}

/** An agent that keeps its side of the bargain: the real pool, ADDs that wait, no rest after a release. */
export interface Agent {
  readonly leases: Taken[];
  want(pods: number): Promise<void>;
  /** All Pods end but those. */
  keep(stays: (pod: Taken) => boolean): Promise<void>;
  /** Interfaces with these ids are in the machine now: Pods on others end, and others come in their place elsewhere. Before the first time: all granted ones are. */
  see(plugged: ReadonlySet<string>): Promise<void>;
  /** Spec writes so far. */
  readonly writes: () => number;
  stop(): void;
}

/** A PodSubnet on a node: its Pods, and how many there are to be. */
interface Part {
  readonly name: string;
  readonly pool: Pool;
  readonly leases: Taken[];
  wanted: number;
}

/** Of several PodSubnets, Pods take turns. */
export async function agent(
  networks: NodeNetworks,
  instance: InstanceId,
  config: PodSubnet | readonly PodSubnet[],
  node = 'n1',
): Promise<Agent> {
  const parts = [config].flat().map(({ metadata: { name }, spec }): Part => {
    const { families, perNode } = spec;
    return { name, pool: new Pool({ families, exclude: excludedOf(spec), maximum: perNode.maximum }), leases: [], wanted: 0 };
  });
  let written = '';
  let writes = 0;
  const leases: Taken[] = [];
  let granted: NodeNetworkStatus['nics'] = [];
  let seen: ReadonlySet<string> | undefined;
  const isSeen = ({ id }: { readonly id: string }): boolean => seen?.has(id) ?? true;
  const stay = (stays: (pod: Taken) => boolean): void => {
    for (const part of parts) {
      const [staying, ending] = [part.leases.filter(stays), part.leases.filter((pod) => !stays(pod))];
      for (const { addresses } of ending) part.pool.release(addresses, 0);
      part.leases.splice(0, part.leases.length, ...staying);
    }
  };
  function serve({ name, pool, leases: pods, wanted }: Part): Demand {
    pool.grant(granted.filter((nic) => subnetsOf(nic).includes(name) && isSeen(nic)).map((nic) => viewFor(nic, name)));
    while (pods.length > wanted) pool.release(pods.pop()?.addresses ?? [], 0);
    while (pods.length < wanted) {
      const taken = pool.take(0);
      if (taken === undefined) break;
      pods.push(taken);
    }
    const { inUse, cooling } = pool.counts(0);
    return { subnet: name, inUse, cooling, waiting: wanted - pods.length };
  }
  async function sync(): Promise<void> {
    const demanded = parts.map(serve);
    leases.splice(0, leases.length, ...parts.flatMap((part) => part.leases));
    const unplugged = granted.filter((nic) => !isSeen(nic)).map(({ id }) => id);
    const returned = parts.flatMap(({ pool }) => pool.giveBack(0));
    const spec = { instance, demand: demanded, returned, ...(unplugged.length > 0 && { unplugged }) };
    if (JSON.stringify(spec) === written) return;
    written = JSON.stringify(spec);
    writes++;
    await networks.writeSpec(node, spec);
  }
  const stop = networks.watch((changed) => {
    if (changed.name !== node) return;
    granted = changed.status.nics.filter((nic) => parts.some(({ name }) => subnetsOf(nic).includes(name)));
    void sync();
  });
  await sync();
  return {
    leases,
    async want(pods) {
      for (const [i, part] of parts.entries()) part.wanted = Math.floor((pods + parts.length - 1 - i) / parts.length);
      await sync();
    },
    async keep(stays) {
      stay(stays);
      for (const part of parts) part.wanted = part.leases.length;
      await sync();
    },
    async see(plugged) {
      seen = plugged;
      stay(({ nic }) => plugged.has(nic));
      await sync();
    },
    writes: () => writes,
    stop,
  };
}
