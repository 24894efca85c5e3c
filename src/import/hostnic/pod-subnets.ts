/** A vxnet as PodSubnets. */
import { createHash } from 'node:crypto';
import { compareIps, type Ip, ipFromBigInt, ipToBigInt } from '../../net/address.ts';
import { aggregate, type Cidr, cidrFamily, cidrOf, contains, firstOf, hostCidr, lastOf, lengthOf, overlaps } from '../../net/cidr.ts';
import { outside4 } from '../../net/outside.ts';
import type { Kept, Made } from '../made.ts';
import { asName } from '../values.ts';
import type { HostnicPlan } from './plan.ts';
import type { IpPool } from './pools.ts';

/** A vxnet on its way to PodSubnets. */
export interface Vxnet {
  readonly id: string;
  readonly pool: IpPool | undefined;
  /** The part of it that Pods may have; undefined: nobody knows. */
  readonly range: readonly Cidr[] | undefined;
  /** Those that it serves as a whole, less what others have of it. */
  readonly namespaces: Set<string>;
  /** Blocks that a namespace has for itself. */
  readonly owned: Map<string, readonly Cidr[]>;
  /** Addresses that hostnic keeps from Pods. */
  readonly reserved: Ip[];
  /** It left v-pool, and is known by its IPPool alone. */
  readonly isGone: boolean;
  isDefault: boolean;
}

/** Of an object of Kubernetes, as PodSubnets have it. */
const LONGEST_NAME = 63;

/** The PodSubnet of the blocks that the namespace has of the vxnet. */
export function nameOfOwn(vxnet: string, namespace: string): string {
  const whole = `${asName(vxnet)}-${asName(namespace)}`;
  if (whole.length <= LONGEST_NAME) return whole;
  return `${whole.slice(0, LONGEST_NAME - 9)}-${createHash('sha256').update(whole).digest('hex').slice(0, 8)}`;
}

/** The PodSubnet that has the address. */
export function nameFor({ id, owned }: Vxnet, address: Ip): string {
  const [namespace] = [...owned].find(([, blocks]) => blocks.some((block) => contains(block, address))) ?? [];
  return namespace === undefined ? asName(id) : nameOfOwn(id, namespace);
}

/** Whether an address of the block is in the part of the vxnet that Pods may have. */
export function mayGive({ range }: Vxnet, block: Cidr): boolean {
  return range === undefined || range.some((one) => overlaps(one, block));
}

/** The vxnet's own, and one for each namespace that has blocks of it. */
export function podSubnetsOf(vxnet: Vxnet, { isPassthrough }: HostnicPlan, kept: readonly Kept[]): Made[] {
  const { id, owned } = vxnet;
  // hostnic has an interface of its own for each vxnet.
  const common = { cloudSubnet: id, ...(isPassthrough && { datapath: 'nic' }), useFirstNic: false };
  // A range leaves them out by itself; where nobody knows it only the blocks say them.
  const reserved = vxnet.reserved.filter((address) => mayGive(vxnet, hostCidr(address)));
  const reservedOf = (name: string): Cidr[] => reserved.filter((address) => nameFor(vxnet, address) === name).map(hostCidr);
  const usedOf = (name: string): Cidr[] => kept.filter(({ subnet }) => subnet === name).map(({ address }) => hostCidr(address));
  const made = (name: string, spec: Record<string, unknown>, besides: readonly Cidr[], comment: string): Made => {
    const used = usedOf(name);
    const exclude = fewBlocks([...besides, ...used, ...reservedOf(name)]);
    const users = used.length === 0 ? '' : `; ${used.length} addresses of spec.exclude are in use by Pods of hostnic`;
    const full = { ...common, ...spec, ...(exclude.length > 0 && { exclude: exclude.map(sayBlock) }) };
    return { kind: 'PodSubnet', name, spec: full, comment: `${comment}${users}` };
  };
  const ofNamespaces = [...owned].map(([namespace, blocks]) => {
    const within = vxnet.range === undefined ? aggregate(blocks) : outside4([...outside4(blocks), ...outside4(vxnet.range)]);
    return made(nameOfOwn(id, namespace), { namespaces: [namespace], within }, [], `blocks of vxnet ${id} for namespace ${namespace}`);
  });
  const bounds = boundsOf(vxnet, isPassthrough);
  // Namespaces have all there is.
  if (bounds.within?.length === 0) return ofNamespaces;
  const spec = {
    ...(vxnet.isDefault && { default: true }),
    ...(vxnet.namespaces.size > 0 && { namespaces: [...vxnet.namespaces].toSorted() }),
    ...(bounds.within !== undefined && { within: bounds.within }),
  };
  return [made(asName(id), spec, bounds.exclude, `vxnet ${id}`), ...ofNamespaces];
}

/** What of the vxnet is for everybody: its range, less what namespaces have for themselves. */
function boundsOf({ pool, range, owned }: Vxnet, isPassthrough: boolean): { within?: readonly Cidr[]; exclude: readonly Cidr[] } {
  const taken = [...owned.values()].flat();
  if (pool === undefined || range === undefined) return { exclude: taken };
  const outside = outside4(range);
  if (isPassthrough) return { exclude: outside.filter((block) => overlaps(pool.cidr, block)) };
  const isAll = taken.length === 0 && pool.first === undefined && pool.last === undefined;
  return isAll ? { exclude: [] } : { within: outside4([...taken, ...outside]), exclude: [] };
}

/** spec.exclude of a PodSubnet has at most as many. */
const EXCLUDED = 1024;

/** Blocks with these addresses and no others; or, where that takes more than a PodSubnet may exclude, with some more. */
export function fewBlocks(blocks: readonly Cidr[]): Cidr[] {
  let few = aggregate(blocks);
  for (let longest = 31; few.length > EXCLUDED; longest--)
    few = aggregate(few.map((one) => cidrOf(firstOf(one), Math.min(lengthOf(one), longest))));
  return few;
}

/** A single address without its length, as people write it. */
function sayBlock(block: Cidr): string {
  return lengthOf(block) === (cidrFamily(block) === 4 ? 32 : 128) ? firstOf(block) : block;
}

/** The part of its vxnet that Pods may have. */
export function rangeOf({ cidr, first, last }: IpPool): Cidr[] {
  const within = (ip: Ip | undefined, otherwise: Ip): Ip => (ip !== undefined && contains(cidr, ip) ? ip : otherwise);
  return blocksBetween(within(first, firstOf(cidr)), within(last, lastOf(cidr)));
}

/** The fewest blocks with exactly the addresses from first to last. */
export function blocksBetween(first: Ip, last: Ip): Cidr[] {
  if (compareIps(first, last) > 0) return [];
  for (let length = 0; ; length++) {
    const block = cidrOf(first, length);
    if (firstOf(block) !== first || compareIps(lastOf(block), last) > 0) continue;
    if (lastOf(block) === last) return [block];
    return [block, ...blocksBetween(ipFromBigInt(ipToBigInt(lastOf(block)) + 1n, cidrFamily(block)), last)];
  }
}
