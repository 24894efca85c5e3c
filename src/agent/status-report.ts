/** What `flatpod status` shows, as data. */
import { isAdopted } from '../datapath/interface.ts';
import { hostEndOf, isAlive } from './adopted/standing.ts';
import type { NamedNic } from '../datapath/host-table.ts';
import { planOf } from '../datapath/datapath.ts';
import { type Difference, sayDifference } from '../kernel/compare.ts';
import type { Attachment, NodeAgent } from './node-agent.ts';
import { podName } from './attach.ts';
import { now_ms } from './pools.ts';
import { asFailure } from '../errors/failure.ts';
import { isNetns } from '../kernel/netns.ts';
import type { NodeSettings } from '../store/node-network.ts';
import { status } from './status.ts';
import { subnetsOf } from '../store/nic-shares.ts';

/** The node as a whole; every field is plain JSON. */
export interface NodeReport {
  readonly node: string;
  readonly ready: boolean;
  /** Why not; empty when ready. */
  readonly reason: string;
  readonly rss_mib: number;
  /** What the controller says beside the node's own configuration; undefined: nothing. */
  readonly settings?: NodeSettings;
  readonly nics: readonly {
    /** Its name on the node; where a Pod has it, its name at home. Empty when it is gone. */
    readonly link: string;
    /** Where the interface is that the controller granted. */
    readonly place: 'node' | 'Pod' | 'gone';
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
    /** What became of the NIC that the Pod has for itself; empty: it is there. */
    readonly lost: string;
  }[];
}

/** Reads memory, whether each Pod's namespace is there, and of Pods that have a NIC for themselves whether that is. */
export function reportOf(node: NodeAgent): NodeReport {
  const { cloud } = node;
  const demand = cloud?.pools.demand() ?? [];
  const attachments = node.attachments.list();
  const lost = lostNics(node, attachments);
  const settings = cloud?.grants.status?.settings;
  return {
    node: cloud?.name ?? '(no configuration)',
    ...readiness(node),
    rss_mib: Math.round(process.memoryUsage.rss() / 2 ** 20),
    ...(settings !== undefined && { settings }),
    nics: nicsOf(node, lost),
    pools: (cloud?.grants.subnets ?? []).map(({ metadata: { name } }) => {
      const counts = cloud?.pools.pool(name)?.counts(now_ms()) ?? { inUse: 0, cooling: 0, free: 0, held: 0 };
      const waiting = demand.find((one) => one.subnet === name)?.waiting ?? 0;
      const { inUse, cooling, free, held } = counts;
      return { subnet: name, inUse, cooling, free, held, waiting, stopped: cloud?.pools.growth(name)?.text ?? '' };
    }),
    pods: attachments.map((attachment) => ({
      pod: podName(attachment),
      container: attachment.container,
      ifname: attachment.ifname,
      addresses: attachment.interface.addresses,
      subnet: attachment.subnet,
      link: hostEndOf(attachment.interface),
      state: isAdopted(attachment.interface) ? `of ${attachment.interface.madeBy}` : attachment.state,
      alive: isAlive(node, attachment),
      lost: sayLost(lost.get(attachment)),
    })),
  };
}

function nicsOf({ cloud }: NodeAgent, lost: ReadonlyMap<Attachment, Difference>): NodeReport['nics'] {
  const gone = new Set([...lost].filter(([, { kind }]) => kind === 'missing').map(([{ nic }]) => nic));
  const { nics: plugged = [], status: granted } = cloud?.grants ?? {};
  const missing = (granted?.nics ?? []).filter(({ id }) => !plugged.some(({ nic }) => nic.id === id)).map((nic) => ({ nic, link: '' }));
  const placeOf = ({ nic, link, device }: NamedNic): NodeReport['nics'][number]['place'] => {
    if (link === '' || gone.has(nic.id)) return 'gone';
    return device === undefined && nic.use === 'pod' && nic.trunk === undefined ? 'Pod' : 'node';
  };
  return [...plugged, ...missing].map((named) => ({
    link: named.link,
    place: placeOf(named),
    id: named.nic.id,
    deviceIndex: named.nic.deviceIndex,
    subnet: subnetsOf(named.nic).join(', '),
    mac: named.nic.mac,
    address: named.nic.primary4 ?? named.nic.primary6 ?? '',
    blocks: named.nic.blocks.length,
  }));
}

function sayLost(difference: Difference | undefined): string {
  return difference === undefined ? '' : sayDifference(difference);
}

/** Of attachments that have a NIC for themselves: what is wrong with it. One that was pulled out of a Pod's namespace is told by no event. */
function lostNics({ kernel }: NodeAgent, attachments: readonly Attachment[]): Map<Attachment, Difference> {
  const withNic = attachments.filter(({ interface: pod, netns, state }) => pod.datapath === 'nic' && state === 'ready' && isNetns(netns));
  const compared = kernel.compareAll(withNic.map(({ interface: pod }) => planOf(pod).filter(({ kind }) => kind === 'nic')));
  return new Map(
    withNic.flatMap((attachment, i) => {
      const differences = compared[i];
      const [first] = differences === undefined || differences instanceof Error ? [] : differences;
      return first === undefined ? [] : [[attachment, first]];
    }),
  );
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
