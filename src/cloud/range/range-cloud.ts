/**
 * Ranges without a cloud, as a cloud: nodes are instances, and each has, of each range it may use, an interface that exists in words alone and carries what
 * of the range is the node's. It is always there, so nothing is ever created or attached; what is assigned is in the ledger, and nowhere else.
 */
import { failure } from '../../errors/failure.ts';
import { aggregate, type Cidr } from '../../net/cidr.ts';
import type { Cloud, CloudInstance, CloudNetwork, CloudSubnet, InstanceId, NicId, SubnetId, Wanted } from '../cloud.ts';
import { idsNamed } from '../named.ts';
import { giveSome, giveThese, takeBack } from './giving.ts';
import { podSubnetOf } from './ids.ts';
import { type KnownRanges, knownRanges, type RangeOptions, rangeView, type RangeView } from './range-options.ts';
import { type RangeNics, rangeNics } from './range-nics.ts';
import type { PodRange } from './ranges.ts';

const name = 'range';
const plenty = { nics: 256, addressSlotsPerNic: 1 << 20, ipv6SlotsPerNic: 1 << 20 };

/** See the head of this file. Its instances are called like their Nodes: of use where there is no other cloud (with-ranges.ts). */
export function rangeCloud(options: RangeOptions): Cloud & RangeView {
  const { ledger, ranges, node: nodeNamed } = options;
  const known = knownRanges(options);
  const nics = rangeNics(options, known);
  return {
    name,
    network: () => Promise.resolve(networkOf(ranges())),
    instance: (id) => instanceOf(options, id),
    instances: (ids) => Promise.all(ids.map((id) => instanceOf(options, id))),
    subnets: async (named) => idsNamed(named, name).flatMap((id) => subnetOf(known, id) ?? []),
    async nics(filter) {
      await ledger.settle();
      return nics.find(filter);
    },
    createNic: () => refuse('createNic'),
    attachNic: () => refuse('attachNic'),
    attachBranch: () => refuse('attachBranch'),
    detachNic: () => refuse('detachNic'),
    async deleteNic(nic) {
      const holder = nics.holderOf(nic);
      const { node, podSubnet } = holder;
      if (nodeNamed(node)?.podSubnets.includes(podSubnet) === true)
        throw failure('cloudConflict', { cloud: name, call: 'deleteNic', object: nic, text: `node ${node} may use it` });
      await ledger.settle();
      await takeBack(ledger, holder, ledger.ofNode(node).get(podSubnet) ?? [], { onlyAsKnown: true });
    },
    assign: (nic, want) => assign(options, { known, nics }, nic, want),
    async unassign(nic, blocks) {
      const holder = nics.holderOf(nic);
      await ledger.settle();
      await takeBack(ledger, holder, blocks, { onlyAsKnown: true });
    },
    ...rangeView(options, known),
  };
}

interface Known {
  readonly known: KnownRanges;
  readonly nics: RangeNics;
}

/** All or none. */
async function assign({ ledger }: RangeOptions, { known, nics }: Known, nic: NicId, want: Wanted): Promise<Cidr[]> {
  const { addresses4 = 0, prefixes4 = 0, prefixes6 = 0, these = [] } = want;
  const holder = nics.holderOf(nic);
  await ledger.settle();
  const given: Cidr[] = [];
  const some = async (family: 4 | 6, wanted: number): Promise<void> => {
    if (wanted === 0) return;
    const room = known.giving(holder.podSubnet, family);
    if (room === undefined)
      throw failure('cloudInvalid', { cloud: name, call: 'assign', text: `${holder.podSubnet} gives no IPv${family} addresses` });
    given.push(...(await giveSome(ledger, room, holder, wanted)));
  };
  try {
    given.push(...(await giveThese(ledger, (family) => known.giving(holder.podSubnet, family), holder, these)));
    await some(4, addresses4 + 16 * prefixes4);
    await some(6, prefixes6);
  } catch (error) {
    await takeBack(ledger, holder, given);
    throw error;
  }
  return [...new Set([...these, ...given])];
}

function networkOf(ranges: readonly PodRange[]): CloudNetwork {
  return { cidrs: aggregate(ranges.flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].flatMap((one) => one?.cidr ?? []))) };
}

/** Without a cloud nobody can tell whether a machine runs whose Node is gone: as long as it has addresses, it may. */
async function instanceOf({ ledger, node }: RangeOptions, id: InstanceId): Promise<CloudInstance> {
  const mayRun = (): boolean => node(id) !== undefined || ledger.ofNode(id).size > 0;
  // That it has none is believed only when it was read now: another leader may have given it some.
  if (!mayRun()) await ledger.refresh();
  return { id, zone: '', type: 'node', limits: plenty, state: mayRun() ? 'running' : 'terminated', isBare: true };
}

function subnetOf(known: KnownRanges, id: SubnetId): CloudSubnet | undefined {
  const range = known.of(podSubnetOf(id) ?? '');
  if (range === undefined) return undefined;
  const { ipv4, ipv6, parent, podSubnet } = range;
  const other = known.otherOf(podSubnet);
  return {
    id,
    parent,
    ...(ipv4 !== undefined && { cidr4: ipv4.cidr }),
    ...(ipv6 !== undefined && { cidr6: ipv6.cidr }),
    ...(ipv4?.gateway !== undefined && { gateway4: ipv4.gateway }),
    ...(ipv6?.gateway !== undefined && { gateway6: ipv6.gateway }),
    ...(other !== undefined && { refused: inTheWayText(podSubnet, other) }),
    free4: known.room(range, 4)?.free ?? 0,
  };
}

function inTheWayText(podSubnet: string, other: string): string {
  return `its range has addresses that the range of PodSubnet ${other} has too: change one of them, or write spec.range.shared: true in both ${podSubnet} and ${other}`;
}

function refuse(call: string): Promise<never> {
  const text = 'what stands for a range is always there, and cannot be moved';
  return Promise.reject(failure('cloudInvalid', { cloud: name, call, text }));
}
