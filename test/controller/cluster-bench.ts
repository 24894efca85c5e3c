/** A small cluster without one: the API and the cloud in memory, the real controller, stores and claims, and honest agents around the real pools. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { answerTo, asksForClaim, claimedReturned, claimsAsked, takenBy, withLetGo } from '../../src/agent/claims.ts';
import { Pools } from '../../src/agent/pools.ts';
import { candidatesOf } from '../../src/agent/subnet-choice.ts';
import type { InstanceId, InstanceLimits } from '../../src/cloud/cloud.ts';
import { Ledger } from '../../src/cloud/range/ledger.ts';
import { rangeCloud } from '../../src/cloud/range/range-cloud.ts';
import { withRanges } from '../../src/cloud/range/with-ranges.ts';
import { ClusterClaims } from '../../src/controller/claims/cluster-claims.ts';
import { type Controller, startController } from '../../src/controller/controller.ts';
import { failure } from '../../src/errors/failure.ts';
import { createLog, type Log } from '../../src/log.ts';
import type { Ip } from '../../src/net/address.ts';
import type { Cidr } from '../../src/net/cidr.ts';
import { ClusterNodeNetworks } from '../../src/store/kubernetes/cluster-node-networks.ts';
import { ledgerObjects } from '../../src/store/kubernetes/ledger-objects.ts';
import { mirroredNodeNetwork } from '../../src/store/kubernetes/mirrored-node-network.ts';
import { nodePods, type PodFacts } from '../../src/store/kubernetes/node-pods.ts';
import { readPod } from '../../src/store/kubernetes/core-objects.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { readClaim, type StoredClaim } from '../../src/store/kubernetes/stored-claim.ts';
import { readNodeNetwork } from '../../src/store/kubernetes/stored-node-network.ts';
import type { NodeNetworkSpec, NodeNetworkStatus } from '../../src/store/node-network.ts';
import { podRangeOf } from '../../src/store/pod-range.ts';
import { type PodSubnet, podSubnet } from '../../src/store/pod-subnet.ts';
import { memoryCloud, type MemoryCloud } from '../cloud/memory-cloud.ts';
import { type VirtualClock, virtualClock } from '../cloud/virtual-clock.ts';
import { memoryKube, type MemoryKube } from '../store/memory-kube.ts';
import { memoryNetworks, subnet } from './harness.ts';
import { type Leader, type Succession, succession } from './succession.ts';

const NAMESPACE = 'shop';

/** Who wakes up too late hears that it leads no more: what it asks of the cloud is refused. */
export interface ClusterBench extends AsyncDisposable, Omit<Succession, 'end'> {
  readonly clock: VirtualClock;
  readonly cloud: MemoryCloud;
  readonly kube: MemoryKube;
  readonly lines: string[];
  readonly agents: ReadonlyMap<string, HonestAgent>;
  subnets: PodSubnet[];
  /** Whether leaders from now on give anything back to the cloud. */
  releases: boolean;
  /** A Node, its instance and its agent. */
  addNode(name: string, cloudSubnet?: string, limits?: Partial<InstanceLimits>, zone?: string): HonestAgent;
  ready(node: string, is: boolean): void;
  /** The Node is deleted, and its instance is terminated or lives on. */
  removeNode(name: string, instance: 'dies' | 'lives'): void;
  /** The Node comes back, with its instance or with a new one. */
  returnNode(name: string): void;
  instanceOf(node: string): InstanceId;
  addPod(name: string, node: string, annotations?: Record<string, string>, labels?: Record<string, string>): void;
  removePod(name: string): void;
  addClaim(name: string, spec: object): void;
  claim(name: string): StoredClaim | undefined;
  status(node: string): NodeNetworkStatus;
  /** undefined: there is no such Pod. */
  uidOf(pod: string): string | undefined;
  /** Addresses of the Pod, wherever it is attached; undefined: it is not. */
  addressOf(pod: string): Ip | undefined;
  addressesOf(pod: string): readonly Ip[];
  /** Why the Pod has no address of its own, as its agent was told. */
  problemOf(pod: string): string | undefined;
  pass(ms: number): Promise<void>;
}

/** An agent that keeps its side of the bargain. */
export interface HonestAgent {
  readonly attached: ReadonlyMap<string, Attached>;
  /** It neither hears nor says anything. Its containers run. */
  dead: boolean;
  /** It lives again, and looks around. */
  revive(): void;
  stop(): void;
  /** Its machine is gone, and its containers with it. */
  die(): void;
}

export interface Attached {
  readonly pod: string;
  readonly subnet: string;
  readonly addresses: readonly Ip[];
}

interface Watch {
  readonly attached?: (facts: PodFacts, addresses: readonly Ip[]) => void;
  /** IPv6 block of subnet-a. */
  readonly cidr6?: string;
}

export function clusterBench(watch: Watch = {}): ClusterBench {
  const clock = virtualClock();
  const cloud = memoryCloud(clock);
  const kube = memoryKube();
  const lines: string[] = [];
  const log = createLog('test', 'debug', (line) => lines.push(line));
  const agents = new Map<string, HonestAgent>();
  const plugged = (instance: InstanceId): ReadonlySet<string> =>
    new Set(cloud.truth().flatMap(({ id, attachment }) => (attachment?.instance === instance ? [id] : [])));
  const told = (facts: PodFacts, addresses: readonly Ip[]): void => {
    const podIPs = addresses.map((ip) => ({ ip }));
    // As its kubelet does.
    if (kube.stored({ ...resources.pods, namespace: NAMESPACE, name: facts.pod.name }) !== undefined)
      kube.put({ ...resources.pods, namespace: NAMESPACE }, { metadata: { name: facts.pod.name }, status: { podIPs } });
    watch.attached?.(facts, addresses);
  };
  const leaders = succession(clock, (term) => leader(one, term, log));
  const instances = new Map<string, InstanceId>();
  const births = new Map<string, number>();
  const dead = new Set<string>();
  cloud.addSubnet('subnet-a', '10.20.0.0/24', watch.cidr6 === undefined ? {} : { cidr6: watch.cidr6 });
  kube.put(resources.namespaces, { metadata: { name: NAMESPACE } });
  const one: ClusterBench = {
    clock,
    cloud,
    kube,
    lines,
    agents,
    subnets: [subnet('pods', { cloudSubnet: 'subnet-a', default: true, warm: { spare: 1 } })],
    releases: true,
    addNode(name, cloudSubnet = 'subnet-a', limits = {}, zone = 'a') {
      const instance = `i-${name}${'-again'.repeat(births.get(name) ?? 0)}` as InstanceId;
      instances.set(name, instance);
      births.set(name, (births.get(name) ?? 0) + 1);
      cloud.launch(instance, cloudSubnet as never, { addressSlotsPerNic: 24, ipv6SlotsPerNic: 24, ...limits }, zone);
      const conditions = [{ type: 'Ready', status: 'True' }];
      kube.put(resources.nodes, { ...nodeObject(name, instance, zone), status: { conditions } });
      const agent = honestAgent(name, () => plugged(instance), kube, clock, log, told);
      agents.set(name, agent);
      return agent;
    },
    ready: (name, is) =>
      kube.put(resources.nodes, { metadata: { name }, status: { conditions: [{ type: 'Ready', status: is ? 'True' : 'Unknown' }] } }),
    lead: leaders.lead,
    pauseAndLead: leaders.pauseAndLead,
    wakeUp: leaders.wakeUp,
    removeNode(name, what) {
      kube.remove({ ...resources.nodes, name });
      if (what === 'lives') return;
      agents.get(name)?.die();
      cloud.terminate(one.instanceOf(name));
      dead.add(name);
    },
    returnNode(name) {
      if (dead.delete(name)) one.addNode(name);
      else
        kube.put(resources.nodes, {
          ...nodeObject(name, one.instanceOf(name)),
          status: { conditions: [{ type: 'Ready', status: 'True' }] },
        });
    },
    instanceOf: (name) => instances.get(name) as InstanceId,
    addPod: (name, nodeName, annotations = {}, labels = {}) =>
      kube.put({ ...resources.pods, namespace: NAMESPACE }, { metadata: { name, annotations, labels }, spec: { nodeName } }),
    removePod: (name) => kube.remove({ ...resources.pods, namespace: NAMESPACE, name }),
    addClaim: (name, spec) => kube.put({ ...resources.ipClaims, namespace: NAMESPACE }, { metadata: { name }, spec }),
    claim(name) {
      const stored = kube.stored({ ...resources.ipClaims, namespace: NAMESPACE, name });
      return stored === undefined ? undefined : readClaim(stored);
    },
    status: (name) => readNodeNetwork(kube.stored({ ...resources.nodeNetworks, name })).status ?? { vpcCidrs: [], nics: [], growth: [] },
    uidOf: (name) => {
      const pod = kube.stored({ ...resources.pods, namespace: NAMESPACE, name });
      return pod === undefined ? undefined : readPod(pod).uid;
    },
    addressOf: (pod) => one.addressesOf(pod)[0],
    addressesOf: (pod) => {
      for (const { attached } of agents.values()) {
        const found = attached.get(one.uidOf(pod) ?? '');
        if (found !== undefined) return found.addresses;
      }
      return [];
    },
    problemOf: (pod) =>
      [...agents.keys()]
        .flatMap((name) => one.status(name).claims ?? [])
        .find(({ uid, addresses }) => uid === one.uidOf(pod) && addresses.length === 0)?.problem,
    pass: (ms) => clock.advance(ms),
    async [Symbol.asyncDispose]() {
      leaders.end();
      for (const agent of agents.values()) agent.stop();
      await nextTurn();
    },
  };
  return one;
}

function nodeObject(name: string, instance: InstanceId, zone = 'a'): object {
  return { metadata: { name }, spec: { providerID: `vpc:///${zone}/${instance}` } };
}

/** What `flatpod controller` does when it leads. Answers with the ways to end it, and to pause it and wake it up again: calls and answers hang meanwhile. */
async function leader(bench: ClusterBench, term: number, log: Log): Promise<Leader> {
  const { clock, releases } = bench;
  let dead = false;
  let isOver = false;
  let paused: Promise<void> | undefined;
  const until = <T extends object>(one: T, isFenced: (call: string) => boolean): T =>
    new Proxy(one, {
      get(of, key, receiver) {
        const method: unknown = Reflect.get(of, key, receiver);
        if (typeof method !== 'function' || key === 'watch') return method;
        return async (...given: unknown[]): Promise<unknown> => {
          await paused;
          if (isOver && isFenced(String(key))) throw failure('cloudFenced', { cloud: 'memory', call: String(key), left_ms: 0 });
          const answer: unknown = await Reflect.apply(method, of, given);
          await paused;
          return answer;
        };
      },
    });
  const changing = new Set(['createNic', 'attachNic', 'detachNic', 'deleteNic', 'assign', 'unassign']);
  const kube = until(bench.kube, () => false);
  const ranges = bench.subnets.flatMap((one) => podRangeOf(one, '') ?? []);
  const podSubnets = ranges.map(({ podSubnet: name }) => name);
  const ranged = rangeCloud({
    cluster: 'test',
    ledger: await Ledger.open(ledgerObjects(kube, { deadline_ms: 1000 })),
    ranges: () => ranges,
    node: (name) => (bench.agents.has(name) ? { instance: bench.instanceOf(name), podSubnets } : undefined),
  });
  const cloud = withRanges(
    until(bench.cloud, (call) => changing.has(call)),
    until(ranged, (call) => changing.has(call)),
  );
  const networks = new ClusterNodeNetworks(kube, term, log);
  let controller: Controller | undefined;
  const life = {
    isAlive: (node: string) => networks.node(node)?.isReady === true,
    isGone: (node: string) => networks.node(node) === undefined,
    networks: () => networks.list(),
    wake: (node: string): void => {
      if (!dead) controller?.wake(node);
    },
  };
  const claims = new ClusterClaims(kube, life, log, { clock, releases });
  const synced = Promise.all([networks.synced, claims.synced]).then(() => true);
  // An API that refuses is tried again after a pause of real time.
  await synced;
  controller = await startController({
    cluster: 'test',
    networks,
    claims,
    cloud,
    ranges: ranged,
    log,
    clock,
    random: () => 0.5,
    subnets: () => bench.subnets,
    tellSubnets: true,
    releases,
  });
  return {
    end() {
      dead = true;
      networks.stop();
      claims.stop();
      // One whose call hangs never ends.
      void controller?.stop();
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

function honestAgent(
  name: string,
  /** Interfaces that the kernel sees. */
  plugged: () => ReadonlySet<string>,
  kube: MemoryKube,
  clock: VirtualClock,
  log: Log,
  tell: (facts: PodFacts, addresses: readonly Ip[]) => void,
): HonestAgent {
  const copy = memoryNetworks();
  const mirror = mirroredNodeNetwork(kube, copy, name, log);
  const attached = new Map<string, Attached>();
  const leased = (of?: string): Ip[] =>
    [...attached.values()].flatMap(({ subnet: in_, addresses }) => (of === undefined || of === in_ ? addresses : []));
  const pools = new Pools([], { known: (of) => ({ leased: leased(of), resting: [] }), demandChanged: () => undefined });
  const pods = nodePods(kube, name, log, () => poke());
  let letGo: ReadonlySet<Cidr> = new Set();
  let written: NodeNetworkSpec | undefined;
  let last: Promise<void> = Promise.resolve();
  let waiting = false;
  const agent = { attached, dead: false, revive, stop, die };
  let heard = '';
  const unwatch = copy.watch(({ status }) => {
    const text = JSON.stringify(status);
    if (text !== heard) poke();
    heard = text;
  });
  poke();
  return agent;

  /** Interfaces of ranges stand on one that every node has. */
  function seen({ nics }: NodeNetworkStatus): ReadonlySet<string> {
    return plugged().union(new Set(nics.flatMap(({ id, parent }) => (parent === undefined ? [] : [id]))));
  }

  function poke(): void {
    if (waiting) return;
    waiting = true;
    last = last.then(async () => {
      waiting = false;
      if (agent.dead) return;
      await sync().catch((error: unknown) => {
        log.debug(`agent of ${name}: ${String(error)}`);
        clock.after(1000, poke);
      });
    });
  }

  async function sync(): Promise<void> {
    const said = (await copy.get(name))?.status;
    const status = said === undefined ? undefined : withLetGo(said, letGo);
    const subnets = (status?.subnets ?? []).map((of) =>
      podSubnet.parse({ apiVersion: 'flatpod.dev/v1alpha1', kind: 'PodSubnet', metadata: { name: of.name }, spec: of.spec }),
    );
    pools.configure(subnets);
    if (status !== undefined) pools.grant(status, seen(status));
    const here = pods.list();
    for (const [uid, { subnet: of, addresses }] of attached) {
      if (here.some(({ pod }) => pod.uid === uid)) continue;
      attached.delete(uid);
      pools.release(of, addresses, 0);
    }
    const without: PodFacts[] = [];
    for (const facts of here) {
      if (attached.has(facts.pod.uid) || facts.namespace === undefined) continue;
      if (!(await attach(facts, subnets, status))) without.push(facts);
    }
    const claimed = claimedReturned(status, new Set(leased()));
    letGo = new Set(claimed);
    const waits = without.filter((facts) => !asksForClaim(facts)).length;
    const claims = claimsAsked(pods, subnets);
    const spec: NodeNetworkSpec = {
      instance: '' as InstanceId,
      demand: pools.demand().map((one, i) => ({ ...one, waiting: i === 0 ? waits : 0 })),
      returned: [...new Set([...pools.giveBack(), ...claimed])],
      ...(claims.length > 0 && { claims }),
    };
    if (isDeepStrictEqual(spec, written)) return;
    await mirror.writeSpec(name, spec);
    written = spec;
  }

  async function attach(facts: PodFacts, subnets: readonly PodSubnet[], status: NodeNetworkStatus | undefined): Promise<boolean> {
    const { uid, name: pod } = facts.pod;
    const [first] = candidatesOf(subnets, facts);
    if (first === undefined) return false;
    if (!asksForClaim(facts)) {
      const taken = await pools.lease(first, { pod, requested: [] }, 0).catch(() => undefined);
      if (taken === undefined) return false;
      attached.set(uid, { pod, subnet: first.metadata.name, addresses: taken.addresses });
      tell(facts, taken.addresses);
      return true;
    }
    const answer = status === undefined ? undefined : answerTo(status, uid);
    const taken = status === undefined || answer === undefined ? undefined : takenBy(status, answer);
    if (status === undefined || taken === undefined || !seen(status).has(taken.nic) || taken.addresses.some((ip) => leased().includes(ip)))
      return false;
    attached.set(uid, { pod, subnet: answer?.subnet ?? '', addresses: taken.addresses });
    tell(facts, taken.addresses);
    return true;
  }

  function revive(): void {
    agent.dead = false;
    poke();
  }

  function die(): void {
    stop();
    attached.clear();
  }

  function stop(): void {
    agent.dead = true;
    unwatch();
    mirror.stop();
    pods.stop();
    pools.stop();
  }
}
