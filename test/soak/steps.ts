/** What one step may be. All of it is plain data: a step names containers by number and addresses not at all. */
import type { FaultPoint } from '../../src/agent/fault-point.ts';
import type { Ifname, Key, Network, Settings, Subnet } from './world.ts';

/** One call of the executable. */
export type Call =
  | { readonly verb: 'ADD'; readonly box: number; readonly ifname: Ifname; readonly network: Network; readonly subnet: Subnet }
  | { readonly verb: 'DEL'; readonly box: number; readonly ifname: Ifname; readonly netns: 'given' | 'empty'; readonly network: Network }
  | { readonly verb: 'CHECK'; readonly box: number; readonly ifname: Ifname }
  | { readonly verb: 'STATUS'; readonly node: number };

/** What may be taken from the host, and what from inside of a Pod. */
export const hostDamages = ['rule to Pods', 'rule of a NIC', 'route', 'link down', 'link gone', 'table', 'elements', 'NIC routes'] as const;
export const podDamages = ['default route', 'address', 'neighbour', 'link down'] as const;

/** Faults of the cloud. Each has an end, so that the cloud serves again by itself. */
export const cloudFaults = [
  { call: 'AssignAddresses', count: 1, effect: { kind: 'loseAnswer' } },
  { call: 'AssignAddresses', count: 1, effect: { kind: 'partial' } },
  { call: 'AssignAddresses', count: 1, effect: { kind: 'error' } },
  { call: 'UnassignAddresses', count: 1, effect: { kind: 'loseAnswer' } },
  { call: 'UnassignAddresses', count: 1, effect: { kind: 'loseRequest' } },
  { call: 'ListNics', count: 1, effect: { kind: 'throttle' } },
  { call: '*', count: 2, effect: { kind: 'delay', ms: 100 } },
  { call: '*', count: 1, effect: { kind: 'error' } },
  { call: '*', count: 5, effect: { kind: 'staleReads', ms: 200 } },
] as const;

/** One step. */
export type Step =
  | { readonly kind: 'call'; readonly call: Call }
  /** At once, each of another attachment. */
  | { readonly kind: 'batch'; readonly calls: readonly Call[] }
  /** At once and of one attachment that is not there (ADD) or is (DEL); `both`: ADD and DEL, and a DEL after them. */
  | { readonly kind: 'twice'; readonly what: 'ADD' | 'DEL' | 'both'; readonly key: Key; readonly network: Network; readonly subnet: Subnet }
  /** ADD of a new container that asks for an address that another of the node has. */
  | { readonly kind: 'ask taken'; readonly box: number; readonly of: Key }
  /** A new container gets an address, gives it back, and asks for that very one; what it gets goes again. */
  | { readonly kind: 'ask freed'; readonly box: number; readonly by: 'CNI_ARGS' | 'ips' }
  | { readonly kind: 'damage host'; readonly what: (typeof hostDamages)[number]; readonly key: Key }
  | { readonly kind: 'damage Pod'; readonly what: (typeof podDamages)[number]; readonly key: Key; readonly next: 'repair' | 'DEL' }
  /** `keep` absent: the runtime gives no list. */
  | { readonly kind: 'GC'; readonly node: number; readonly network: Network; readonly keep?: readonly Key[] }
  | { readonly kind: 'netns gone'; readonly box: number }
  | { readonly kind: 'restart'; readonly node: number; readonly how: 'SIGTERM' | 'SIGKILL'; readonly settings: Settings }
  /** Dies at the point, in this call, and is started again. */
  | { readonly kind: 'crash'; readonly node: number; readonly point: FaultPoint; readonly call: Call }
  /** Calls while no agent is there. */
  | { readonly kind: 'away'; readonly node: number; readonly how: 'SIGTERM' | 'SIGKILL'; readonly calls: readonly Call[] }
  | { readonly kind: 'VPC down'; readonly how: 'SIGTERM' | 'SIGKILL' }
  | { readonly kind: 'VPC up' }
  | { readonly kind: 'cloud fault'; readonly fault: number }
  | { readonly kind: 'cloud faults end' }
  /** Until nothing rests any more on the node. */
  | { readonly kind: 'cooldown passes'; readonly node: number }
  | { readonly kind: 'packets'; readonly from: number; readonly to: number };
