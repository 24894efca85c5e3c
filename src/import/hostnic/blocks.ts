/** IPAMBlocks: blocks of a vxnet, the addresses of them that Pods have now, and those that hostnic keeps from Pods. */
import { type Ip, tryParseIp } from '../../net/address.ts';
import { addressAt, type Cidr, sizeOf } from '../../net/cidr.ts';
import { type Account, below, membersOf, type Setting } from '../account.ts';
import type { Found } from '../objects.ts';
import { blockIn, flagIn, textIn, wordOf } from '../values.ts';

/** hostnic's, of addresses that it set aside when it cut the block; it compares it without regard to case. */
const RESERVED = 'kubesphere-reserved-handle';

/** An address that is given out. */
export interface Allocation {
  readonly address: Ip;
  /** Empty where the block does not say. */
  readonly namespace: string;
  readonly pod: string;
  readonly node: string;
}

/** What an IPAMBlock says. */
export interface IpamBlock {
  readonly name: string;
  readonly cidr: Cidr;
  readonly allocations: readonly Allocation[];
  /** What of it lies outside of the vxnet's range: the cloud's own, and those that hostnic leaves to interfaces. No Pod ever had one. */
  readonly reserved: readonly Ip[];
  readonly setting: Setting;
}

/** Those that are not deleted. */
export function readBlocks(objects: readonly Found[], account: Account): IpamBlock[] {
  return objects.flatMap(({ name, object }) => {
    const setting = { ...below(object, 'spec'), name: `IPAMBlock ${name}` };
    const spec = account.part(setting, 'an IPAMBlock');
    const cidrAt = spec.get('cidr');
    const cidr = blockIn(account, cidrAt);
    for (const key of ['id', 'unallocated']) spec.get(key);
    const [allocationsAt, attributesAt] = [spec.get('allocations'), spec.get('attributes')];
    const isDeleted = flagIn(account, spec.get('deleted')) ?? false;
    if (cidrAt === undefined) account.wrong(setting, 'has no cidr', 'make the dump again');
    if (cidr === undefined) return [];
    if (isDeleted) {
      account.equal({ ...setting, value: cidr }, 'nothing: it is deleted');
      return [];
    }
    const attributes = attributesAt === undefined ? [] : membersOf(account, attributesAt);
    const given = allocationsAt === undefined ? noneGiven : readAllocations(allocationsAt, cidr, attributes, account);
    return [{ name, cidr, ...given, setting: { ...setting, value: cidr } }];
  });
}

type Given = Pick<IpamBlock, 'allocations' | 'reserved'>;
const noneGiven: Given = { allocations: [], reserved: [] };

/** `allocations[n]` is about the n-th address: an index into the attributes, or null. */
function readAllocations(list: Setting, cidr: Cidr, attributes: readonly Setting[], account: Account): Given {
  const [allocations, reserved]: [Allocation[], Ip[]] = [[], []];
  for (const [i, member] of membersOf(account, list).entries()) {
    if (member.value === null) continue;
    if (BigInt(i) >= sizeOf(cidr) || typeof member.value !== 'number') {
      account.wrong(member, `is no allocation of ${cidr}`, 'make the dump again');
      continue;
    }
    const [address, attribute] = [addressAt(cidr, i), attributes[member.value]];
    if (isReserved(attribute)) reserved.push(address);
    else allocations.push(...ofAddress(address, attribute, account));
  }
  return { allocations, reserved };
}

function isReserved(attribute: Setting | undefined): boolean {
  const handle = attribute === undefined ? undefined : below(attribute, 'handle_id').value;
  return typeof handle === 'string' && handle.toLowerCase() === RESERVED;
}

/** The address by its place in the block, and the one that the Pod is said to have where that is another: both are kept. */
function ofAddress(address: Ip, attribute: Setting | undefined, account: Account): Allocation[] {
  const at = (key: string): Setting | undefined => {
    const setting = attribute === undefined ? undefined : below(attribute, 'secondary', key);
    return setting?.value === undefined || setting.value === null ? undefined : setting;
  };
  const text = (key: string): string => textIn(account, at(key)) ?? '';
  const holder = { namespace: text('namespace'), pod: text('pod'), node: text('node') };
  const said = at('ip');
  const other = said === undefined || said.value === '' ? address : tryParseIp(wordOf(said.value));
  if (said !== undefined && other === undefined) account.wrong(said, `is no address: ${JSON.stringify(said.value)}`, 'make the dump again');
  if (said === undefined || other === undefined || other === address) return [{ address, ...holder }];
  account.none(said, `the block has ${address} in its place`, 'both are kept from other Pods; look at the Pod');
  return [
    { address, ...holder },
    { address: other, ...holder },
  ];
}

/** IPAMHandles repeat what blocks say. One that names a block which is not there is told: its addresses would not be kept. */
export function checkHandles(objects: readonly Found[], blocks: readonly IpamBlock[], account: Account): void {
  const known = new Set(blocks.map(({ name }) => name));
  let repeated = 0;
  for (const { name, object } of objects) {
    const spec = account.part({ ...below(object, 'spec'), name: `IPAMHandle ${name}` }, 'an IPAMHandle');
    spec.get('handleID');
    const deleted = flagIn(account, spec.get('deleted')) ?? false;
    const counts = spec.get('block');
    const part = counts === undefined ? undefined : account.part(counts, 'an IPAMHandle');
    const missing = deleted ? [] : (part?.keys().filter((block) => !known.has(block)) ?? []);
    for (const block of part?.keys() ?? []) part?.get(block);
    if (missing.length === 0) repeated++;
    else if (counts !== undefined)
      account.wrong(
        counts,
        `names the block ${missing.join(', ')}, which is not among the files`,
        'add what kubectl get ipamblocks -o json prints',
      );
  }
  const [first] = objects;
  if (first !== undefined && repeated > 0)
    account.equal(
      { ...first.object, name: `${repeated} IPAMHandles`, value: undefined },
      'the blocks say the same: see ADDRESSES OF PODS THAT RUN',
    );
}
