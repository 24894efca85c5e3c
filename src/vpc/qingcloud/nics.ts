/** NICs: made without a job, changed, listed, deleted. */
import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import type { NicId } from '../../cloud/cloud.ts';
import { type Ip, tryParseIp } from '../../net/address.ts';
import { firstOf, hostCidr } from '../../net/cidr.ts';
import { type Mac, tryParseMac } from '../../net/mac.ts';
import { defaultGroup } from '../calls/groups.ts';
import { removeNic } from '../calls/nics.ts';
import { newId } from '../calls/token.ts';
import { nicMac } from '../mac.ts';
import { freeBlocks } from '../model/addresses.ts';
import { notYetHeld } from '../model/by-value.ts';
import type { Transaction } from '../model/model.ts';
import type { Nic, State, Subnet } from '../model/objects.ts';
import { Refusal } from '../model/refusal.ts';
import { accountIn, type Action, type Asking, change, checkOwner, isNamed, mustBeKnown, ownerOf, read, timeOf } from './action.ts';
import { groupId, instanceId, interfaces, nicBy, subnetBy, vxnetId } from './ids.ts';
import { checkIdle } from './jobs.ts';
import { noteOf, putNote, removeNote } from './notes.ts';
import { flag, int, list, page, paged, some, text } from './parameters.ts';
import { Problem } from './problem.ts';
import { dropTags, tagsIn } from './tags.ts';
import { vxnetsIn } from './vxnets.ts';

const MOST_IN_VXNET = 252;
const MOST_AT_ONCE = 200;
/** What QEMU's NICs begin with. */
const MAC_START = [0x52, 0x54] as const;

const create = z.strictObject({
  vxnet: some,
  count: int.optional(),
  nic_name: text.optional(),
  private_ips: list.optional(),
  disable_ip: flag.optional(),
});
const modify = z.strictObject({
  nic: some,
  nic_name: text.optional(),
  private_ip: some.optional(),
  vxnet: some.optional(),
  enable_aspoof: flag.optional(),
  ipv6_address: some.optional(),
});
const describe = z.strictObject({
  ...page,
  nics: list.optional(),
  instances: list.optional(),
  vxnets: list.optional(),
  nic_name: text.optional(),
  status: z.enum(['available', 'in-use'], 'is neither available nor in-use').optional(),
  vxnet_type: z.array(int).optional(),
});

/** The actions of this file. */
export const nicActions: readonly Action[] = [
  read(['DescribeNics', 'ListNics'], describe, (state, wanted, asking) => {
    mustBeKnown(
      asking,
      wanted.nics,
      interfaces(state).map(({ mac }) => mac),
    );
    mustBeKnown(asking, wanted.instances, [...state.instance.keys()].map(instanceId));
    mustBeKnown(asking, wanted.vxnets, vxnetsIn(state));
    const [ids, instances, vxnets] = [wanted.nics, wanted.instances, wanted.vxnets].map((one) => one && new Set(one));
    const found = interfaces(state).filter(
      (nic) =>
        (ids?.has(nic.mac) ?? true) &&
        (instances?.has(nic.attachment === undefined ? '' : instanceId(nic.attachment.instance)) ?? true) &&
        (vxnets?.has(vxnetId({ id: nic.subnet })) ?? true) &&
        (wanted.status === undefined || wanted.status === statusOf(nic)) &&
        (wanted.vxnet_type?.includes(1) ?? true) &&
        isNamed(nameOf(state, nic), wanted.nic_name, asking) &&
        (wanted.owner === undefined || wanted.owner === ownerOf(noteOf(state, 'nic', nic.id), asking)),
    );
    const tags = tagsIn(state);
    return paged('nic_set', found, wanted, (nic) => ({ ...shown(state, nic, asking), tags: tags(nic.mac) }));
  }),
  change(
    ['CreateNics', 'CreateNic'],
    create,
    (transaction, { vxnet, count = 1, nic_name = '', private_ips = [], disable_ip = false }, asking) => {
      const subnet = subnetBy(transaction.state, vxnet);
      const ips = private_ips.map(addressOf);
      if (count < 1 || count > MOST_AT_ONCE) throw new Problem('malformed', `parameter [count] is not between 1 and ${MOST_AT_ONCE}`);
      if (ips.length > count) throw new Problem('malformed', 'parameter [private_ips] has more addresses than there are to be NICs');
      if (disable_ip && ips.length > 0) throw new Problem('malformed', 'parameters [private_ips] and [disable_ip] exclude each other');
      checkRoom(transaction.state, subnet, count);
      const made = Array.from({ length: count }, (_, i) => {
        const nic = { ...newNic(transaction, subnet, disable_ip ? undefined : { wanted: ips[i] }), ...accountIn(asking) };
        transaction.put('nic', nic);
        const facts = { name: nic_name, owner: asking.account.owner, status_ms: String(transaction.now_ms), noIp: disable_ip ? '1' : '' };
        putNote(transaction, 'nic', nic.id, facts);
        return { nic_id: nic.mac, private_ip: nic.primary4 ?? '' };
      });
      return { nics: made };
    },
  ),
  change(['DeleteNics', 'DeleteNic'], z.strictObject({ nics: list }), (transaction, { nics: ids }, asking) => {
    const nics = ids.map((id) => nicBy(transaction.state, id));
    for (const nic of nics) checkMine(transaction.state, nic, asking);
    for (const nic of nics) checkAvailable(nic);
    checkIdle(transaction.state, ids);
    for (const nic of nics) {
      removeNic(transaction, nic);
      removeNote(transaction, 'nic', nic.id);
      dropTags(transaction, nic.mac);
    }
    return {};
  }),
  change(['ModifyNicAttributes'], modify, (transaction, wanted, asking) => {
    const { state } = transaction;
    const nic = nicBy(state, wanted.nic);
    checkMine(state, nic, asking);
    checkIdle(state, [nic.mac]);
    if (wanted.ipv6_address !== undefined) throw new Problem('denied', `vxnet [${vxnetId({ id: nic.subnet })}] has no IPv6`);
    const facts = noteOf(state, 'nic', nic.id) ?? {};
    const renamed = wanted.nic_name === undefined ? facts : { ...facts, name: wanted.nic_name };
    putNote(transaction, 'nic', nic.id, renamed);
    const { anySource: before, ...rest } = moved(transaction, nic, wanted);
    const spoofs = wanted.enable_aspoof ?? before === true;
    transaction.put('nic', { ...rest, ...(spoofs && { anySource: true }) });
    return {};
  }),
];

/** The NIC as lists show it. */
function shown(state: State, nic: Nic, asking: Asking): object {
  const facts = noteOf(state, 'nic', nic.id);
  const { attachment } = nic;
  return {
    nic_id: nic.mac,
    nic_name: nameOf(state, nic),
    vxnet_id: vxnetId({ id: nic.subnet }),
    instance_id: attachment === undefined ? '' : instanceId(attachment.instance),
    private_ip: nic.primary4 ?? '',
    role: attachment?.deviceIndex === 0 ? 1 : 0,
    sequence: attachment?.deviceIndex ?? 0,
    status: statusOf(nic),
    security_group: groupId(nic.securityGroups[0] ?? ''),
    owner: ownerOf(facts, asking),
    create_time: timeOf(nic.createdAt_ms),
    status_time: timeOf(Number(facts?.['status_ms'] ?? nic.createdAt_ms)),
  };
}

/** @throws Problem 1400 when it is another user's. */
export function checkMine(state: State, nic: Nic, asking: Asking): void {
  checkOwner(state, 'nic', nic.id, nic.mac, asking);
}

/** @throws Problem 1400. */
export function checkAvailable(nic: Nic): void {
  if (nic.attachment !== undefined) throw new Problem('denied', `nic [${nic.mac}] is in use by [${instanceId(nic.attachment.instance)}]`);
}

/** An address as it is typed. @throws Problem 1100. */
export function addressOf(typed: string): Ip {
  const ip = tryParseIp(typed);
  if (ip === undefined || ip.includes(':')) throw new Problem('malformed', `[${typed}] is no IPv4 address`);
  return ip;
}

/** @throws Problem 1400 when one of the addresses is not for giving: outside of the vxnet, reserved, a NIC's or a VIP's. */
export function checkFree(state: State, subnet: Subnet, nic: Nic, ips: readonly Ip[]): void {
  try {
    notYetHeld(state, subnet, nic, ips.map(hostCidr));
  } catch (error) {
    if (error instanceof Refusal) throw new Problem('denied', `not permitted: ${error.message}`);
    throw error;
  }
}

/** An Ethernet address that no NIC has. */
export function freshMac(state: State): Mac {
  const taken = new Set<Mac>([...state.nic.values()].map(({ mac }) => mac));
  for (;;) {
    const mac = nicMac(Uint8Array.of(...MAC_START, ...randomBytes(2)));
    if (!taken.has(mac) && tryParseMac(mac) !== undefined) return mac;
  }
}

function nameOf(state: State, nic: Nic): string {
  return noteOf(state, 'nic', nic.id)?.['name'] ?? nic.description;
}

function statusOf({ attachment }: Nic): 'available' | 'in-use' {
  return attachment === undefined ? 'available' : 'in-use';
}

function checkRoom(state: State, subnet: Subnet, count: number): void {
  const there = interfaces(state).filter((nic) => nic.subnet === subnet.id).length;
  if (there + count > MOST_IN_VXNET) throw new Problem('quota', `vxnet [${vxnetId(subnet)}] has ${there} of at most ${MOST_IN_VXNET} NICs`);
}

/** `address` undefined: a NIC without any. */
function newNic(transaction: Transaction, subnet: Subnet, address: { readonly wanted: Ip | undefined } | undefined): Nic {
  const { state, now_ms } = transaction;
  const bare: Nic = {
    id: newId<NicId>('nic'),
    mac: freshMac(state),
    subnet: subnet.id,
    blocks: [],
    securityGroups: [defaultGroup(state).id],
    tags: {},
    description: '',
    createdAt_ms: now_ms,
  };
  return address === undefined ? bare : withAddress(state, subnet, bare, address.wanted);
}

function withAddress(state: State, subnet: Subnet, nic: Nic, wanted: Ip | undefined): Nic {
  if (wanted !== undefined) {
    checkFree(state, subnet, nic, [wanted]);
    return { ...nic, primary4: wanted };
  }
  const [free] = subnet.cidr4 === undefined ? [] : freeBlocks(state, subnet, subnet.cidr4, 32, 1);
  if (free === undefined) throw new Problem('quota', `vxnet [${vxnetId(subnet)}] has no available IP left`);
  return { ...nic, primary4: firstOf(free) };
}

/** In another vxnet, or with another address: for detached NICs alone. */
function moved(transaction: Transaction, nic: Nic, wanted: z.output<typeof modify>): Nic {
  if (wanted.vxnet === undefined && wanted.private_ip === undefined) return nic;
  checkAvailable(nic);
  const { state } = transaction;
  const subnet = wanted.vxnet === undefined ? subnetBy(state, vxnetId({ id: nic.subnet })) : subnetBy(state, wanted.vxnet);
  if (subnet.id !== nic.subnet) checkRoom(state, subnet, 1);
  const { primary4: _given, primary6: _back, ...bare } = nic;
  const ip = wanted.private_ip === undefined ? undefined : addressOf(wanted.private_ip);
  if (ip === nic.primary4 && subnet.id === nic.subnet) return nic;
  return withAddress(state, subnet, { ...bare, subnet: subnet.id }, ip);
}
