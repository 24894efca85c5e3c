/** The cluster in numbers, from Flatpod's objects and the controllers' Lease alone. Pure. */
import type { StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import type { LeaseView, PodView } from './core.ts';
import type { SubnetView } from './objects.ts';
import type { StoredNodeNetwork } from '../../store/kubernetes/stored-node-network.ts';
import { sayCloudSubnets } from '../../store/subnet-id.ts';
import { type Pressure, pressureOf } from './pressure.ts';
import { type Usage, usageOf } from './usage.ts';

/** Clocks differ: a Lease counts as silent only so much later than it says. */
const CLOCKS_DIFFER_ms = 30_000;

/** What was read. */
export interface ClusterObjects {
  readonly subnets: readonly SubnetView[];
  readonly networks: readonly StoredNodeNetwork[];
  readonly claims: readonly StoredClaim[];
  readonly lease: LeaseView | undefined;
  /** The Pods of the agents; undefined: they may not be seen. */
  readonly agents: readonly PodView[] | undefined;
  /** Objects that were left out. */
  readonly unreadable: readonly string[];
  readonly now_ms: number;
}

type Numbers = Pick<Usage, 'held' | 'claimed' | 'inUse' | 'cooling' | 'free' | 'waiting'>;
interface Stopped {
  readonly by: Usage['stoppedBy'];
  readonly text: string;
}

/** What `kubectl flatpod status` tells; plain JSON. Times are milliseconds since the epoch. */
export interface ClusterReport {
  readonly controller: {
    readonly holder: string;
    readonly term: number;
    readonly renewed_ms: number | null;
    readonly alive: boolean;
  } | null;
  readonly subnets: readonly (Numbers & {
    readonly name: string;
    readonly cloudSubnet: string;
    readonly zone: string;
    readonly cidrs: readonly string[];
    /** Addresses that nobody in the cloud holds; null when not known. */
    readonly cloudFree: number | null;
    readonly perNode: number;
    readonly perCluster: number | null;
    readonly nodes: number;
    readonly default: boolean;
    readonly assignedTo: readonly string[];
    readonly stopped: readonly (Stopped & { readonly node: string })[];
    /** What its condition Ready says when it is not so; empty otherwise. */
    readonly problem: string;
  })[];
  readonly nodes: readonly (Numbers & {
    readonly name: string;
    readonly instance: string;
    readonly nics: number;
    /** `ready`, what its Pod waits for, `none`; empty when Pods may not be seen. */
    readonly agent: string;
    readonly draining: boolean;
    readonly stopped: readonly (Stopped & { readonly subnet: string })[];
    /** What keeps it from having addresses at all; empty when nothing. */
    readonly problem: string;
  })[];
  readonly claims: Readonly<Record<'claims' | 'Reserved' | 'Bound' | 'Moving' | 'Releasing', number>>;
  readonly pressure: readonly Pressure[];
  readonly unreadable: readonly string[];
}

/** See {@link ClusterReport}. */
export function clusterReport(objects: ClusterObjects): ClusterReport {
  const { subnets, networks, claims, unreadable } = objects;
  const usage = networks.flatMap((network) => usageOf(network, subnets));
  const phases = claims.flatMap(({ status }) => status.addresses.map(({ phase }) => phase));
  const inPhase = (phase: (typeof phases)[number]): number => phases.filter((one) => one === phase).length;
  return {
    controller: controllerOf(objects),
    subnets: subnets.toSorted(byName).map((subnet) => subnetRow(subnet, usage)),
    nodes: networks.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map((network) => nodeRow(network, usage, objects.agents)),
    claims: {
      claims: claims.length,
      Reserved: inPhase('Reserved'),
      Bound: inPhase('Bound'),
      Moving: inPhase('Moving'),
      Releasing: inPhase('Releasing'),
    },
    pressure: pressureOf(usage, subnets),
    unreadable,
  };
}

function byName(a: SubnetView, b: SubnetView): number {
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

function controllerOf({ lease, now_ms }: ClusterObjects): ClusterReport['controller'] {
  if (lease?.holder === undefined) return null;
  const { holder, term, renewed_ms, lasts_ms } = lease;
  const alive = renewed_ms !== undefined && now_ms - renewed_ms < lasts_ms + CLOCKS_DIFFER_ms;
  return { holder, term, renewed_ms: renewed_ms ?? null, alive };
}

function sum(usage: readonly Usage[]): Numbers {
  const of = (key: keyof Numbers): number => usage.reduce((total, one) => total + one[key], 0);
  return {
    held: of('held'),
    claimed: of('claimed'),
    inUse: of('inUse'),
    cooling: of('cooling'),
    free: of('free'),
    waiting: of('waiting'),
  };
}

function subnetRow({ metadata: { name }, spec, status }: SubnetView, usage: readonly Usage[]): ClusterReport['subnets'][number] {
  const own = usage.filter(({ subnet }) => subnet === name);
  const ready = status?.conditions.find(({ type }) => type === 'Ready');
  return {
    name,
    cloudSubnet: sayCloudSubnets({ metadata: { name }, spec }),
    zone: status?.zone ?? '',
    cidrs: status?.cidrs ?? [],
    ...sum(own),
    cloudFree: status?.free ?? null,
    perNode: spec.perNode.maximum,
    perCluster: spec.perCluster.maximum ?? null,
    nodes: own.filter(({ held, claimed }) => held + claimed > 0).length,
    default: spec.default,
    assignedTo: status?.assignedTo ?? [],
    stopped: own.flatMap(({ node, stoppedBy: by, text }) => (by === 'none' ? [] : [{ node, by, text }])),
    problem: ready?.status === 'False' ? ready.message : '',
  };
}

function nodeRow(network: StoredNodeNetwork, usage: readonly Usage[], agents: ClusterObjects['agents']): ClusterReport['nodes'][number] {
  const own = usage.filter(({ node }) => node === network.name);
  return {
    name: network.name,
    instance: network.instance ?? '',
    nics: network.status?.nics.length ?? 0,
    ...sum(own),
    agent: agents === undefined ? '' : agentState(agents.find(({ node }) => node === network.name)),
    draining: network.spec?.draining !== undefined,
    stopped: own.flatMap(({ subnet, stoppedBy: by, text }) => (by === 'none' ? [] : [{ subnet, by, text }])),
    problem: problemOf(network),
  };
}

function problemOf({ spec, status }: StoredNodeNetwork): string {
  if (spec === undefined) return 'its agent has never spoken';
  if (status === undefined) return 'the controller has not answered its agent yet';
  const unplugged = spec.unplugged ?? [];
  return unplugged.length === 0 ? '' : `it does not see granted interfaces: ${unplugged.join(', ')}`;
}

function agentState(agent: PodView | undefined): string {
  if (agent === undefined) return 'none';
  return agent.ready ? 'ready' : (agent.waiting?.reason ?? `${agent.phase}, not ready`);
}
