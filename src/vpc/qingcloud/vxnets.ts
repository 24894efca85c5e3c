/** Vxnets: the subnets of the VPC, which its one router joins. */
import * as z from 'zod';
import type { SubnetId } from '../../cloud/cloud.ts';
import { addressAt, lastOf, lengthOf, firstOf, tryParseCidr } from '../../net/cidr.ts';
import { addToIp } from '../../net/address.ts';
import { networkCalls } from '../calls/network.ts';
import { newId } from '../calls/token.ts';
import { free4, gateway4 } from '../model/addresses.ts';
import { networkOf } from '../model/find.ts';
import type { Transaction } from '../model/model.ts';
import type { State, Subnet } from '../model/objects.ts';
import { type Action, type Asking, change, isNamed, mustBeKnown, ownerOf, read, timeOf } from './action.ts';
import { instanceId, interfaces, routerId, subnetBy, vxnetId } from './ids.ts';
import { created_ms, noteOf, notesOf, putNote, removeNote } from './notes.ts';
import { int, list, page, paged, some, text } from './parameters.ts';
import { Problem, unknown } from './problem.ts';
import { tagsOf } from './tags.ts';

/** `vxnet_type` of those that a router may join. */
const MANAGED = 1;
/** The model gives none of the first four. */
const FIRST_GIVEN = 4;
const MOST_AT_ONCE = 10;

const describe = z.strictObject({
  ...page,
  vxnets: list.optional(),
  vxnet_type: int.optional(),
  vxnet_name: text.optional(),
  tags: list.optional(),
});
const join = z.strictObject({
  vxnet: some,
  router: some,
  ip_network: some,
  manager_ip: text.optional(),
  dyn_ip_start: text.optional(),
  dyn_ip_end: text.optional(),
  features: int.optional(),
});

/** The actions of this file. */
export const vxnetActions: readonly Action[] = [
  read(['DescribeVxnets', 'ListSubnets'], describe, (state, wanted, asking) => {
    mustBeKnown(asking, wanted.vxnets, vxnetsIn(state));
    const found = [...state.subnet.values(), ...unjoined(state)].filter(
      (subnet) =>
        (wanted.vxnets?.includes(vxnetId(subnet)) ?? true) &&
        (wanted.vxnet_type === undefined || wanted.vxnet_type === MANAGED) &&
        isNamed(nameOf(state, subnet), wanted.vxnet_name, asking) &&
        (wanted.search_word === undefined || nameOf(state, subnet).includes(wanted.search_word)) &&
        (wanted.tags === undefined || hasTag(state, vxnetId(subnet), wanted.tags)) &&
        (wanted.owner === undefined || wanted.owner === ownerOf(noteOf(state, 'vxnet', subnet.id), asking)),
    );
    return paged('vxnet_set', found, wanted, (subnet) => shown(state, subnet, asking));
  }),
  change(
    ['CreateVxnets', 'CreateSubnet'],
    z.strictObject({ vxnet_name: text.optional(), vxnet_type: int, count: int.optional() }),
    (transaction, wanted, asking) => {
      const { vxnet_name = '', vxnet_type, count = 1 } = wanted;
      if (vxnet_type !== MANAGED) throw new Problem('denied', `vxnet_type ${vxnet_type} is not served here`);
      if (count < 1 || count > MOST_AT_ONCE) throw new Problem('malformed', `parameter [count] is not between 1 and ${MOST_AT_ONCE}`);
      const facts = { name: vxnet_name, owner: asking.account.owner, created_ms: String(transaction.now_ms) };
      const ids = Array.from({ length: count }, () => newId<SubnetId>('subnet'));
      for (const id of ids) putNote(transaction, 'vxnet', id, facts);
      return { vxnets: ids.map((id) => vxnetId({ id })) };
    },
  ),
  change(['DeleteVxnets', 'DeleteSubnet'], z.strictObject({ vxnets: list }), (transaction, { vxnets }) => {
    for (const id of vxnets) {
      const { id: subnet } = unjoined(transaction.state).find((one) => vxnetId(one) === id) ?? subnetBy(transaction.state, id);
      if (transaction.state.subnet.has(subnet)) throw new Problem('denied', `vxnet [${id}] has joined a router`);
      removeNote(transaction, 'vxnet', subnet);
    }
    return { vxnets };
  }),
  change(['JoinRouter'], join, (transaction, { vxnet, router, ip_network, features }, changing) => {
    if (router !== routerId(transaction.state)) throw unknown(router);
    const waiting = unjoined(transaction.state).find((one) => vxnetId(one) === vxnet);
    if (waiting === undefined) throw new Problem('denied', `vxnet [${vxnetId(subnetBy(transaction.state, vxnet))}] has joined a router`);
    makeSubnet(transaction, waiting.id, ip_network, changing.zone);
    const facts = { ...noteOf(transaction.state, 'vxnet', waiting.id), isDhcpOff: features === 0 ? '1' : '' };
    putNote(transaction, 'vxnet', waiting.id, facts);
    return { job_id: changing.start(transaction, [vxnet], { kind: 'record', of: [vxnet] }).id, router_id: router, vxnet_id: vxnet };
  }),
  change(['LeaveRouter'], z.strictObject({ router: some, vxnets: list }), (transaction, { router, vxnets }, changing) => {
    if (router !== routerId(transaction.state)) throw unknown(router);
    for (const vxnet of vxnets) {
      const subnet = subnetBy(transaction.state, vxnet);
      if ([...transaction.state.nic.values()].some((nic) => nic.subnet === subnet.id))
        throw new Problem('denied', `vxnet [${vxnet}] has NICs or VIPs`);
      transaction.remove('subnet', subnet.id);
      if (noteOf(transaction.state, 'vxnet', subnet.id) === undefined) {
        const facts = { name: subnet.name, owner: changing.account.owner, created_ms: String(transaction.now_ms) };
        putNote(transaction, 'vxnet', subnet.id, facts);
      }
    }
    return { job_id: changing.start(transaction, vxnets, { kind: 'record', of: vxnets }).id, router_id: router, vxnets };
  }),
];

/** The ids of all vxnets, in a router or not. */
export function vxnetsIn(state: State): string[] {
  return [...state.subnet.values(), ...unjoined(state)].map(vxnetId);
}

/** The router's part in a vxnet. */
export function routerPart(state: State, subnet: Subnet): object {
  const { cidr4 } = subnet;
  if (cidr4 === undefined) return {};
  const isDhcpOff = !hasDhcp(state, subnet);
  return {
    router_id: routerId(state),
    router_name: networkOf(state).name,
    ip_network: cidr4,
    manager_ip: gateway4(cidr4),
    dyn_ip_start: isDhcpOff ? '' : addressAt(cidr4, FIRST_GIVEN),
    dyn_ip_end: isDhcpOff ? '' : addToIp(lastOf(cidr4), -1),
    vpc_network: vpcNetwork(state),
    mode: 1,
  };
}

/** Whether its router gives addresses there: unless it was joined without that. */
export function hasDhcp(state: State, { id }: Subnet): boolean {
  return noteOf(state, 'vxnet', id)?.['isDhcpOff'] !== '1';
}

/** The VPC's first IPv4 block. */
export function vpcNetwork(state: State): string {
  return networkOf(state).cidrs.find((cidr) => !cidr.includes(':')) ?? '';
}

function shown(state: State, subnet: Subnet, asking: Asking): object {
  const facts = noteOf(state, 'vxnet', subnet.id);
  const joined = state.subnet.has(subnet.id);
  const instances = interfaces(state).flatMap((nic) =>
    nic.subnet === subnet.id && nic.attachment ? [instanceId(nic.attachment.instance)] : [],
  );
  return {
    vxnet_id: vxnetId(subnet),
    vxnet_name: nameOf(state, subnet),
    vxnet_type: MANAGED,
    tunnel_type: 'vxlan',
    vpc_router_id: joined ? routerId(state) : '',
    ...(joined && { router: routerPart(state, subnet), available_ip_count: free4(state, subnet) }),
    instance_ids: [...new Set(instances)],
    tags: tagsOf(state, vxnetId(subnet)),
    description: '',
    owner: ownerOf(facts, asking),
    zone_id: asking.zone,
    create_time: timeOf(created_ms({ key: '', facts: facts ?? {} })),
  };
}

function unjoined(state: State): Subnet[] {
  return notesOf(state, 'vxnet').flatMap(({ key, facts }) =>
    // The key is the id that CreateVxnets made.
    state.subnet.has(key) ? [] : [{ id: key as SubnetId, name: facts['name'] ?? '', zone: '', tags: {} }],
  );
}

function nameOf(state: State, subnet: Subnet): string {
  return noteOf(state, 'vxnet', subnet.id)?.['name'] ?? subnet.name;
}

function hasTag(state: State, id: string, tags: readonly string[]): boolean {
  return tagsOf(state, id).some((tag) => 'tag_id' in tag && typeof tag.tag_id === 'string' && tags.includes(tag.tag_id));
}

/** By the rules of the VPC's own call, under the id that the vxnet has. */
function makeSubnet(transaction: Transaction, id: SubnetId, typed: string, zone: string): void {
  const cidr4 = tryParseCidr(typed);
  if (cidr4 === undefined || firstOf(cidr4).includes(':') || lengthOf(cidr4) < 16 || lengthOf(cidr4) > 28)
    throw new Problem('malformed', `[${typed}] is no IPv4 network from /16 to /28`);
  const call = networkCalls.find(({ name }) => name === 'CreateSubnet');
  if (call?.does !== 'change') throw new Error('the VPC has no call CreateSubnet');
  const before = new Set(transaction.state.subnet.keys());
  call.run(transaction, { id: '', body: { name: vxnetId({ id }), zone, cidr4, tags: {} }, query: undefined }, {});
  const made = [...transaction.state.subnet.values()].find((subnet) => !before.has(subnet.id));
  if (made === undefined) throw new Error('CreateSubnet made none');
  transaction.remove('subnet', made.id);
  transaction.put('subnet', { ...made, id });
}
