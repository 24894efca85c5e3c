/** The interfaces that stand for what nodes have of ranges: there in words alone, and always. */
import { failure } from '../../errors/failure.ts';
import type { Cidr } from '../../net/cidr.ts';
import type { CloudNic, NicFilter, NicId } from '../cloud.ts';
import { tagKeys } from '../tag-keys.ts';
import { isRangeNic, macOf, rangeNic, rangeSubnet } from './ids.ts';
import type { KnownRanges, RangeOptions } from './range-options.ts';
import type { Holder } from './slice.ts';

/** Beyond the indexes that a cloud's interfaces have; a NodeNetwork's end at 255. */
const FIRST_INDEX = 128;

/** All of them, as the ledger is. */
export interface RangeNics {
  /** See NicFilter. By an instance alone only those are found whose instances are called like their Nodes. */
  find(filter: NicFilter): CloudNic[];
  /** Whose it is. @throws Failure cloudNotFound of one that was never found */
  holderOf(nic: NicId): Holder;
}

/** See the head of this file. */
export function rangeNics({ cluster, ledger, node: nodeNamed }: RangeOptions, known: KnownRanges): RangeNics {
  /** Of each that was ever named: a long name cannot be read from its id. */
  const holders = new Map<NicId, Holder>();

  function nicOf(node: string, podSubnet: string, blocks: readonly Cidr[]): CloudNic {
    const id = rangeNic(podSubnet, node);
    const at = nodeNamed(node);
    holders.set(id, { node, podSubnet });
    const index = [...(at?.podSubnets ?? [])].toSorted().indexOf(podSubnet);
    const deviceIndex = FIRST_INDEX + (index < 0 ? FIRST_INDEX - 1 : index % FIRST_INDEX);
    return {
      id,
      mac: macOf(id),
      subnet: rangeSubnet(podSubnet),
      mtu: known.of(podSubnet)?.mtu ?? 1500,
      blocks,
      securityGroups: [],
      tags: { [tagKeys.cluster]: cluster, [tagKeys.node]: node, [tagKeys.subnet]: podSubnet },
      ...(at !== undefined && { attachment: { instance: at.instance, deviceIndex, state: 'attached' } }),
      createdAt_ms: 0,
    };
  }
  function nicsOf(node: string): CloudNic[] {
    const held = ledger.ofNode(node);
    const names = new Set([...(nodeNamed(node)?.podSubnets ?? []), ...held.keys()]);
    return [...names].map((podSubnet) => nicOf(node, podSubnet, held.get(podSubnet) ?? []));
  }
  /** The nodes that may have what is looked for. */
  function nodesFor({ ids, instance, tags }: NicFilter): readonly string[] {
    if (ids !== undefined) return ids.flatMap((id) => (isRangeNic(id) ? (holders.get(id)?.node ?? []) : []));
    const named = tags?.[tagKeys.node] ?? instance;
    if (named === undefined) return ledger.nodes();
    return typeof named === 'string' ? [named] : named;
  }
  return {
    find: (filter) => [...new Set(nodesFor(filter))].flatMap(nicsOf).filter((nic) => isSelected(nic, filter)),
    holderOf(nic) {
      const found = holders.get(nic);
      if (found !== undefined) return found;
      throw failure('cloudNotFound', { cloud: 'range', object: nic, text: 'it was not looked for since this controller began' });
    },
  };
}

function isSelected({ id, tags: own, attachment }: CloudNic, { ids, instance, tags }: NicFilter): boolean {
  const has = <T extends string>(wanted: T | readonly T[] | undefined, value: T | undefined): boolean =>
    wanted === undefined || (value !== undefined && (wanted === value || wanted.includes(value)));
  return (
    (ids === undefined || ids.includes(id)) &&
    has(instance, attachment?.instance) &&
    Object.entries(tags ?? {}).every(([key, wanted]) => has(wanted, own[key]))
  );
}
