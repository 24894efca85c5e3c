/** What the controller remembers of a node between passes. None of it is needed for being right: after a restart it is read or learnt again. */
import type { CloudInstance, CloudNic, InstanceId, NicId, SubnetId } from '../cloud/cloud.ts';
import type { Cidr } from '../net/cidr.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import type { GrantedNic } from '../store/node-network.ts';
import type { Facts } from './facts.ts';
import type { OwnWrite } from './own-writes.ts';
import type { Refused, Release } from './refused.ts';
import type { Stop } from './stop.ts';
import type { Missing } from './vanished.ts';
import type { Timings } from './world.ts';

/** What a full read of the cloud gave. */
export interface Reading {
  readonly instance: CloudInstance;
  readonly nics: readonly CloudNic[];
  readonly read_ms: number;
}

/** What is known of the cloud now. */
export interface Picture {
  readonly reading: Reading;
  readonly facts: Facts;
  /** The reading with our own writes laid over it. */
  readonly nics: readonly CloudNic[];
}

/** A stop that ends by itself. */
export interface Pause {
  readonly stop: Stop;
  readonly until_ms: number;
}

/** One node, as far as it is remembered. */
export interface NodeMemory {
  /** When this controller first heard of the node, as the machine that it is now. */
  readonly born_ms: number;
  /** The machine that all this is about; undefined: none was looked at. */
  instance: InstanceId | undefined;
  reading: Reading | undefined;
  /** Changes of ours that a read may not show yet. */
  writes: OwnWrite[];
  missing: Missing;
  /** An answer was unclear: nothing is believed before everything was read again. */
  mustRead: boolean;
  /** When assigns were called whose answer was unclear, and that no read since can have missed. */
  unclear_ms: readonly number[];
  /** Pods of it that wait for an address, as it said last. */
  waiting: number;
  /** The NICs the node last said it misses, as text. */
  unplugged: string;
  /** Looks in a row at NICs on their way in or out, and when the next is due. */
  polls: number;
  nextPoll_ms: number;
  /** No call at all before this is over. */
  pause: Pause | undefined;
  /** Refusals in a row that led to a pause. */
  refusals: number;
  readonly growthPauses: Map<string, Pause>;
  /** By {@link growthKey}. */
  readonly growthRefused: Map<string, Refused>;
  /** Interfaces that the cloud refused to attach, and the PodSubnets they were to serve. */
  readonly attachRefused: Map<NicId, string>;
  readonly mostAtOnce: Map<string, number>;
  /** Of its PodSubnets, as they were at the last pass. */
  readonly specs: Map<string, PodSubnet['spec']>;
  /** Subnets, of PodSubnets that have several, in which there was nothing left. */
  readonly fullSubnets: Map<SubnetId, Pause>;
  /** Until one of the kind works; its pause may be over. */
  readonly releasesRefused: Map<Release, Refused>;
  /** Tokens of intents the cloud has definitely refused. */
  readonly refusedTokens: Set<string>;
  readonly askedBackSince_ms: Map<Cidr, number>;
  /** Blocks that were asked back in vain, and until when they are taken to be in use; known also after that, so that all have their turn. */
  readonly keptUntil_ms: Map<Cidr, number>;
  readonly doubted: Set<Cidr>;
  /** Interfaces that the node says it lacks, and since when. */
  readonly lackedSince_ms: Map<NicId, number>;
  /** What the last look saw: good enough while no call may be made. */
  lastPicture: Picture | undefined;
  /** Sentences the log has already. */
  readonly said: Set<string>;
}

/** Of a node nothing is known about yet. */
export function blankMemory(now_ms: number): NodeMemory {
  return {
    born_ms: now_ms,
    instance: undefined,
    reading: undefined,
    writes: [],
    missing: new Map(),
    mustRead: true,
    unclear_ms: [],
    waiting: 0,
    unplugged: '[]',
    polls: 0,
    nextPoll_ms: 0,
    pause: undefined,
    refusals: 0,
    growthPauses: new Map(),
    growthRefused: new Map(),
    attachRefused: new Map(),
    mostAtOnce: new Map(),
    specs: new Map(),
    fullSubnets: new Map(),
    releasesRefused: new Map(),
    refusedTokens: new Set(),
    askedBackSince_ms: new Map(),
    keptUntil_ms: new Map(),
    doubted: new Set(),
    lackedSince_ms: new Map(),
    lastPicture: undefined,
    said: new Set(),
  };
}

/**
 * Another machine may have the node's name by now: nothing that was read, refused or paused is about that one. What was asked of the cloud a moment ago stays,
 * by clear answers and unclear ones: the interfaces are the node's still, their addresses count, and a read may be too old to show either. Not so of those that
 * were plugged into the first machine, which are gone with it, or shown as free when it has let go of them.
 */
export function forgetOther(memory: NodeMemory, instance: InstanceId, now_ms: number): void {
  const { instance: before, unclear_ms, waiting, unplugged } = memory;
  if (before !== undefined && before !== instance) {
    const plugged = new Set(memory.writes.flatMap(({ did, nic }) => (did === 'attach' || did === 'attachBranch' ? [nic] : [])));
    const writes = memory.writes.filter(({ nic }) => !plugged.has(nic));
    Object.assign(memory, blankMemory(now_ms), { writes, unclear_ms, waiting, unplugged });
  }
  memory.instance = instance;
}

/** Forgets what is over. */
export function forgetOld(memory: NodeMemory, now_ms: number): void {
  if (memory.pause !== undefined && memory.pause.until_ms <= now_ms) memory.pause = undefined;
  for (const [id, pause] of memory.fullSubnets) if (pause.until_ms <= now_ms) memory.fullSubnets.delete(id);
  for (const [subnet, pause] of memory.growthPauses) {
    if (pause.until_ms > now_ms) continue;
    memory.growthPauses.delete(subnet);
    memory.mostAtOnce.delete(subnet);
  }
}

/** Keeps since when each block is asked back, and until when those are taken to be in use that were so for `stuck_ms` without being given back; of `granted` alone. */
export function noteAskedBack(memory: NodeMemory, granted: readonly GrantedNic[], now_ms: number, { stuck_ms, kept_ms }: Patience): void {
  const { askedBackSince_ms: since, keptUntil_ms: kept } = memory;
  const asked = new Set(granted.flatMap(({ reclaiming }) => reclaiming));
  for (const block of asked) if (!since.has(block)) since.set(block, now_ms);
  for (const [block, since_ms] of since) {
    if (now_ms - since_ms >= stuck_ms) kept.set(block, since_ms + kept_ms);
    if (!asked.has(block)) since.delete(block);
  }
  const held = new Set(granted.flatMap(({ blocks }) => blocks));
  for (const block of kept.keys()) if (!held.has(block)) kept.delete(block);
}

/** Keeps since when the node lacks each of these. */
export function noteLacked({ lackedSince_ms: since }: NodeMemory, lacked: readonly NicId[], now_ms: number): void {
  for (const nic of lacked) if (!since.has(nic)) since.set(nic, now_ms);
  for (const nic of since.keys()) if (!lacked.includes(nic)) since.delete(nic);
}

type Patience = Pick<Timings, 'stuck_ms' | 'kept_ms'>;
