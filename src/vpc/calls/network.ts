/** The VPC itself, its subnets and the instance types. */
import * as z from 'zod';
import type { SubnetId } from '../../cloud/cloud.ts';
import { type Cidr, containsCidr, overlaps } from '../../net/cidr.ts';
import { free4, gateway4 } from '../model/addresses.ts';
import { networkOf, subnetOf } from '../model/find.ts';
import { gateway6, type Network, type State, type Subnet } from '../model/objects.ts';
import { Refusal } from '../model/refusal.ts';
import { type Call, change, pageOf, read } from './call.ts';
import * as inputs from './inputs.ts';
import { newId, once } from './token.ts';

const createSubnet = z
  .strictObject({
    name: inputs.name,
    zone: inputs.name,
    cidr4: inputs.cidrBetween(4, 16, 28).optional(),
    cidr6: inputs.cidrBetween(6, 64, 64).optional(),
    clientToken: inputs.clientToken.optional(),
    tags: inputs.tags.default({}),
  })
  .refine((subnet) => subnet.cidr4 !== undefined || subnet.cidr6 !== undefined, { message: 'a subnet needs cidr4 or cidr6' });

const addCidrs = z.strictObject({
  addCidrs: z
    .array(z.union([inputs.cidrBetween(4, 8, 28), inputs.cidrBetween(6, 32, 64)]))
    .min(1)
    .max(5),
});

/** `network` with more blocks. @throws Refusal CidrConflict, LimitExceeded. */
export function withCidrs(network: Network, more: readonly Cidr[]): Network {
  const cidrs = [...network.cidrs];
  for (const block of more) {
    if (cidrs.includes(block)) continue;
    const other = cidrs.find((have) => overlaps(have, block));
    if (other !== undefined)
      throw new Refusal('CidrConflict', `${block} overlaps ${other} of the VPC`, 'choose a block outside of it', 'addCidrs');
    cidrs.push(block);
  }
  if (cidrs.length > 10) throw new Refusal('LimitExceeded', 'a VPC has at most 10 CIDR blocks', 'use larger blocks', 'addCidrs');
  return { ...network, cidrs };
}

/** The calls of this file. */
export const networkCalls: readonly Call[] = [
  read('GetNetwork', '/v1/network', inputs.nothing, (state) => ({ status: 200, body: shownNetwork(networkOf(state)) })),
  change('UpdateNetwork', 'PATCH', '/v1/network', addCidrs, (transaction, { body }) => {
    const network = withCidrs(networkOf(transaction.state), body.addCidrs);
    transaction.put('network', network);
    return { status: 200, body: shownNetwork(network) };
  }),
  read('ListSubnets', '/v1/subnets', inputs.idsAndNames, (state, { query }) => {
    const wanted = [...state.subnet.values()].filter(
      (subnet) => (query.id?.includes(subnet.id) ?? true) && (query.name?.includes(subnet.name) ?? true),
    );
    return pageOf(wanted, query, (subnet) => shownSubnet(state, subnet));
  }),
  change('CreateSubnet', 'POST', '/v1/subnets', createSubnet, (transaction, { body }) => {
    const id = once(transaction, 'CreateSubnet', body, 'subnet', () => {
      for (const block of [body.cidr4, body.cidr6]) if (block !== undefined) checkRoom(transaction.state, block);
      if ([...transaction.state.subnet.values()].some(({ name }) => name === body.name)) {
        throw new Refusal('AlreadyExists', `a subnet is called ${body.name} already`, 'choose another name', 'name');
      }
      const { name, zone, cidr4, cidr6, tags } = body;
      const subnet: Subnet = { id: newId<SubnetId>('subnet'), name, zone, ...(cidr4 && { cidr4 }), ...(cidr6 && { cidr6 }), tags };
      transaction.put('subnet', subnet);
      return subnet.id;
    });
    return { status: 201, body: shownSubnet(transaction.state, subnetOf(transaction.state, id)) };
  }),
  change('DeleteSubnet', 'DELETE', '/v1/subnets/:id', undefined, (transaction, { id }) => {
    subnetOf(transaction.state, id);
    const nic = [...transaction.state.nic.values()].find(({ subnet }) => subnet === id);
    if (nic !== undefined) throw new Refusal('InUse', `${nic.id} is in subnet ${id}`, 'delete its NICs first');
    transaction.remove('subnet', id);
    return { status: 204 };
  }),
  read('ListInstanceTypes', '/v1/instance-types', inputs.nothing, (state) => ({
    status: 200,
    body: { items: [...state.type.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).map(({ id, limits }) => ({ name: id, limits })) },
  })),
  change('PutInstanceType', 'PUT', '/v1/instance-types/:name', inputs.limits, (transaction, { id, body }) => {
    if (!inputs.name.safeParse(id).success || id === 'internet')
      throw new Refusal('InvalidParameter', `${id} is no name for a type`, 'use lower-case letters, digits, "." and "-"', 'name');
    transaction.put('type', { id, limits: body });
    return { status: 200, body: { name: id, limits: body } };
  }),
];

function checkRoom(state: State, block: Cidr): void {
  if (!networkOf(state).cidrs.some((cidr) => containsCidr(cidr, block))) {
    throw new Refusal(
      'CidrConflict',
      `${block} is not within the VPC's ${networkOf(state).cidrs.join(', ')}`,
      'choose a block within, or add a CIDR to the VPC',
    );
  }
  const other = [...state.subnet.values()].find((subnet) =>
    [subnet.cidr4, subnet.cidr6].some((cidr) => cidr !== undefined && overlaps(cidr, block)),
  );
  if (other !== undefined)
    throw new Refusal('CidrConflict', `${block} overlaps subnet ${other.id} (${other.name})`, 'choose a block outside of it');
}

function shownNetwork({ id, name, cidrs, mtu, tags }: Network): object {
  return { id, name, cidrs, mtu, tags };
}

function shownSubnet(state: State, subnet: Subnet): object {
  return {
    ...subnet,
    ...(subnet.cidr4 && { gateway4: gateway4(subnet.cidr4) }),
    ...(subnet.cidr6 && { gateway6 }),
    free4: free4(state, subnet),
  };
}
