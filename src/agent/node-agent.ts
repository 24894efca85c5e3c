/** What the verbs work with. */
import type { DatabaseSync } from 'node:sqlite';
import type { AttachedInterface } from '../datapath/interface.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { LinkKind } from '../kernel/link-kinds.ts';
import type { Log } from '../log.ts';
import type * as stored from '../store/attachments.ts';
import type { NodePods } from '../store/kubernetes/node-pods.ts';
import type { NodeConfig } from '../store/node-config.ts';
import type { Grants } from './grants.ts';
import type { Locks } from './locks.ts';
import type { Pools } from './pools.ts';

/** The part of the agent that needs a cloud; absent without a configuration. */
export interface CloudPart {
  readonly name: string;
  readonly config: NodeConfig['spec'];
  readonly pools: Pools;
  /** The node's Pods as the API server knows them; absent outside of a cluster. */
  readonly pods?: NodePods;
  /** Whether this kernel has that kind of link. */
  readonly hasKind: (kind: LinkKind) => boolean;
  /** By its public members, so that a test may stand in for it. */
  readonly grants: Pick<Grants, Exclude<keyof Grants, 'follow'>>;
}

/** One node's agent. */
export interface NodeAgent {
  readonly kernel: Kernel;
  /** state.db: what the plugins that need no cloud keep is read there in each verb, because they also run without an agent, each time as a new process. */
  readonly database: DatabaseSync;
  readonly attachments: stored.Attachments<AttachedInterface>;
  /** Keys of attachments that a predecessor died over, so that nobody knows whether their ADD was answered. */
  readonly interrupted: Set<string>;
  readonly locks: Locks;
  readonly log: Log;
  readonly cloud: CloudPart | undefined;
}

/** An attachment of a Pod's interface. */
export type Attachment = stored.Attachment<AttachedInterface>;

/** Identifies an attachment: by container and interface alone, never by network name, which the runtime may have changed since. */
export function keyOf(attachment: { readonly container: string; readonly ifname: string }): string {
  return `${attachment.container}/${attachment.ifname}`;
}
