/** VxNetPool and IPPool: which vxnets there are, which part of each Pods may have, which blocks it was cut into. */
import type { Cidr } from '../../net/cidr.ts';
import type { Ip } from '../../net/address.ts';
import { type Account, below, membersOf, type Setting } from '../account.ts';
import type { Found } from '../objects.ts';
import { addressIn, blockIn, flagIn, textIn } from '../values.ts';
import type { HostnicPlan } from './plan.ts';

/** The only pool hostnic looks at. */
const POOL = 'v-pool';

/** What an IPPool says. */
export interface IpPool {
  readonly name: string;
  readonly cidr: Cidr;
  readonly first?: Ip;
  readonly last?: Ip;
  readonly isDisabled: boolean;
  /** Of a vxnet: those of hostnic have its name, and say `local`. */
  readonly isLocal: boolean;
  readonly setting: Setting;
}

/** From a vxnet to its IPPool and blocks, by name. */
export type Cuts = ReadonlyMap<string, { readonly ippool: string; readonly blocks: readonly string[] }>;

/** Reads VxNetPools; vxnets go into the plan. */
export function readVxNetPools(objects: readonly Found[], plan: HostnicPlan, account: Account): Cuts {
  const cuts = new Map<string, { ippool: string; blocks: string[] }>();
  for (const { name, object } of objects) {
    if (name !== POOL) {
      account.none({ ...below(object, 'metadata', 'name'), name: `VxNetPool ${name}` }, `hostnic looks at ${POOL} alone`, 'nothing');
      continue;
    }
    plan.isPoolGiven = true;
    readPool({ ...below(object, 'spec'), name: `VxNetPool ${name}` }, plan, account);
    const pools = below(object, 'status', 'pools');
    for (const pool of Array.isArray(pools.value) ? membersOf(account, pools) : []) {
      const vxnet = textIn(account, below(pool, 'name')) ?? '';
      const blocks = below(pool, 'subnets');
      const names = Array.isArray(blocks.value) ? membersOf(account, blocks).flatMap((member) => textIn(account, member) ?? []) : [];
      cuts.set(vxnet, { ippool: textIn(account, below(pool, 'ippool')) ?? '', blocks: names });
    }
  }
  return cuts;
}

function readPool(at: Setting, plan: HostnicPlan, account: Account): void {
  const spec = account.part(at, 'a VxNetPool');
  const vxnets = spec.get('vxnets');
  for (const member of vxnets === undefined ? [] : membersOf(account, vxnets)) {
    const own = account.part(member, 'a VxNetPool');
    const nameAt = own.get('name');
    const vxnet = textIn(account, nameAt);
    if (nameAt === undefined || vxnet === undefined) continue;
    plan.vxnets.add(vxnet);
    account.taken(nameAt, 'PodSubnet spec.cloudSubnet');
  }
  const size = spec.get('blockSize');
  if (size !== undefined) account.equal(size, 'nodes get 1 or 16 addresses at a time, by spec.unit; none belongs to a namespace');
  tellReserved(spec.get('customReservedIPCount'), account);
}

/** Reads IPPools. */
export function readIpPools(objects: readonly Found[], account: Account): IpPool[] {
  return objects.flatMap(({ name, object }) => {
    const at = { ...below(object, 'spec'), name: `IPPool ${name}` };
    const spec = account.part(at, 'an IPPool');
    const cidrAt = spec.get('cidr');
    if (cidrAt === undefined) account.wrong(at, 'has no cidr', 'make the dump again');
    const [cidr, firstAt, lastAt] = [blockIn(account, cidrAt), spec.get('rangeStart'), spec.get('rangeEnd')];
    const [first, last] = [addressIn(account, emptyIsNone(firstAt)), addressIn(account, emptyIsNone(lastAt))];
    const isDisabled = flagIn(account, spec.get('disabled')) ?? false;
    const isLocal = ['local', '', undefined, null].some((type) => below(at, 'type').value === type);
    tellRest(spec, account);
    if (cidr === undefined || cidrAt === undefined) return [];
    account.equal(cidrAt, 'the vxnet itself says it: the controller asks the cloud');
    for (const setting of [firstAt, lastAt])
      if (setting !== undefined && setting.value !== '') account.taken(setting, 'PodSubnet spec.exclude: what lies outside of the range');
    return [
      {
        name,
        cidr,
        ...(first !== undefined && { first }),
        ...(last !== undefined && { last }),
        isDisabled,
        isLocal,
        setting: { ...at, value: cidr },
      },
    ];
  });
}

function tellRest(spec: ReturnType<Account['part']>, account: Account): void {
  const disabled = spec.get('disabled');
  if (disabled !== undefined) {
    if (disabled.value === true) account.taken(disabled, 'no PodSubnet is the default by it');
    else account.equal(disabled, 'a PodSubnet that is there serves');
  }
  for (const key of ['type', 'blockSize'] as const) {
    const setting = spec.get(key);
    if (setting !== undefined)
      account.equal(setting, key === 'type' ? 'nothing: a PodSubnet names a vxnet' : 'nodes get 1 or 16 addresses at a time');
  }
  const gateway = spec.get('gateway');
  if (gateway !== undefined) account.equal(gateway, 'the vxnet itself says it; no Pod gets it');
  tellReserved(spec.get('customReservedIPCount'), account);
  const routes = spec.get('routes');
  if (routes !== undefined && !isNothing(routes.value))
    account.none(
      routes,
      'a PodSubnet has no routes of its own',
      "write them into the vxnet's router, or viaNode of the NodeConfig for what the node reaches",
    );
  const dns = spec.get('dns');
  if (dns !== undefined && !isNothing(dns.value))
    account.none(dns, 'a PodSubnet says no name servers', 'use dnsConfig of the Pods, or of the kubelet');
  const vlan = spec.get('vlanConfig');
  if (vlan !== undefined && !isNothing(vlan.value))
    account.none(vlan, 'a VLAN of the node is no vxnet', 'write a PodSubnet with range.parent for it (docs/objects.md)');
}

function tellReserved(setting: Setting | undefined, account: Account): void {
  if (setting === undefined) return;
  if (setting.value === 0) account.equal(setting, 'nothing is kept back');
  else
    account.none(
      setting,
      "Flatpod takes addresses as nodes need them, not the whole vxnet: the rest is the cloud's anyway",
      'write exclude or perCluster.maximum in the PodSubnet to keep addresses for others',
    );
}

function emptyIsNone(setting: Setting | undefined): Setting | undefined {
  return setting?.value === '' ? undefined : setting;
}

/** Go writes empty fields out. */
function isNothing(value: unknown): boolean {
  if (value === '' || value === 0 || value === false || value === null) return true;
  return typeof value === 'object' && value !== null && Object.values(value).every(isNothing);
}
