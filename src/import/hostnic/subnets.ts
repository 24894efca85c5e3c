/** From vxnets, namespaces and blocks to PodSubnets: one for each vxnet, and one for the blocks of it that a namespace has for itself. */
import type { Ip } from '../../net/address.ts';
import { type Cidr, cidrOf, containsCidr, overlaps } from '../../net/cidr.ts';
import type { Account } from '../account.ts';
import type { Kept, Made } from '../made.ts';
import { asName } from '../values.ts';
import type { IpamBlock } from './blocks.ts';
import { DEFAULT } from './ipam-config.ts';
import type { BlocksOf, HostnicPlan } from './plan.ts';
import { nameFor, nameOfOwn, podSubnetsOf, type Vxnet } from './pod-subnets.ts';
import type { Cuts, IpPool } from './pools.ts';

/** What the objects of hostnic say. */
export interface HostnicObjects {
  readonly cuts: Cuts;
  readonly pools: readonly IpPool[];
  readonly blocks: readonly IpamBlock[];
}

/** The PodSubnets, and the addresses that Pods of hostnic have: those are excluded. */
export function subnetsOf(plan: HostnicPlan, objects: HostnicObjects, account: Account): { readonly made: Made[]; readonly kept: Kept[] } {
  const named = plan.ipam?.get(DEFAULT)?.names.filter((name) => blockNamed(name) === undefined) ?? [];
  const ids = [...new Set([...plan.vxnets, ...objects.cuts.keys(), ...named])];
  const vxnets = ids.map((id): Vxnet => ({ id, pool: poolOf(id, objects), namespaces: new Set(), owned: new Map(), isDefault: false }));
  assign(plan, objects, vxnets, account);
  const kept = objects.blocks.flatMap(({ cidr, name, allocations }) => {
    const subnet = vxnets.find((vxnet) => isOf(vxnet, name, cidr, objects));
    return allocations.map(
      (allocation): Kept => ({ ...allocation, subnet: subnet === undefined ? '' : nameFor(subnet, allocation.address) }),
    );
  });
  for (const block of objects.blocks) {
    const vxnet = vxnets.find((one) => isOf(one, block.name, block.cidr, objects));
    if (vxnet === undefined)
      account.wrong(block.setting, 'belongs to no vxnet of these files', 'add the VxNetPool v-pool, with its status, or the IPPools');
    else account.taken(block.setting, `PodSubnet ${asName(vxnet.id)}: ${block.allocations.length} addresses in use, in spec.exclude`);
  }
  return { made: vxnets.flatMap((vxnet) => podSubnetsOf(vxnet, plan, kept)), kept };
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
  for (const vxnet of vxnets) vxnet.isDefault = isForAll && vxnet.pool?.isDisabled !== true;
  if (ipam === undefined) {
    const text = 'hostnic-ipam-config was not given, so that every vxnet serves every namespace';
    account.left('all PodSubnets', 'spec.default', text, 'add the ConfigMap, or correct default');
  }
  for (const [namespace, blocks] of ipam ?? []) {
    if (namespace === DEFAULT) {
      account.taken(blocks.setting, 'PodSubnet spec.default: true');
      for (const vxnet of vxnetsOf(blocks, vxnets, objects, account)) vxnet.isDefault = vxnet.pool?.isDisabled !== true;
    } else assignNamespace(namespace, blocks, { plan, vxnets, objects, account });
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
  const made = all.map((vxnet) => (whole.includes(vxnet) ? asName(vxnet.id) : nameOfOwn(vxnet.id, namespace)));
  if (all.length > 0) account.taken(setting, `PodSubnet ${made.join(', ')} spec.namespaces`);
}

/** Gives a block to the namespace, unless another has it, which hostnic's own webhook refuses too. */
function own(namespace: string, name: string, setting: BlocksOf['setting'], { vxnets, objects, account }: Assigning): void {
  const cidr = blockNamed(name);
  const vxnet = cidr === undefined ? undefined : vxnets.find((one) => isOf(one, name, cidr, objects));
  if (cidr === undefined || vxnet === undefined) return;
  for (const [other, blocks] of vxnet.owned)
    if (blocks.some((block) => overlaps(block, cidr)) && other !== namespace)
      account.wrong(setting, `${name} is a block of namespace ${other} too`, 'give each block to one namespace');
  vxnet.owned.set(namespace, [...(vxnet.owned.get(namespace) ?? []), cidr]);
}

/** The block that it names, as `4100-172-16-3-0-26` does 172.16.3.0/26; undefined: it is the name of something else. */
export function blockNamed(name: string): Cidr | undefined {
  const [, a, b, c, d, length] = /^\d+-(\d+)-(\d+)-(\d+)-(\d+)-(\d+)$/.exec(name) ?? [];
  const [ip, bits] = [[a, b, c, d].map(Number), Number(length)];
  if (length === undefined || bits > 32 || ip.some((byte) => byte > 255)) return undefined;
  return cidrOf(ip.join('.') as Ip, bits); // four bytes were just seen
}
