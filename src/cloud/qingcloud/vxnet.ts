/** What is in a vxnet: its NICs and its reserved addresses, and what of these is whose block. */
import { isFailure } from '../../errors/failure.ts';
import type { Ip } from '../../net/address.ts';
import { addressesOf, type Cidr, cidrOf, hostCidr } from '../../net/cidr.ts';
import type { Mac } from '../../net/mac.ts';
import type { CloudSubnet, NicId, SubnetId } from '../cloud.ts';
import { type NicRecord, nicRecord, type VipRecord, vipRecord, type VxnetRecord, vxnetRecord } from './answers.ts';
import type { Api } from './call.ts';
import type { Leaving } from './leaving.ts';
import type { Names, VipName } from './names.ts';
import type { Settings } from './options.ts';
import type { Patience } from './patience.ts';
import type { Parameters } from './signature.ts';
import { thoseKnown } from './those-known.ts';

/** `vxnet_type` of base vxnets, which are in no list that does not ask for them; so hostnic has it. */
const BASE = 2;

/** What the reading parts of the driver are handed. */
export interface Reader {
  readonly api: Api;
  readonly names: Names;
  readonly settings: Settings;
}

/** What reads reserved addresses. */
export interface VipReader extends Reader {
  readonly leaving: Leaving;
}

/** A reserved address of ours. */
export interface OwnVip extends VipRecord {
  readonly says: VipName;
}

/** All that takes addresses of a vxnet. */
export interface Contents {
  readonly nics: readonly NicRecord[];
  readonly vips: readonly VipRecord[];
}

/** A vxnet with all that takes its addresses. */
export interface Picture extends Contents {
  readonly vxnet: VxnetRecord;
}

/** NICs that the condition selects: ids or instances, any number. */
export function readNics(
  { api, settings }: Reader,
  kind: 'nics' | 'instances',
  ids: readonly string[],
  patience: Patience,
): Promise<NicRecord[]> {
  return thoseKnown(ids, (some) => listNics(api, settings.owner, { [kind]: some }, some.join(', ').slice(0, 200), patience));
}

/** NICs by what their names begin with: others may be among them. */
export function readNicsNamed({ api, settings }: Reader, beginning: string, patience: Patience): Promise<NicRecord[]> {
  return listNics(
    api,
    settings.owner,
    settings.nameFilter === 'part' ? { nic_name: beginning } : {},
    `NICs called ${beginning}…`,
    patience,
  );
}

/** NICs of exactly that name, oldest first. */
export async function readNicsCalled({ api, settings }: Reader, name: string, patience: Patience): Promise<NicRecord[]> {
  const found = await listNics(api, settings.owner, { nic_name: name }, `NICs called ${name}`, patience);
  return found.filter((nic) => nic.name === name).toSorted((a, b) => a.createdAt_ms - b.createdAt_ms || (a.id < b.id ? -1 : 1));
}

type NicConditions = Readonly<Record<string, string | readonly string[]>>;

function listNics(api: Api, owner: string | undefined, conditions: NicConditions, about: string, patience: Patience): Promise<NicRecord[]> {
  const parameters = { ...conditions, ...(owner !== undefined && { owner }) };
  return api.list({ action: 'DescribeNics', about, parameters, set: 'nic_set', read: nicRecord, keyOf: ({ id }) => id }, patience);
}

/** The reserved addresses of those of the vxnets that are known, with which of them are being released. */
export async function readVips({ api, leaving, names }: VipReader, vxnets: readonly SubnetId[], patience: Patience): Promise<VipRecord[]> {
  const one = { action: 'DescribeVips', set: 'vip_set', read: vipRecord, keyOf: ({ id }: VipRecord) => id };
  const read = () =>
    thoseKnown(vxnets, (some) => api.list({ ...one, about: some.join(', ').slice(0, 200), parameters: { vxnets: some } }, patience));
  let found = await read();
  if (leaving.isUnsure() && ownVips(found, names).length > 0) {
    // In this order: what is released between the two is not in the second list.
    await leaving.look(patience);
    found = await read();
  }
  return found.map((vip) => (leaving.has(vip.id) ? { ...vip, isLeaving: true } : vip));
}

/** Those of the vxnets that are known; all that are listed, without ids. */
export async function readVxnets({ api }: Reader, ids: readonly SubnetId[] | undefined, patience: Patience): Promise<VxnetRecord[]> {
  const one = { action: 'DescribeVxnets', set: 'vxnet_set', read: vxnetRecord, keyOf: ({ id }: VxnetRecord) => id };
  if (ids === undefined) return api.list({ ...one, about: 'all vxnets', parameters: { verbose: 1 } }, patience);
  const those = (some: readonly SubnetId[], more: Parameters) =>
    thoseKnown(some, (vxnets) =>
      api.list({ ...one, about: vxnets.join(', ').slice(0, 200), parameters: { vxnets, verbose: 1, ...more } }, patience),
    );
  const found = await those(ids, {});
  const lacking = ids.filter((id) => !found.some((vxnet) => vxnet.id === id));
  if (lacking.length === 0) return found;
  try {
    return [...found, ...(await those(lacking, { vxnet_type: BASE }))];
  } catch (error) {
    // A cloud that has none of that kind, in whatever words it refuses to be asked.
    if (!(['cloudInvalid', 'cloudDenied', 'cloudConflict'] as const).some((kind) => isFailure(error, kind))) throw error;
    return found;
  }
}

/** Everything in a vxnet. */
export async function contentsOf(reader: VipReader, vxnet: SubnetId, patience: Patience): Promise<Contents> {
  const [nics, vips] = await Promise.all([
    // Also those of others: their addresses are taken all the same.
    listNics(reader.api, undefined, { vxnets: [vxnet] }, vxnet, patience),
    readVips(reader, [vxnet], patience),
  ]);
  return { nics, vips };
}

/** A vxnet as a subnet of the zone. */
export function subnetOf({ id, router, free }: VxnetRecord, zone: string): CloudSubnet {
  return { id, zone, free4: free, ...(router && { cidr4: router.cidr, gateway4: router.gateway }) };
}

/** Those that our names speak of. */
export function ownVips(vips: readonly VipRecord[], names: Names): OwnVip[] {
  return vips.flatMap((vip) => {
    const says = names.ofVip(vip.name);
    return says === undefined ? [] : [{ ...vip, says }];
  });
}

/** The block that a reserved address is a part of. */
export function blockOf({ ip, says }: OwnVip): Cidr {
  return says.length === 28 ? cidrOf(ip, 28) : hostCidr(ip);
}

/** By the NIC's Ethernet address, the blocks of which every address is reserved, and those of which only a part is. What is being released is no part. */
export function blocksByNic(vips: readonly OwnVip[]): Map<Mac, { whole: Cidr[]; begun: Cidr[] }> {
  const found = new Map<Mac, { whole: Cidr[]; begun: Cidr[] }>();
  for (const [mac, own] of Map.groupBy(
    vips.filter(({ isLeaving }) => isLeaving !== true),
    ({ says }) => says.mac,
  )) {
    const blocks = { whole: [] as Cidr[], begun: [] as Cidr[] };
    for (const [block, parts] of Map.groupBy(own, blockOf)) {
      const there = new Set<Ip>(parts.map(({ ip }) => ip));
      const isWhole = [...addressesOf(block)].every((ip) => there.has(ip));
      (isWhole ? blocks.whole : blocks.begun).push(block);
    }
    found.set(mac, blocks);
  }
  return found;
}

/** The NIC of that id; undefined when the list lacks it. */
export async function readNic(reader: Reader, id: NicId, patience: Patience): Promise<NicRecord | undefined> {
  return (await readNics(reader, 'nics', [id], patience)).find((nic) => nic.id === id);
}
