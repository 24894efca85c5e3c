/** What the verbs of veth-to-host work with: an agent, or what a one-shot process has of one. */
import type { DatabaseSync } from 'node:sqlite';
import type { ChainedVeth } from '../../datapath/veth-to-host.ts';
import { readChainedVeth } from '../../datapath/veth-to-host-stored.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import type { Log } from '../../log.ts';
import { type ChainedLinks, openChained } from '../../store/chained.ts';
import type * as stored from '../../store/chained.ts';
import type { Locks } from '../locks.ts';

/** See the head of this file. */
export interface ChainNode {
  readonly kernel: Kernel;
  readonly database: DatabaseSync;
  readonly locks: Locks;
  readonly log: Log;
}

/** A helper interface of a container. */
export type ChainedLink = stored.ChainedLink<ChainedVeth>;

/** The helpers of this node. */
export function chainedLinksOf({ database }: Pick<ChainNode, 'database'>): ChainedLinks<ChainedVeth> {
  return openChained(database, 'veth-to-host', readChainedVeth);
}

/** Identifies a main interface for {@link Locks}, apart from what the main plugin does to it. */
export function chainedKey({ container, ifname }: { readonly container: string; readonly ifname: string }): string {
  return `veth-to-host ${container}/${ifname}`;
}

/** For people: which interface it stands beside. */
export function chainedName({ container, ifname, name }: Pick<ChainedLink, 'container' | 'ifname' | 'name'>): string {
  return `${name} beside ${container}/${ifname}`;
}
