/** What `flatpod status` shows, as data. */
import { isMade } from '../datapath/interface.ts';
import type { NodeAgent } from './node-agent.ts';
import { podName } from './attach.ts';
import { now_ms } from './pools.ts';
import { asFailure } from '../errors/failure.ts';
import { isNetns } from '../kernel/netns.ts';
import { status } from './status.ts';

/** The node as a whole; every field is plain JSON. */
export interface NodeReport {
  readonly node: string;
  readonly ready: boolean;
  /** Why not; empty when ready. */
  readonly reason: string;
  readonly rss_mib: number;
  readonly nics: readonly {
    readonly link: string;
    readonly id: string;
    readonly deviceIndex: number;
    readonly subnet: string;
    readonly mac: string;
    readonly address: string;
    readonly blocks: number;
  }[];
  readonly pools: readonly {
    readonly subnet: string;
    readonly inUse: number;
    readonly cooling: number;
    readonly free: number;
    readonly held: number;
    readonly waiting: number;
    /** Why it does not grow; empty when it can. */
    readonly stopped: string;
  }[];
  readonly pods: readonly {
    readonly pod: string;
    readonly container: string;
    readonly ifname: string;
    readonly addresses: readonly string[];
    readonly subnet: string;
    readonly link: string;
    readonly state: string;
    readonly alive: boolean;
  }[];
}

/** Reads memory only, and whether each Pod's namespace is there. */
export function reportOf(node: NodeAgent): NodeReport {
  const { cloud } = node;
  const demand = cloud?.pools.demand() ?? [];
  return {
    node: cloud?.name ?? '(no configuration)',
    ...readiness(node),
    rss_mib: Math.round(process.memoryUsage.rss() / 2 ** 20),
    nics: (cloud?.grants.nics ?? []).map(({ nic, link }) => ({
      link,
      id: nic.id,
      deviceIndex: nic.deviceIndex,
      subnet: nic.subnet ?? '',
      mac: nic.mac,
      address: nic.primary4 ?? nic.primary6 ?? '',
      blocks: nic.blocks.length,
    })),
    pools: (cloud?.grants.subnets ?? []).map(({ metadata: { name } }) => {
      const counts = cloud?.pools.pool(name)?.counts(now_ms()) ?? { inUse: 0, cooling: 0, free: 0, held: 0 };
      const waiting = demand.find((one) => one.subnet === name)?.waiting ?? 0;
      const { inUse, cooling, free, held } = counts;
      return { subnet: name, inUse, cooling, free, held, waiting, stopped: cloud?.pools.growth(name)?.text ?? '' };
    }),
    pods: node.attachments.list().map((attachment) => ({
      pod: podName(attachment),
      container: attachment.container,
      ifname: attachment.ifname,
      addresses: attachment.interface.addresses,
      subnet: attachment.subnet,
      link: isMade(attachment.interface) ? attachment.interface.hostEnd : '',
      state: attachment.state,
      alive: isNetns(attachment.netns),
    })),
  };
}

function readiness(node: NodeAgent): { ready: boolean; reason: string } {
  try {
    status(node);
    return { ready: true, reason: '' };
  } catch (error) {
    const failed = asFailure(error);
    return { ready: false, reason: failed.details === '' ? failed.message : `${failed.message}: ${failed.details}` };
  }
}
