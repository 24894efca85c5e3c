/** A cluster without a cloud: the API in memory, the real controller over ranges and ledger objects, and honest agents around the real pools. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { InstanceId, NicId } from '../../src/cloud/cloud.ts';
import { Ledger } from '../../src/cloud/range/ledger.ts';
import { rangeCloud } from '../../src/cloud/range/range-cloud.ts';
import { adoptGranted } from '../../src/controller/adopt.ts';
import { noClaims } from '../../src/controller/claims/claims.ts';
import { departed } from '../../src/controller/cluster/departed.ts';
import { type Controller, startController } from '../../src/controller/controller.ts';
import { failure } from '../../src/errors/failure.ts';
import { Pool, type Taken } from '../../src/ipam/pool.ts';
import { createLog, type Log } from '../../src/log.ts';
import type { Cidr } from '../../src/net/cidr.ts';
import { readAddressLedger } from '../../src/store/address-ledger.ts';
import { ClusterNodeNetworks } from '../../src/store/kubernetes/cluster-node-networks.ts';
import { ledgerObjects } from '../../src/store/kubernetes/ledger-objects.ts';
import { mirroredNodeNetwork } from '../../src/store/kubernetes/mirrored-node-network.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { readNodeNetwork } from '../../src/store/kubernetes/stored-node-network.ts';
import type { NodeNetworkSpec, NodeNetworkStatus } from '../../src/store/node-network.ts';
import { podRangeOf } from '../../src/store/pod-range.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import { type VirtualClock, virtualClock } from '../cloud/virtual-clock.ts';
import { memoryKube, type MemoryKube } from '../store/memory-kube.ts';
import { memoryNetworks } from './harness.ts';
import { type Leader, type Succession, succession } from './succession.ts';

/** Of who wakes up too late nothing but the API server stops what it does. */
export interface RangeBench extends AsyncDisposable, Omit<Succession, 'end'> {
  readonly clock: VirtualClock;
  readonly kube: MemoryKube;
  readonly lines: string[];
  readonly agents: ReadonlyMap<string, RangeAgent>;
  addNode(name: string): RangeAgent;
  /** The Node is deleted; its machine and its Pods run on. */
  removeNode(name: string): void;
  returnNode(name: string): void;
  /** Somebody switches the machine off, and says so. */
  declareOff(name: string): void;
  status(node: string): NodeNetworkStatus | undefined;
  /** What the ledger says each node has. */
  ledger(): Promise<Map<string, Cidr[]>>;
  readonly nodes: () => readonly string[];
}

/** An agent that keeps its side of the bargain. */
export interface RangeAgent {
  readonly leases: readonly Taken[];
  readonly wanted: number;
  want(pods: number): void;
  /** It neither hears nor says anything. Its Pods run. */
  isCutOff: boolean;
  revive(): void;
  stop(): void;
}

export function rangeBench(config: PodSubnet): RangeBench {
  const clock = virtualClock();
  const kube = memoryKube();
  const lines: string[] = [];
  const log = createLog('test', 'debug', (line) => lines.push(line));
  const agents = new Map<string, RangeAgent>();
  const leaders = succession(clock, (term) => leader(config, kube, clock, term, log));
  const putNode = (name: string): void =>
    kube.put(resources.nodes, { metadata: { name }, status: { conditions: [{ type: 'Ready', status: 'True' }] } });
  const one: RangeBench = {
    clock,
    kube,
    lines,
    agents,
    addNode(name) {
      putNode(name);
      const agent = rangeAgent(name, config, kube, clock, log);
      agents.set(name, agent);
      return agent;
    },
    removeNode: (name) => kube.remove({ ...resources.nodes, name }),
    returnNode: putNode,
    declareOff(name) {
      agents.get(name)?.stop();
      agents.delete(name);
      kube.remove({ ...resources.nodes, name });
      kube.remove({ ...resources.nodeNetworks, name });
    },
    lead: leaders.lead,
    pauseAndLead: leaders.pauseAndLead,
    wakeUp: leaders.wakeUp,
    status(name) {
      const stored = kube.stored({ ...resources.nodeNetworks, name });
      return stored === undefined ? undefined : readNodeNetwork(stored).status;
    },
    async ledger() {
      const { items } = await kube.list(resources.addressLedgers, readAddressLedger);
      const all = items.flatMap(({ spec }) => spec.shares);
      const found = new Map<string, Cidr[]>();
      for (const { node, blocks } of all) found.set(node, [...(found.get(node) ?? []), ...blocks]);
      return found;
    },
    nodes: () => [...agents.keys()],
    async [Symbol.asyncDispose]() {
      leaders.end();
      for (const agent of agents.values()) agent.stop();
      await nextTurn();
    },
  };
  return one;
}

/** What `flatpod controller` does when it leads without a cloud. Calls and answers hang while it is paused. */
async function leader(config: PodSubnet, api: MemoryKube, clock: VirtualClock, term: number, log: Log): Promise<Leader> {
  let dead = false;
  let isOver = false;
  let paused: Promise<void> | undefined;
  const kube = new Proxy(api, {
    get(of, key, receiver) {
      const method: unknown = Reflect.get(of, key, receiver);
      if (typeof method !== 'function' || key === 'watch') return method;
      return async (...given: unknown[]): Promise<unknown> => {
        await paused;
        const answer: unknown = await Reflect.apply(method, of, given);
        await paused;
        return answer;
      };
    },
  });
  const networks = new ClusterNodeNetworks(kube, term, log, ({ name }) => name as InstanceId);
  await networks.synced;
  const ranges = [config].flatMap((subnet) => podRangeOf(subnet, '') ?? []);
  const ledger = await Ledger.open(ledgerObjects(kube, { deadline_ms: 1000 }));
  await adoptGranted(ledger, await networks.list(), log);
  const podSubnets = [config.metadata.name];
  const ranged = rangeCloud({
    cluster: 'test',
    ledger,
    ranges: () => ranges,
    node: (name) => (networks.node(name) === undefined ? undefined : { instance: name as InstanceId, podSubnets }),
  });
  // As cloud/limits/fenced.ts does. Only this: giving, and taking back, the ledger keeps safe by itself.
  const cloud = {
    ...ranged,
    deleteNic: (nic: NicId): Promise<void> =>
      isOver ? Promise.reject(failure('cloudFenced', { cloud: 'range', call: 'deleteNic', left_ms: 0 })) : ranged.deleteNic(nic),
  };
  const controller: Controller = await startController({
    cluster: 'test',
    networks,
    cloud,
    ranges: cloud,
    log,
    clock,
    random: () => 0.5,
    subnets: () => [config],
    tellSubnets: true,
  });
  const gone = departed({ cluster: 'test', networks, cloud, claims: noClaims, forget: (node) => controller.forget(node), clock, log });
  return {
    end() {
      if (dead) return;
      dead = true;
      networks.stop();
      // One whose call hangs never ends.
      void controller.stop();
      void gone.stop();
    },
    pause() {
      const { promise, resolve } = Promise.withResolvers<void>();
      paused = promise;
      return () => {
        [isOver, paused] = [true, undefined];
        resolve();
      };
    },
  };
}

function rangeAgent(name: string, config: PodSubnet, kube: MemoryKube, clock: VirtualClock, log: Log): RangeAgent {
  const copy = memoryNetworks();
  const mirror = mirroredNodeNetwork(kube, copy, name, log);
  const { families, exclude, perNode } = config.spec;
  const subnet = config.metadata.name;
  const pool = new Pool({ families, exclude, maximum: perNode.maximum });
  const leases: Taken[] = [];
  let wanted = 0;
  let stopped = false;
  let waiting = false;
  let last: Promise<void> = Promise.resolve();
  let written: NodeNetworkSpec | undefined;
  let heard = '';
  const agent = {
    leases,
    isCutOff: false,
    get wanted() {
      return wanted;
    },
    want(pods: number) {
      wanted = pods;
      // What runs, and what ends, does so whether or not anybody hears of it.
      serve();
      poke();
    },
    revive() {
      agent.isCutOff = false;
      poke();
    },
    stop() {
      stopped = true;
      unwatch();
      mirror.stop();
    },
  };
  const unwatch = copy.watch(({ status }) => {
    const text = JSON.stringify(status);
    if (text !== heard) poke();
    heard = text;
  });
  poke();
  return agent;

  function poke(): void {
    if (waiting) return;
    waiting = true;
    last = last.then(async () => {
      waiting = false;
      if (agent.isCutOff || stopped) return;
      await sync().catch((error: unknown) => {
        log.debug(`agent of ${name}: ${String(error)}`);
        clock.after(1000, poke);
      });
    });
  }
  function serve(): void {
    while (leases.length > wanted) pool.release(leases.shift()?.addresses ?? [], 0);
    while (leases.length < wanted) {
      const taken = pool.take(0);
      if (taken === undefined) return;
      leases.push(taken);
    }
  }
  async function sync(): Promise<void> {
    const status = (await copy.get(name))?.status;
    if (status !== undefined) pool.grant(status.nics.filter((nic) => nic.subnet === subnet));
    serve();
    const { inUse, cooling } = pool.counts(0);
    const spec: NodeNetworkSpec = {
      instance: '' as InstanceId,
      demand: [{ subnet, inUse, cooling, waiting: wanted - leases.length }],
      returned: pool.giveBack(0),
    };
    if (isDeepStrictEqual(spec, written)) return;
    await mirror.writeSpec(name, spec);
    written = spec;
  }
}
