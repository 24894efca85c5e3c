/** Public addresses: one to one for the primary IPv4 address of a NIC, translated by the internet gateway. */
import * as z from 'zod';
import { addressesOf, firstOf, lastOf } from '../../net/cidr.ts';
import type { Nic, PublicAddress, State } from '../model/objects.ts';
import type { Transaction } from '../model/model.ts';
import { notFound, Refusal } from '../model/refusal.ts';
import { publicPool } from '../outside.ts';
import { type Call, change, pageOf, read } from './call.ts';
import * as inputs from './inputs.ts';
import { nicOf } from './nics.ts';
import { newId, once } from './token.ts';

/** Takes the lowest free public address for the NIC. @throws Refusal InUse, PublicPoolEmpty, NoIpv4 as InvalidParameter. */
export function bindPublicAddress(transaction: Transaction, nic: Nic): string {
  const bound = [...transaction.state.public.values()];
  if (nic.primary4 === undefined)
    throw new Refusal('InvalidParameter', `${nic.id} has no IPv4 address`, 'public addresses are for IPv4; IPv6 needs none', 'nic');
  if (bound.some((one) => one.nic === nic.id))
    throw new Refusal('InUse', `${nic.id} has a public address already`, 'delete that one first');
  const taken = new Set([...bound.map(({ address }) => address), firstOf(publicPool), lastOf(publicPool)]);
  const address = addressesOf(publicPool).find((ip) => !taken.has(ip));
  if (address === undefined) throw new Refusal('PublicPoolEmpty', `all public addresses of ${publicPool} are in use`, 'delete one');
  const id = newId('pub');
  transaction.put('public', { id, address, nic: nic.id });
  return id;
}

/** The calls of this file. */
export const publicCalls: readonly Call[] = [
  read('ListPublicAddresses', '/v1/public-addresses', inputs.onlyPage, (state, { query }) =>
    pageOf(state.public.values(), query, (one) => shown(state, one)),
  ),
  change(
    'CreatePublicAddress',
    'POST',
    '/v1/public-addresses',
    z.strictObject({ nic: inputs.nicId, clientToken: inputs.clientToken.optional() }),
    (transaction, { body }) => {
      const { state } = transaction;
      const id = once(transaction, 'CreatePublicAddress', body, 'public', () => bindPublicAddress(transaction, nicOf(state, body.nic)));
      const made = state.public.get(id);
      if (made === undefined) throw notFound('public address', id);
      return { status: 201, body: shown(state, made) };
    },
  ),
  change('DeletePublicAddress', 'DELETE', '/v1/public-addresses/:id', undefined, (transaction, { id }) => {
    transaction.remove('public', id);
    return { status: 204 };
  }),
];

function shown(state: State, one: PublicAddress): object {
  return { ...one, private: state.nic.get(one.nic)?.primary4 };
}
