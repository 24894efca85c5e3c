/** The agent from start to end: state, kernel, pools, what was left undone, then the socket. */
import { join } from 'node:path';
import { hostTableName } from '../datapath/host-table.ts';
import { type AttachedInterface, isAdopted, isMade } from '../datapath/interface.ts';
import type { PodTables } from '../datapath/node.ts';
import { chainedTableName } from '../datapath/veth-to-host-numbers.ts';
import { demandCapabilities } from '../kernel/capabilities.ts';
import { type Kernel, openKernel } from '../kernel/kernel.ts';
import { type LinkKind, linkKinds } from '../kernel/link-kinds.ts';
import type { Log } from '../log.ts';
import type { Ip } from '../net/address.ts';
import { noteCluster } from '../store/agents-part.ts';
import type { NodeConfig } from '../store/node-config.ts';
import type { NodePods } from '../store/kubernetes/node-pods.ts';
import type { NodeNetworks } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { quarantinedIn } from '../store/quarantine.ts';
import { adoptedAddresses, adoptedPlans } from './adopted/standing.ts';
import { writeAnswered } from './answered-adds.ts';
import { drain } from './drain.ts';
import { claimsAsked } from './claims.ts';
import { openExchange } from './exchange.ts';
import { expectedPods } from './expected-pods.ts';
import { Grants } from './grants.ts';
import { removeLeftovers } from './leftovers.ts';
import { listen } from './listen.ts';
import { Locks } from './locks.ts';
import { type Attachment, type CloudPart, keyOf, type NodeAgent } from './node-agent.ts';
import { orphansIn, watchOrphans } from './orphans.ts';
import { now_ms, Pools } from './pools.ts';
import { type SelfDefence, startSelfDefence } from './self-defence.ts';
import { honourSpool } from './spool.ts';
import { startSweep } from './sweep.ts';
import { followHost } from './veth-to-host/follow-host.ts';
import { chainedPlans } from './veth-to-host/plans.ts';
import { startChainedSweep } from './veth-to-host/sweep.ts';

/** A few milliseconds of work, for what no event tells of. */
const LOOK_EVERY_ms = 60_000;

/** What an agent is started with. */
export interface AgentOptions {
  /** Directory of the state; the spool of the CNI executable is in it. */
  readonly state: string;
  readonly socket: string;
  readonly database: NodeAgent['database'];
  /** Those in the database. */
  readonly attachments: NodeAgent['attachments'];
  readonly log: Log;
  /** Absent: no configuration, nothing that needs a cloud. */
  readonly cloud?: {
    readonly name: string;
    readonly config: NodeConfig['spec'];
    readonly subnets: readonly PodSubnet[];
    readonly store: NodeNetworks;
    /** In a cluster: the node's Pods. Tells of each change; asks which PodSubnets the node may use, for what else it has to read. */
    readonly pods?: (changed: () => void, subnets: () => readonly PodSubnet[]) => NodePods;
  };
}

/** An agent that serves. */
export interface RunningAgent {
  /** Ends it; Pods keep their network. */
  stop(): Promise<void>;
  /** Resolves when somebody asked the agent to drain and it is done: all is given back, the kernel holds nothing of ours. */
  readonly drained: Promise<void>;
}

/** Starts the agent in the namespace the process is in. @throws Failure capabilityMissing, socketTaken, socketUnusable, store*, kernelRefused. */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const { log, database, attachments } = options;
  demandCapabilities();
  await using open = new AsyncDisposableStack();
  const kernel = open.use(openKernel([hostTableName, chainedTableName]));
  const cloud = await startCloud(options, kernel);
  open.defer(() => cloud?.grants.stop());
  open.defer(() => cloud?.stopOrphans());
  open.defer(() => cloud?.pods?.stop());
  const interrupted = new Set(
    attachments
      .list()
      .filter(({ state }) => state === 'opening')
      .map(keyOf),
  );
  noteCluster(database, cloud?.pods !== undefined);
  const node: NodeAgent = { kernel, database, attachments, interrupted, locks: new Locks(), log, cloud };

  const spool = join(options.state, 'spool');
  await honourSpool(node, spool);
  const defence = startDefence(node);
  open.defer(() => defence.stop());
  const differences = defence.repairAll();
  // Only who knows what the node was granted can tell what is left over.
  if (cloud?.grants.status !== undefined) await removeLeftovers(node);
  log.info(`found ${attachments.list().length} attachments, put right ${differences.length} things`, {
    attachments: attachments.list().length,
  });
  open.defer(startSweep(node, spool));
  open.defer(startChainedSweep(node));
  open.defer(followHost(node));

  open.defer(() => writeAnswered(node));
  const { promise: drained, resolve: done } = Promise.withResolvers<void>();
  const answering = { defence, drain: (deadline_ms: number) => drain(node, deadline_ms), drained: done };
  const server = await listen(
    options.socket,
    () => openExchange(node, answering),
    (what) => log.error(what),
  );
  open.defer(async () => {
    // An ADD that waits for an address hears now that there will be none: nobody waits for the end.
    cloud?.pools.stop();
    await new Promise<void>((closed) => server.close(() => closed()));
  });
  if (cloud === undefined) log.warn('no configuration: serving only what needs no cloud; ADD answers FP123');
  log.info(`ready on ${options.socket}`, { socket: options.socket });
  const all = open.move();
  return { stop: () => all.disposeAsync(), drained };
}

async function startCloud(
  { cloud, attachments, database, log }: AgentOptions,
  kernel: Kernel,
): Promise<(CloudPart & { stopOrphans: () => void }) | undefined> {
  if (cloud === undefined) return undefined;
  const { name, config, subnets, store } = cloud;
  // Pools, Pods and grants know of each other: the first two tell of demand, grants feed the pools.
  let grants: Grants | undefined;
  const pods = cloud.pods?.(
    () => grants?.demandChanged(true),
    () => grants?.subnets ?? [],
  );
  const known = await store.get(name);
  const { protocol } = config.numbers;
  const orphans = orphansIn(kernel, protocol, new Set(attachments.list().flatMap((attachment) => attachment.interface.addresses)));
  const pools = new Pools([], {
    returned: known?.spec.returned ?? [],
    orphans: [...orphans, ...adoptedAddresses(attachments.list())],
    known: (subnet) => ({
      leased: attachments.list().flatMap((attachment) => (attachment.subnet === subnet ? attachment.interface.addresses : [])),
      resting: [
        ...quarantinedIn(database, subnet, now_ms(), config.conflictRest_s * 1000),
        ...attachments.resting(subnet, now_ms(), config.cooldown_s * 1000),
        // What Pods of a former plugin had, whichever PodSubnet has it now.
        ...attachments.resting('', now_ms(), config.cooldown_s * 1000),
      ],
    }),
    demandChanged: (urgent) => grants?.demandChanged(urgent),
  });
  const stopOrphans = watchOrphans(kernel, protocol, orphans, log, (ip) => pools.endOrphan(ip, now_ms() + config.cooldown_s * 1000));
  // Tried when the first PodSubnet needs to know: a module is loaded by that.
  let kinds: ReadonlySet<LinkKind> | undefined;
  const hasKind = (kind: LinkKind): boolean => (kinds ??= linkKinds()).has(kind);
  const podTables = tablesOf(attachments.list().map((attachment) => attachment.interface));
  const leased = (): Ip[] => attachments.list().flatMap((attachment) => attachment.interface.addresses);
  const inUse = (): string[] => attachments.list().flatMap(({ subnet }) => (subnet === '' ? [] : [subnet]));
  grants = new Grants({
    name,
    config,
    subnets,
    inUse,
    leased,
    store,
    kernel,
    pools,
    log,
    podTables,
    hasKind,
    away: () => nicsAway(attachments.list()),
    ...(pods !== undefined && {
      pods: {
        expected: (usable: readonly PodSubnet[]) => expectedPods(pods, attachments, usable, pools),
        claims: (usable: readonly PodSubnet[]) => claimsAsked(pods, usable),
      },
    }),
  });
  try {
    await grants.follow();
  } catch (error) {
    // Nobody else knows of them yet, and what goes on would keep the process from ending.
    grants.stop();
    stopOrphans();
    pods?.stop();
    throw error;
  }
  return { name, config, pools, grants, hasKind, stopOrphans, ...(pods !== undefined && { pods }) };
}

/** Tables that lead to Pods that are there already, whatever the numbers are now. */
function tablesOf(pods: readonly AttachedInterface[]): PodTables {
  const of = (isRouted: boolean): number[] =>
    pods.filter(isMade).flatMap(({ datapath, podTable }) => ((datapath === 'routed-veth') === isRouted ? [podTable] : []));
  const adopted = pods.filter(isAdopted).flatMap(({ ways }) => ways.map(({ table }) => table));
  return { routed: [...new Set([...of(true), ...adopted])], underlay: [...new Set(of(false))] };
}

/** NICs that Pods have for themselves, by id, with their names at home. */
function nicsAway(attachments: readonly Attachment[]): ReadonlyMap<string, string> {
  return new Map(
    attachments.flatMap((one) => (one.interface.datapath === 'nic' ? [[one.nic, one.interface.underlay.parent] as const] : [])),
  );
}

function startDefence(node: NodeAgent): SelfDefence {
  return startSelfDefence({
    kernel: node.kernel,
    log: node.log,
    nodePlan: () => node.cloud?.grants.plan ?? [],
    others: () => [...chainedPlans(node), ...adoptedPlans(node)],
    lookEvery_ms: LOOK_EVERY_ms,
    *pods() {
      for (const attachment of node.attachments.list())
        if (isMade(attachment.interface) && !node.locks.held(keyOf(attachment))) yield attachment.interface;
    },
  });
}
