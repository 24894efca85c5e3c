/** VIPs: addresses of a vxnet that no NIC is born with and every NIC of it may speak for. What is one is given to no NIC. */
import * as z from 'zod';
import type { SubnetId } from '../../cloud/cloud.ts';
import { type Ip, ipFromBigInt, ipToBigInt, parseIp } from '../../net/address.ts';
import { type Cidr, firstOf } from '../../net/cidr.ts';
import { freeBlocks } from '../model/addresses.ts';
import type { Transaction } from '../model/model.ts';
import type { State, Subnet } from '../model/objects.ts';
import { accountIn, type Action, type Asking, change, checkOwner, isNamed, mustBeKnown, ownerOf, read, timeOf } from './action.ts';
import { freshId, subnetBy, vxnetId } from './ids.ts';
import { checkIdle } from './jobs.ts';
import { addressOf, checkFree } from './nics.ts';
import { created_ms, type Facts, type Keyed, noteOf, notesOf, putNote, removeNote } from './notes.ts';
import { int, list, page, paged, some, text } from './parameters.ts';
import { Problem, unknown } from './problem.ts';
import { vxnetsIn } from './vxnets.ts';
import { free, hold, newHolder, type Speakers } from './vip-holders.ts';

const MOST_IN_VXNET = 253;

const allocate = z.strictObject({ vxnet_id: some, vip_range: some.optional(), vip_name: text.optional(), count: int.optional() });
const describe = z.strictObject({
  ...page,
  vxnets: list.optional(),
  vips: list.optional(),
  vip_name: text.optional(),
  vip_addrs: list.optional(),
});

/** The actions of this file. */
export const vipActions: readonly Action[] = [
  change(['AllocateVips', 'AssignAddresses'], allocate, (transaction, { vxnet_id, vip_range, vip_name = '', count = 1 }, changing) => {
    const { state } = transaction;
    const subnet = subnetBy(state, vxnet_id);
    const there = notesOf(state, 'vip').filter(({ facts }) => facts['subnet'] === subnet.id).length;
    const ips = vip_range === undefined ? lowest(state, subnet, count) : inRange(vip_range);
    // The public SDK sends 1 where its user says nothing. What becomes of the rest of a range nobody here knows, so both have to agree.
    if (ips.length !== count)
      throw new Problem('malformed', `[${vip_range}] has ${ips.length} addresses, and parameter [count] is ${count}`);
    if (there + ips.length > MOST_IN_VXNET) throw new Problem('quota', `vxnet [${vxnet_id}] has ${there} of at most ${MOST_IN_VXNET} VIPs`);
    checkFree(state, subnet, newHolder(transaction, subnet.id, 'by no NIC'), ips);
    hold(transaction, { subnet: subnet.id, ...accountIn(changing) }, ips, 'by no NIC');
    const ids = ips.map((address) => {
      const id = freshId('vip');
      const facts = {
        address,
        name: vip_name,
        subnet: subnet.id,
        owner: changing.account.owner,
        account: accountIn(changing).account ?? '',
        created_ms: String(transaction.now_ms),
      };
      putNote(transaction, 'vip', id, facts);
      return id;
    });
    return { job_id: changing.start(transaction, ids, { kind: 'allocate', of: ids }).id, vips: ids };
  }),
  read(['DescribeVips', 'ListNics'], describe, (state, wanted, asking) => {
    // The public SDK has this as required. By the ids of VIPs nobody needs it.
    if (wanted.vxnets === undefined && wanted.vips === undefined) throw new Problem('malformed', 'parameter [vxnets] is missing');
    mustBeKnown(asking, wanted.vxnets, vxnetsIn(state));
    mustBeKnown(
      asking,
      wanted.vips,
      notesOf(state, 'vip').map(({ key }) => key),
    );
    const [ids, vxnets, addresses] = [wanted.vips, wanted.vxnets, wanted.vip_addrs].map((one) => one && new Set(one));
    const found = notesOf(state, 'vip').filter(
      ({ key, facts }) =>
        (ids?.has(key) ?? true) &&
        (vxnets?.has(vxnetOf(facts)) ?? true) &&
        (addresses?.has(facts['address'] ?? '') ?? true) &&
        isNamed(facts['name'] ?? '', wanted.vip_name, asking) &&
        (wanted.owner === undefined || wanted.owner === ownerOf(facts, asking)),
    );
    return paged('vip_set', found, wanted, (vip) => shown(vip, asking));
  }),
  change(['ReleaseVips', 'UnassignAddresses'], z.strictObject({ vips: list }), (transaction, { vips: ids }, changing) => {
    const { state } = transaction;
    for (const id of ids) if (noteOf(state, 'vip', id) === undefined) throw unknown(id);
    for (const id of ids) checkOwner(state, 'vip', id, id, changing);
    checkIdle(state, ids);
    return { job_id: changing.start(transaction, ids, { kind: 'release', of: ids }).id };
  }),
];

/** NICs may speak for those that are done; the others of the job are free again. Returns how many of the done ones are gone. */
export function allocateNow(transaction: Transaction, done: readonly string[], all: readonly string[], speakers: Speakers): number {
  releaseNow(
    transaction,
    all.filter((id) => !done.includes(id)),
  );
  const [vip] = done;
  const subnet = vip === undefined ? undefined : noteOf(transaction.state, 'vip', vip);
  if (subnet === undefined) return done.length;
  const ips = addressesOf(transaction.state, done);
  free(transaction, subnetIn(subnet), ips);
  hold(transaction, { subnet: subnetIn(subnet), ...(subnet['account'] ? { account: subnet['account'] } : {}) }, ips, speakers);
  return done.length - ips.length;
}

/** Takes them away. Those that are gone count as done. */
export function releaseNow(transaction: Transaction, ids: readonly string[]): number {
  for (const id of ids) {
    const facts = noteOf(transaction.state, 'vip', id);
    if (facts === undefined) continue;
    free(transaction, subnetIn(facts), addressesOf(transaction.state, [id]));
    removeNote(transaction, 'vip', id);
  }
  return 0;
}

function addressesOf(state: State, ids: readonly string[]): Ip[] {
  return ids.flatMap((id) => {
    const address = noteOf(state, 'vip', id)?.['address'];
    return address === undefined ? [] : [parseIp(address)];
  });
}

function subnetIn(facts: Facts): SubnetId {
  return (facts['subnet'] ?? '') as SubnetId; // what AllocateVips wrote
}

function shown({ key, facts }: Keyed, asking: Asking): object {
  return {
    vip_id: key,
    vip_addr: facts['address'] ?? '',
    vip_name: facts['name'] ?? '',
    vxnet_id: vxnetOf(facts),
    nic_id: '',
    instance_id: '',
    instance_name: '',
    description: '',
    owner: ownerOf(facts, asking),
    create_time: timeOf(created_ms({ key, facts })),
  };
}

function vxnetOf(facts: Facts): string {
  return vxnetId({ id: subnetIn(facts) });
}

function lowest(state: State, subnet: Subnet, count: number): Ip[] {
  if (count < 1 || count > MOST_IN_VXNET) throw new Problem('malformed', `parameter [count] is not between 1 and ${MOST_IN_VXNET}`);
  const available: readonly Cidr[] = subnet.cidr4 === undefined ? [] : freeBlocks(state, subnet, subnet.cidr4, 32, count);
  if (available.length < count) throw new Problem('quota', `vxnet [${vxnetId(subnet)}] has ${available.length} available IPs of ${count}`);
  return available.map(firstOf);
}

function inRange(typed: string): Ip[] {
  const [from, to, more] = typed.split('-').map((part) => addressOf(part.trim()));
  if (from === undefined || more !== undefined) throw new Problem('malformed', `[${typed}] is no range of addresses`);
  const [first, last] = [ipToBigInt(from), ipToBigInt(to ?? from)];
  if (last < first) throw new Problem('malformed', `[${typed}] ends before it begins`);
  if (last - first >= MOST_IN_VXNET) throw new Problem('quota', `[${typed}] has more than ${MOST_IN_VXNET} addresses`);
  return Array.from({ length: Number(last - first) + 1 }, (_, i) => ipFromBigInt(first + BigInt(i), 4));
}
