/** From vxnets, namespaces and blocks to PodSubnets: one for each vxnet, and one for the blocks of it that a namespace has for itself. */
import type { Ip } from '../../net/address.ts';
import { type Cidr, cidrOf, containsCidr, overlaps } from '../../net/cidr.ts';
import type { Account } from '../account.ts';
import type { Kept, Made } from '../made.ts';
import { asName } from '../values.ts';
import type { IpamBlock } from './blocks.ts';
import { DEFAULT } from './ipam-config.ts';
import type { BlocksOf, HostnicPlan } from './plan.ts';
import { mayGive, nameFor, nameOfOwn, podSubnetsOf, rangeOf, type Vxnet } from './pod-subnets.ts';
import type { Cuts, IpPool } from './pools.ts';

/** What the objects of hostnic say. */
export interface HostnicObjects {
  readonly cuts: Cuts;
  readonly pools: readonly IpPool[];
  readonly blocks: readonly IpamBlock[];
}

const HOLDS_NOTHING = 'nothing: v-pool does not name its vxnet, and no Pod has an address of it';

/** The PodSubnets, and the addresses that Pods of hostnic have: those are excluded. */
export function subnetsOf(plan: HostnicPlan, objects: HostnicObjects, account: Account): { readonly made: Made[]; readonly kept: Kept[] } {
  const vxnets = vxnetsIn(plan, objects);
  assign(plan, objects, vxnets, account);
  const kept: Kept[] = [];
  for (const block of objects.blocks) {
    const vxnet = vxnets.find((one) => isOf(one, block.name, block.cidr, objects));
    vxnet?.reserved.push(...block.reserved);
    for (const allocation of block.allocations)
      kept.push({ ...allocation, subnet: vxnet === undefined ? '' : nameFor(vxnet, allocation.address) });
    if (vxnet === undefined) tellUnknown(block, plan, objects, account);
    else account.taken(block.setting, `PodSubnet ${asName(vxnet.id)}: ${block.allocations.length} addresses in use, in spec.exclude`);
  }
  return { made: vxnets.flatMap((vxnet) => podSubnetsOf(vxnet, plan, kept)), kept };
}

/** Those that the settings name; and those that hostnic has taken out of v-pool, as long as somebody has addresses of them. */
function vxnetsIn(plan: HostnicPlan, objects: HostnicObjects): Vxnet[] {
  const named = plan.ipam?.get(DEFAULT)?.names.filter((name) => blockNamed(name) === undefined) ?? [];
  const ids = [...new Set([...plan.vxnets, ...objects.cuts.keys(), ...named])];
  const vxnet = (id: string, pool: IpPool | undefined, isGone: boolean): Vxnet => {
    const range = pool === undefined ? undefined : rangeOf(pool);
    return { id, pool, range, namespaces: new Set(), owned: new Map(), reserved: [], isGone, isDefault: false };
  };
  const known = ids.map((id) => vxnet(id, poolOf(id, objects), false));
  const gone = gonePools(plan, objects, known).filter((pool) => isHeld(pool, plan, objects));
  return [...known, ...gone.map((pool) => vxnet(pool.name, pool, true))];
}

/** hostnic keeps the IPPool and the blocks of a vxnet that leaves v-pool while a Pod has an address of it, and never deletes them later. */
function gonePools({ isPoolGiven }: HostnicPlan, { pools }: HostnicObjects, known: readonly Vxnet[]): IpPool[] {
  return isPoolGiven === true ? pools.filter((one) => one.isLocal && !known.some(({ id, pool }) => pool === one || id === one.name)) : [];
}

/** Whether a Pod of hostnic has an address of it, or a namespace is to: hostnic gives addresses of blocks that `ipam` names, whatever v-pool says. */
function isHeld({ name, cidr }: IpPool, { ipam }: HostnicPlan, { blocks }: HostnicObjects): boolean {
  const isIn = (block: Cidr | undefined): boolean => block !== undefined && containsCidr(cidr, block);
  const names = [...(ipam?.values() ?? [])].flatMap((of) => of.names);
  return (
    blocks.some((block) => block.allocations.length > 0 && isIn(block.cidr)) || names.some((one) => one === name || isIn(blockNamed(one)))
  );
}

/** A block of no vxnet: of one that is gone it holds nothing, any other may hold addresses that nobody would know of. */
function tellUnknown({ setting, cidr }: IpamBlock, plan: HostnicPlan, objects: HostnicObjects, account: Account): void {
  const isIn = ({ cidr: whole }: IpPool): boolean => containsCidr(whole, cidr);
  if (gonePools(plan, objects, []).some(isIn)) return account.equal(setting, HOLDS_NOTHING);
  const status = 'add the VxNetPool v-pool, with its status';
  account.wrong(setting, 'belongs to no vxnet of these files', objects.pools.some(isIn) ? status : `${status}, or the IPPools`);
}

/** v-pool says which IPPool is of which vxnet; else it is the one with the vxnet's name. */
function poolOf(id: string, { cuts, pools }: HostnicObjects): IpPool | undefined {
  const name = cuts.get(id)?.ippool ?? id;
  return pools.find((pool) => pool.name === name) ?? pools.find((pool) => pool.name === id);
}

function isOf({ id, pool }: Vxnet, block: string, cidr: Cidr, { cuts }: HostnicObjects): boolean {
  return (cuts.get(id)?.blocks.includes(block) ?? false) || (pool !== undefined && containsCidr(pool.cidr, cidr));
}

interface Assigning {
  readonly plan: HostnicPlan;
  readonly vxnets: readonly Vxnet[];
  readonly objects: HostnicObjects;
  readonly account: Account;
}

/** Which vxnets are for which namespaces, and which for all others. */
function assign(plan: HostnicPlan, objects: HostnicObjects, vxnets: readonly Vxnet[], account: Account): void {
  const { ipam } = plan;
  const isForAll = (plan.autoAssign === true && !plan.isServed) || ipam === undefined;
  for (const vxnet of vxnets) vxnet.isDefault = isForAll && !vxnet.isGone && vxnet.pool?.isDisabled !== true;
  if (ipam === undefined) {
    const text = 'hostnic-ipam-config was not given, so that every vxnet serves every namespace';
    account.left('all PodSubnets', 'spec.default', text, 'add the ConfigMap, or correct default');
  }
  for (const [namespace, blocks] of ipam ?? []) {
    if (namespace === DEFAULT && plan.isServed && plan.autoAssign === true)
      account.equal(blocks.setting, 'nothing while subnet-auto-assign is on: its blocks are given to nobody, as in hostnic');
    else if (namespace === DEFAULT) {
      account.taken(blocks.setting, 'PodSubnet spec.default: true');
      for (const vxnet of vxnetsOf(blocks, vxnets, objects, account)) vxnet.isDefault = vxnet.pool?.isDisabled !== true;
    } else assignNamespace(namespace, blocks, { plan, vxnets, objects, account });
  }
  tellPools(plan, objects, vxnets, account);
}

/** IPPools of vxnets that v-pool does not name, and of none. */
function tellPools(plan: HostnicPlan, objects: HostnicObjects, vxnets: readonly Vxnet[], account: Account): void {
  const gone = gonePools(plan, objects, []);
  for (const pool of objects.pools) {
    const vxnet = vxnets.find((one) => one.pool === pool);
    if (vxnet?.isGone === true)
      account.equal(pool.setting, 'v-pool does not name this vxnet: who has addresses of it keeps them, who has blocks of it gets more');
    else if (vxnet === undefined && gone.includes(pool)) account.equal(pool.setting, HOLDS_NOTHING);
    else if (vxnet === undefined)
      account.none(pool.setting, 'no vxnet of these files has it', 'add the VxNetPool v-pool, with its status, or hostnic-cfg-cm');
  }
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

/** Whole vxnets, and blocks of them. Interfaces of Pods alone have addresses of the cloud's choice, so that these have whole vxnets in any case. */
function assignNamespace(namespace: string, blocks: BlocksOf, of: Assigning): void {
  const { plan, vxnets, objects, account } = of;
  const { setting, names } = blocks;
  const all = vxnetsOf(blocks, vxnets, objects, account);
  const isBlock = (name: string): boolean => blockNamed(name) !== undefined;
  const whole = plan.isPassthrough ? all : vxnets.filter(({ id }) => names.includes(id));
  for (const vxnet of whole) vxnet.namespaces.add(namespace);
  if (all.length === 0) account.none(setting, 'it names no block', 'nothing: PodSubnets with default: true serve it');
  if (plan.isPassthrough) {
    if (names.some(isBlock))
      account.none(
        { ...setting, value: undefined },
        'with passthrough the cloud chooses the addresses: Pods of this namespace may get ones outside of its blocks',
        'give it a vxnet of its own where rules go by its blocks',
      );
  } else for (const name of names.filter(isBlock)) own(namespace, name, setting, of);
  const made = all.flatMap((vxnet) => {
    if (whole.includes(vxnet)) return asName(vxnet.id);
    return vxnet.owned.has(namespace) ? nameOfOwn(vxnet.id, namespace) : [];
  });
  if (made.length > 0) account.taken(setting, `PodSubnet ${made.join(', ')} spec.namespaces`);
}

/** Gives a block to the namespace, unless another has it, which hostnic's own webhook refuses too. */
function own(namespace: string, name: string, setting: BlocksOf['setting'], { vxnets, objects, account }: Assigning): void {
  const cidr = blockNamed(name);
  const vxnet = cidr === undefined ? undefined : vxnets.find((one) => isOf(one, name, cidr, objects));
  if (cidr === undefined || vxnet === undefined) return;
  for (const [other, blocks] of vxnet.owned)
    if (blocks.some((block) => overlaps(block, cidr)) && other !== namespace)
      account.wrong(setting, `${name} is a block of namespace ${other} too`, 'give each block to one namespace');
  if (mayGive(vxnet, cidr)) vxnet.owned.set(namespace, [...(vxnet.owned.get(namespace) ?? []), cidr]);
  else account.none(setting, `${name} lies outside of the vxnet's range: no Pod has an address of it`, 'give it another block');
}

/** The block that it names, as `4100-172-16-3-0-26` does 172.16.3.0/26; undefined: it is the name of something else. */
export function blockNamed(name: string): Cidr | undefined {
  const [, a, b, c, d, length] = /^\d+-(\d+)-(\d+)-(\d+)-(\d+)-(\d+)$/.exec(name) ?? [];
  const [ip, bits] = [[a, b, c, d].map(Number), Number(length)];
  if (length === undefined || bits > 32 || ip.some((byte) => byte > 255)) return undefined;
  return cidrOf(ip.join('.') as Ip, bits); // four bytes were just seen
}
