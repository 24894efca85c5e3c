/**
 * Ranges without a cloud, as a cloud: nodes are instances, and each has, of each range it may use, an interface that exists in words alone and carries what
 * of the range is the node's. It is always there, so nothing is ever created or attached; what is assigned is in the ledger, and nowhere else.
 */
import { failure } from '../../errors/failure.ts';
import { aggregate, type Cidr } from '../../net/cidr.ts';
import type { Cloud, CloudInstance, CloudNic, CloudSubnet, InstanceId, NicFilter, NicId, SubnetId, Wanted } from '../cloud.ts';
import { tagKeys } from '../tag-keys.ts';
import { giveSome, giveThese, takeBack } from './giving.ts';
import { isRangeNic, macOf, podSubnetOf, rangeNic, rangeSubnet } from './ids.ts';
import type { Ledger } from './ledger.ts';
import { inTheWay, type PodRange } from './ranges.ts';
import { type Room, rooms } from './room.ts';
import type { Holder } from './slice.ts';

/** A Node, as far as ranges are concerned. */
export interface RangeNode {
  readonly instance: InstanceId;
  /** Names of the PodSubnets with ranges that it may use. */
  readonly podSubnets: readonly string[];
}

/** With what to work. */
export interface RangeOptions {
  readonly cluster: string;
  readonly ledger: Ledger;
  /** All there are. The same list, of the same objects, for as long as nothing about them changes. */
  readonly ranges: () => readonly PodRange[];
  /** undefined: there is no such Node. */
  readonly node: (name: string) => RangeNode | undefined;
}

/** What the controller asks of it besides. */
export interface RangeView {
  /** undefined: there is no such range, or it is in another's way. Addresses, or /80s where it has no IPv4. */
  room(podSubnet: string): { readonly free: number; readonly total: number } | undefined;
  /** PodSubnets whose ranges may have addresses of this one: itself, and where it is shared all others that are. */
  rivals(podSubnet: string): readonly string[];
  /** Nodes that have something of it. */
  holders(podSubnet: string): ReadonlyMap<string, number>;
  /** Calls back when something was given or taken back. Returns the way to stop. */
  watch(changed: () => void): () => void;
}

const name = 'range';
/** Beyond the indexes that a cloud's interfaces have; a NodeNetwork's end at 255. */
const FIRST_INDEX = 128;
const plenty = { nics: 256, addressSlotsPerNic: 1 << 20, ipv6SlotsPerNic: 1 << 20 };

/** See the head of this file. Its instances are called like their Nodes: of use where there is no other cloud (with-ranges.ts). */
export function rangeCloud(options: RangeOptions): Cloud & RangeView {
  const { ledger, cluster } = options;
  const roomOf = rooms(ledger);
  /** Whose each interface is that was ever named: a long name cannot be read from its id. */
  const holders = new Map<NicId, Holder>();

  let compared: { readonly ranges: readonly PodRange[]; readonly refused: ReadonlyMap<string, string> } | undefined;
  function refused(): ReadonlyMap<string, string> {
    const ranges = options.ranges();
    if (compared?.ranges !== ranges) compared = { ranges, refused: inTheWay(ranges) };
    return compared.refused;
  }
  const rangeOf = (podSubnet: string): PodRange | undefined => options.ranges().find((one) => one.podSubnet === podSubnet);
  function going(podSubnet: string, family: 4 | 6): Room | undefined {
    const range = rangeOf(podSubnet);
    return range === undefined || refused().has(podSubnet) ? undefined : roomOf(range, family);
  }

  function nicOf(node: string, podSubnet: string, blocks: readonly Cidr[]): CloudNic {
    const id = rangeNic(podSubnet, node);
    const at = options.node(node);
    holders.set(id, { node, podSubnet });
    const index = [...(at?.podSubnets ?? [])].toSorted().indexOf(podSubnet);
    const deviceIndex = FIRST_INDEX + (index < 0 ? FIRST_INDEX - 1 : index % FIRST_INDEX);
    return {
      id,
      mac: macOf(id),
      subnet: rangeSubnet(podSubnet),
      mtu: rangeOf(podSubnet)?.mtu ?? 1500,
      blocks,
      securityGroups: [],
      tags: { [tagKeys.cluster]: cluster, [tagKeys.node]: node, [tagKeys.subnet]: podSubnet },
      ...(at !== undefined && { attachment: { instance: at.instance, deviceIndex, state: 'attached' } }),
      createdAt_ms: 0,
    };
  }

  function nicsOf(node: string): CloudNic[] {
    const held = ledger.ofNode(node);
    const names = new Set([...(options.node(node)?.podSubnets ?? []), ...held.keys()]);
    return [...names].map((podSubnet) => nicOf(node, podSubnet, held.get(podSubnet) ?? []));
  }

  function holderOf(nic: NicId): Holder {
    const known = holders.get(nic);
    if (known === undefined)
      throw failure('cloudNotFound', { cloud: name, object: nic, text: 'it was not looked for since this controller began' });
    return known;
  }

  function subnetOf(id: SubnetId): CloudSubnet | undefined {
    const range = rangeOf(podSubnetOf(id) ?? '');
    if (range === undefined) return undefined;
    const { ipv4, ipv6, parent, podSubnet } = range;
    const other = refused().get(podSubnet);
    return {
      id,
      parent,
      ...(ipv4 !== undefined && { cidr4: ipv4.cidr }),
      ...(ipv6 !== undefined && { cidr6: ipv6.cidr }),
      ...(ipv4?.gateway !== undefined && { gateway4: ipv4.gateway }),
      ...(ipv6?.gateway !== undefined && { gateway6: ipv6.gateway }),
      ...(other !== undefined && { refused: inTheWayText(podSubnet, other) }),
      free4: roomOf(range, 4)?.free ?? 0,
    };
  }

  /** Without a cloud nobody can tell whether a machine runs whose Node is gone: as long as it has addresses, it may. */
  async function instanceOf(id: InstanceId): Promise<CloudInstance> {
    const mayRun = (): boolean => options.node(id) !== undefined || ledger.ofNode(id).size > 0;
    // That it has none is believed only when it was read now: another leader may have given it some.
    if (!mayRun()) await ledger.refresh();
    const isThere = mayRun();
    return { id, zone: '', type: 'node', limits: plenty, state: isThere ? 'running' : 'terminated', isBare: true };
  }

  async function assign(nic: NicId, { addresses4 = 0, prefixes4 = 0, prefixes6 = 0, these = [] }: Wanted): Promise<Cidr[]> {
    const holder = holderOf(nic);
    await ledger.settle();
    const given: Cidr[] = [];
    const some = async (family: 4 | 6, wanted: number): Promise<void> => {
      if (wanted === 0) return;
      const room = going(holder.podSubnet, family);
      if (room === undefined)
        throw failure('cloudInvalid', { cloud: name, call: 'assign', text: `${holder.podSubnet} gives no IPv${family} addresses` });
      given.push(...(await giveSome(ledger, room, holder, wanted)));
    };
    try {
      given.push(...(await giveThese(ledger, (family) => going(holder.podSubnet, family), holder, these)));
      await some(4, addresses4 + 16 * prefixes4);
      await some(6, prefixes6);
    } catch (error) {
      await takeBack(ledger, holder, given);
      throw error;
    }
    return [...new Set([...these, ...given])];
  }

  return {
    name,
    network: () =>
      Promise.resolve({ cidrs: aggregate(options.ranges().flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].flatMap((one) => one?.cidr ?? []))) }),
    instance: instanceOf,
    instances: (ids) => Promise.all(ids.map(instanceOf)),
    subnets: (ids) => Promise.resolve(ids.flatMap((id) => subnetOf(id) ?? [])),
    async nics(filter) {
      await ledger.settle();
      return nodesOf(filter, ledger, holders)
        .flatMap(nicsOf)
        .filter((nic) => isSelected(nic, filter));
    },
    createNic: () => refuse('createNic'),
    attachNic: () => refuse('attachNic'),
    attachBranch: () => refuse('attachBranch'),
    detachNic: () => refuse('detachNic'),
    async deleteNic(nic) {
      const holder = holderOf(nic);
      const { node, podSubnet } = holder;
      if (options.node(node)?.podSubnets.includes(podSubnet) === true)
        throw failure('cloudConflict', { cloud: name, call: 'deleteNic', object: nic, text: `node ${node} may use it` });
      await ledger.settle();
      await takeBack(ledger, holder, ledger.ofNode(node).get(podSubnet) ?? [], { onlyAsKnown: true });
    },
    assign,
    async unassign(nic, blocks) {
      const holder = holderOf(nic);
      await ledger.settle();
      await takeBack(ledger, holder, blocks, { onlyAsKnown: true });
    },
    room(podSubnet) {
      const range = rangeOf(podSubnet);
      return range === undefined ? undefined : going(podSubnet, range.ipv4 === undefined ? 6 : 4);
    },
    rivals(podSubnet) {
      if (rangeOf(podSubnet)?.shared !== true) return [podSubnet];
      return options.ranges().flatMap((one) => (one.shared ? one.podSubnet : []));
    },
    holders: (podSubnet) => ledger.holders(podSubnet),
    watch: (changed) => ledger.watch(() => changed()),
  };
}

function inTheWayText(podSubnet: string, other: string): string {
  return `its range has addresses that the range of PodSubnet ${other} has too: change one of them, or write spec.range.shared: true in both ${podSubnet} and ${other}`;
}

function refuse(call: string): Promise<never> {
  return Promise.reject(
    failure('cloudInvalid', { cloud: name, call, text: 'what stands for a range is always there, and cannot be moved' }),
  );
}

/** The nodes that may have what is looked for. */
function nodesOf({ ids, instance, tags }: NicFilter, ledger: Ledger, holders: ReadonlyMap<NicId, Holder>): string[] {
  const several = (some: string | readonly string[]): readonly string[] => (typeof some === 'string' ? [some] : some);
  if (ids !== undefined) return [...new Set(ids.flatMap((id) => (isRangeNic(id) ? (holders.get(id)?.node ?? []) : [])))];
  const named = tags?.[tagKeys.node];
  if (named !== undefined) return [...new Set(several(named))];
  // Without a cloud they are called like their Nodes; of a cloud's instances it is the tags that are asked for.
  if (instance !== undefined) return [...new Set(several(instance))];
  return ledger.nodes();
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
