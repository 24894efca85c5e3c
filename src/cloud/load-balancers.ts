/**
 * What Flatpod asks of a cloud's load balancers, beside {@link Cloud}: one for each Service, whose members are Pods by their own addresses.
 *
 * Promises every driver keeps
 * - `look` and `leave` change nothing; each says at most one step, and a step is at most one changing request
 * - whoever takes the steps one after another gets there from wherever somebody stopped: after a crash, a lost answer, or a change by hand
 * - a refusal is a Failure cloud*, as of every call of a cloud
 */
import type { Ip } from '../net/address.ts';
import type { Cidr } from '../net/cidr.ts';
import type { SubnetId, Tags } from './cloud.ts';

/** What is balanced: the protocols that a Service may have. */
export type Transport = 'TCP' | 'UDP' | 'SCTP';

/** One Pod behind a port. */
export interface WantedMember {
  readonly address: Ip;
  readonly port: number;
  /** Where the address is, when that is known; of several subnets by one name (`ID+ID`) the one that has it. */
  readonly subnet?: SubnetId;
}

/** One port that is listened on. */
export interface WantedListener {
  readonly transport: Transport;
  readonly port: number;
  /** Who may connect; empty: everybody. */
  readonly sources: readonly Cidr[];
  /** The same client gets the same Pod, for that long. */
  readonly affinity?: { readonly timeout_s: number };
  /** Of both families, each once. */
  readonly members: readonly WantedMember[];
}

/** What a load balancer is to be like. */
export interface WantedLoadBalancer {
  /** By which it is found: no other has the same. */
  readonly tags: Tags;
  /** For people. */
  readonly name: string;
  /** Where its own address is; absent: where the configuration says. */
  readonly subnet?: SubnetId;
  /** Of its own address: the first of these that the subnet has. */
  readonly families: readonly (4 | 6)[];
  /** The address that users are to find it by; absent: whichever comes. */
  readonly address?: Ip;
  /** No public address, even where the configuration gives one. */
  readonly isInternal: boolean;
  /** The address that users were told. Of two by these tags, the one that has it is meant. */
  readonly told?: Ip;
  readonly listeners: readonly WantedListener[];
  /** Nothing else than the members of its ports is to be changed, and nothing made: what else is wanted cannot be had. */
  readonly membersOnly?: true;
}

/** One changing request that leads nearer to what is wanted. Only {@link LoadBalancers.perform} sends it. */
export interface Step {
  /** Which of the account's limits it counts against. */
  readonly kind: 'create' | 'assign' | 'unassign' | 'delete';
  /** Something of the cloud's is given back by it. */
  readonly isRelease: boolean;
  /** What it does, for the log. */
  readonly text: string;
  readonly send: () => Promise<void>;
}

/** How it stands. */
export interface Standing {
  /** `changing`: the cloud is at work, nothing can be asked of it; `broken`: the cloud gave up on it. */
  readonly state: 'absent' | 'changing' | 'there' | 'broken';
  /** What comes next. Absent: all is as it is to be, or has to be waited for, or cannot be mended. */
  readonly next?: Step;
  /** The address for users, once it has it. */
  readonly address?: Ip;
  /** The cloud's id of it, and what is worth telling of it. */
  readonly id?: string;
  readonly words?: string;
}

/** Something of ours in the cloud: a load balancer, or what is left of one. */
export interface FoundLoadBalancer {
  readonly id: string;
  readonly tags: Tags;
}

/** A cloud's load balancers, seen from the controller. */
export interface LoadBalancers {
  readonly name: string;
  /** All with these tags. */
  list(tags: Tags): Promise<FoundLoadBalancer[]>;
  /** How it stands, and the next step towards what is wanted. */
  look(want: WantedLoadBalancer): Promise<Standing>;
  /** How it stands, and the next step towards nothing; `absent` when nothing with these tags is left. */
  leave(tags: Tags): Promise<Standing>;
  perform(step: Step): Promise<void>;
  /** What the account may not do with them, a sentence each; absent: cannot be asked. Changes nothing. */
  missingPermissions?(): Promise<string[]>;
}
