/** From vxnets, namespaces and blocks to PodSubnets: one for each vxnet. */
import { compareIps, type Ip, ipFromBigInt, ipToBigInt } from '../../../net/address.ts';
import {
  aggregate,
  type Cidr,
  cidrFamily,
  cidrOf,
  contains,
  containsCidr,
  firstOf,
  hostCidr,
  lastOf,
  lengthOf,
} from '../../../net/cidr.ts';
import type { Account } from '../account.ts';
import type { Kept, Made } from '../made.ts';
import { asName } from '../values.ts';
import type { IpamBlock } from './blocks.ts';
import { DEFAULT } from './ipam-config.ts';
import type { BlocksOf, HostnicPlan } from './plan.ts';
import type { Cuts, IpPool } from './pools.ts';

/** What the objects of hostnic say. */
export interface HostnicObjects {
  readonly cuts: Cuts;
  readonly pools: readonly IpPool[];
  readonly blocks: readonly IpamBlock[];
}

/** A vxnet on its way to a PodSubnet. */
interface Vxnet {
  readonly id: string;
  readonly pool: IpPool | undefined;
  readonly namespaces: Set<string>;
  isDefault: boolean;
}

/** The PodSubnets, and the addresses that Pods of hostnic have: those are excluded. */
export function subnetsOf(plan: HostnicPlan, objects: HostnicObjects, account: Account): { readonly made: Made[]; readonly kept: Kept[] } {
  const named = plan.ipam?.get(DEFAULT)?.names.filter((name) => blockNamed(name) === undefined) ?? [];
  const ids = [...new Set([...plan.vxnets, ...objects.cuts.keys(), ...named])];
  const vxnets = ids.map((id): Vxnet => ({ id, pool: poolOf(id, objects), namespaces: new Set(), isDefault: false }));
  assign(plan, objects, vxnets, account);
  const kept = objects.blocks.flatMap(({ cidr, name, allocations }) => {
    const subnet = vxnets.find((vxnet) => isOf(vxnet, name, cidr, objects));
    return allocations.map((allocation): Kept => ({ ...allocation, subnet: subnet === undefined ? '' : asName(subnet.id) }));
  });
  for (const block of objects.blocks) {
    const vxnet = vxnets.find((one) => isOf(one, block.name, block.cidr, objects));
    if (vxnet === undefined)
      account.wrong(block.setting, 'belongs to no vxnet of these files', 'add the VxNetPool v-pool, with its status, or the IPPools');
    else account.taken(block.setting, `PodSubnet ${asName(vxnet.id)}: ${block.allocations.length} addresses in use, in spec.exclude`);
  }
  return { made: vxnets.map((vxnet) => podSubnetOf(vxnet, plan, kept)), kept };
}

/** v-pool says which IPPool is of which vxnet; else it is the one with the vxnet's name. */
function poolOf(id: string, { cuts, pools }: HostnicObjects): IpPool | undefined {
  const name = cuts.get(id)?.ippool ?? id;
  return pools.find((pool) => pool.name === name) ?? pools.find((pool) => pool.name === id);
}

function isOf({ id, pool }: Vxnet, block: string, cidr: Cidr, { cuts }: HostnicObjects): boolean {
  return (cuts.get(id)?.blocks.includes(block) ?? false) || (pool !== undefined && containsCidr(pool.cidr, cidr));
}

/** Which vxnets are for which namespaces, and which for all others. */
function assign(plan: HostnicPlan, objects: HostnicObjects, vxnets: readonly Vxnet[], account: Account): void {
  const { ipam } = plan;
  const isForAll = plan.autoAssign === true || ipam === undefined;
  for (const vxnet of vxnets) vxnet.isDefault = isForAll && vxnet.pool?.isDisabled !== true;
  if (ipam === undefined) {
    const text = 'hostnic-ipam-config was not given, so that every vxnet serves every namespace';
    account.left('all PodSubnets', 'spec.default', text, 'add the ConfigMap, or correct default');
  }
  for (const [namespace, blocks] of ipam ?? []) {
    const own = vxnetsOf(blocks, vxnets, objects, account);
    if (namespace === DEFAULT) {
      account.taken(blocks.setting, 'PodSubnet spec.default: true');
      for (const vxnet of own) vxnet.isDefault = vxnet.pool?.isDisabled !== true;
    } else assignNamespace(namespace, blocks, own, account);
  }
  for (const { setting } of objects.pools.filter((pool) => !vxnets.some((vxnet) => vxnet.pool === pool)))
    account.none(setting, 'no vxnet of these files has it', 'add the VxNetPool v-pool, with its status, or hostnic-cfg-cm');
}

/** Those that the names of vxnets or blocks lead to. */
function vxnetsOf({ setting, names }: BlocksOf, vxnets: readonly Vxnet[], objects: HostnicObjects, account: Account): Vxnet[] {
  const found = names.map((name) => {
    const cidr = blockNamed(name);
    return vxnets.find((vxnet) => vxnet.id === name || (cidr !== undefined && isOf(vxnet, name, cidr, objects)));
  });
  const unknown = names.filter((_, i) => found[i] === undefined);
  if (unknown.length > 0)
    account.wrong(
      setting,
      `no vxnet of these files has ${unknown.join(', ')}`,
      'add the VxNetPool v-pool, with its status, or the IPPools',
    );
  return [...new Set(found.filter((vxnet) => vxnet !== undefined))];
}

function assignNamespace(namespace: string, { setting, names }: BlocksOf, own: readonly Vxnet[], account: Account): void {
  for (const vxnet of own) vxnet.namespaces.add(namespace);
  if (own.length === 0) account.none(setting, 'it names no block', 'nothing: PodSubnets with default: true serve it');
  else account.taken(setting, `PodSubnet ${own.map(({ id }) => asName(id)).join(', ')} spec.namespaces`);
  if (names.some((name) => blockNamed(name) !== undefined))
    account.none(
      { ...setting, value: undefined },
      'a PodSubnet is a whole vxnet: Pods of this namespace may get addresses outside of its blocks',
      'give it a vxnet of its own where rules go by its blocks',
    );
}

/** `4100-172-16-3-0-26` is 172.16.3.0/26. */
function blockNamed(name: string): Cidr | undefined {
  const [, a, b, c, d, length] = /^\d+-(\d+)-(\d+)-(\d+)-(\d+)-(\d+)$/.exec(name) ?? [];
  const [ip, bits] = [[a, b, c, d].map(Number), Number(length)];
  if (length === undefined || bits > 32 || ip.some((byte) => byte > 255)) return undefined;
  return cidrOf(ip.join('.') as Ip, bits); // four bytes were just seen
}

function podSubnetOf({ id, pool, namespaces, isDefault }: Vxnet, { isPassthrough }: HostnicPlan, kept: readonly Kept[]): Made {
  const name = asName(id);
  const own = kept.filter(({ subnet }) => subnet === name).map(({ address }) => hostCidr(address));
  const exclude = fewBlocks([...outsideOf(pool), ...own]);
  const spec = {
    cloudSubnet: id,
    ...(isDefault && { default: true }),
    ...(namespaces.size > 0 && { namespaces: [...namespaces].sort() }),
    ...(isPassthrough && { datapath: 'nic' }),
    // hostnic has an interface of its own for each vxnet.
    useFirstNic: false,
    ...(exclude.length > 0 && { exclude: exclude.map(sayBlock) }),
  };
  const users = own.length === 0 ? '' : `; ${own.length} addresses of spec.exclude are in use by Pods of hostnic`;
  return { kind: 'PodSubnet', name, spec, comment: `vxnet ${id}${users}` };
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

/** What of the vxnet lies before and behind the part that Pods may have. */
function outsideOf(pool: IpPool | undefined): Cidr[] {
  if (pool === undefined) return [];
  const { cidr, first, last } = pool;
  const step = (ip: Ip, by: bigint): Ip => ipFromBigInt(ipToBigInt(ip) + by, cidrFamily(cidr));
  const before =
    first !== undefined && contains(cidr, first) && first !== firstOf(cidr) ? blocksBetween(firstOf(cidr), step(first, -1n)) : [];
  const behind = last !== undefined && contains(cidr, last) && last !== lastOf(cidr) ? blocksBetween(step(last, 1n), lastOf(cidr)) : [];
  return [...before, ...behind];
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
