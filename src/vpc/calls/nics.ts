/** NICs: made detached, with addresses of their subnet; listed; deleted; their blocks grown and shrunk. */
import { randomBytes } from 'node:crypto';
import * as z from 'zod';
import type { NicId, SubnetId, Tags } from '../../cloud/cloud.ts';
import type { Mac } from '../../net/mac.ts';
import { gatewayMac, nicMac } from '../mac.ts';
import type { Cidr } from '../../net/cidr.ts';
import { withBlocks, withPrimaries } from '../model/assign.ts';
import { notYetHeld } from '../model/by-value.ts';
import { subnetOf } from '../model/find.ts';
import type { GroupId, Nic, State } from '../model/objects.ts';
import type { Transaction } from '../model/model.ts';
import { notFound, Refusal } from '../model/refusal.ts';
import { type Call, change, pageOf, PartlyDone, read } from './call.ts';
import { checkGroups, defaultGroup } from './groups.ts';
import * as inputs from './inputs.ts';
import { newId, once } from './token.ts';

const MOST_NICS = 5000;

const createNic = z.strictObject({
  clientToken: inputs.clientToken,
  subnet: inputs.subnetId,
  securityGroups: inputs.securityGroups.default([]),
  tags: inputs.tags.default({}),
  description: z.string().max(255).default(''),
  want: inputs.wanted.optional(),
  // No default: requests from before it was there keep their digest.
  multiMac: z.boolean().optional(),
  isTrunk: z.boolean().optional(),
});

/** What a NIC to be made is like. */
export interface NewNic {
  readonly subnet: SubnetId;
  readonly securityGroups: readonly GroupId[];
  readonly tags: Tags;
  readonly description: string;
  readonly multiMac?: boolean | undefined;
  readonly isTrunk?: boolean | undefined;
}

/** The NIC of an id. @throws Refusal NotFound. */
export function nicOf(state: State, id: string): Nic {
  const nic = state.nic.get(id);
  if (nic === undefined) throw notFound('nic', id);
  return nic;
}

/** Makes a detached NIC with its primary addresses and the blocks given by value, which the primaries leave free. @throws Refusal. */
export function makeNic(transaction: Transaction, request: NewNic, these: readonly Cidr[] = []): Nic {
  const { state, now_ms } = transaction;
  if (state.nic.size >= MOST_NICS)
    throw new Refusal('LimitExceeded', `the VPC has ${MOST_NICS} NICs, as many as it may`, 'delete NICs nobody uses');
  checkGroups(state, request.securityGroups);
  const bare: Nic = {
    id: newId<NicId>('nic'),
    mac: freshMac(state),
    subnet: request.subnet,
    blocks: [],
    securityGroups: request.securityGroups.length === 0 ? [defaultGroup(state).id] : request.securityGroups,
    tags: request.tags,
    description: request.description,
    ...(request.multiMac === true && { multiMac: true }),
    ...(request.isTrunk === true && { isTrunk: true }),
    createdAt_ms: now_ms,
  };
  const subnet = subnetOf(state, request.subnet);
  const nic = withPrimaries(state, subnet, { ...bare, blocks: notYetHeld(state, subnet, bare, these) });
  transaction.put('nic', nic);
  return nic;
}

/** A NIC as the API shows it. */
function shownNic(state: State, nic: Nic): object {
  const bound = [...state.public.values()].find((one) => one.nic === nic.id);
  const [network] = state.network.values();
  return {
    ...nic,
    zone: state.subnet.get(nic.subnet)?.zone ?? '',
    mtu: network?.mtu ?? 0,
    ...(bound && { publicAddress: bound.address }),
  };
}

/** The calls of this file. */
export const nicCalls: readonly Call[] = [
  read('ListNics', '/v1/nics', inputs.nicQuery, (state, { query }) => {
    const pairs = (query.tag ?? []).map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)] as const);
    const tags = Map.groupBy(pairs, ([key]) => key);
    const instances = query.instance === undefined ? undefined : new Set<string | undefined>(query.instance);
    const ids = query.id === undefined ? undefined : new Set<string>(query.id);
    const wanted = [...state.nic.values()].filter(
      (nic) =>
        (ids?.has(nic.id) ?? true) &&
        (instances?.has(nic.attachment?.instance) ?? true) &&
        (query.subnet === undefined || nic.subnet === query.subnet[0]) &&
        [...tags].every(([key, any]) => any.some(([, value]) => nic.tags[key] === value)),
    );
    return pageOf(wanted, query, (nic) => shownNic(state, nic));
  }),
  change('CreateNic', 'POST', '/v1/nics', createNic, (transaction, { body }) => {
    const id = once(transaction, 'CreateNic', body, 'nic', () => {
      const nic = makeNic(transaction, body, body.want?.these);
      if (body.want !== undefined) transaction.put('nic', withBlocks(transaction.state, nic, body.want).nic);
      return nic.id;
    });
    return { status: 201, body: shownNic(transaction.state, nicOf(transaction.state, id)) };
  }),
  change('DeleteNic', 'DELETE', '/v1/nics/:id', undefined, (transaction, { id }) => {
    const nic = transaction.state.nic.get(id);
    if (nic === undefined) return { status: 204 };
    if (nic.attachment !== undefined)
      throw new Refusal(
        'InUse',
        `${id} is ${nic.attachment.state === 'detaching' ? 'still detaching from' : 'attached to'} ${nic.attachment.instance}`,
        'detach it, and wait until it is detached',
      );
    if (nic.branch !== undefined) throw new Refusal('InUse', `${id} is a branch of ${nic.branch.trunk}`, 'detach it first');
    removeNic(transaction, nic);
    return { status: 204 };
  }),
  change(
    'AssignAddresses',
    'POST',
    '/v1/nics/:id/assign',
    z.strictObject({ want: inputs.wanted }),
    (transaction, { id, body }, { partial }) => {
      const nic = nicOf(transaction.state, id);
      const grown = withBlocks(transaction.state, nic, body.want);
      if (partial !== undefined) {
        const kept = grown.added.slice(0, partial(grown.added.length));
        transaction.put('nic', { ...nic, blocks: [...nic.blocks, ...kept] });
        throw new PartlyDone(`${kept.length} of ${grown.added.length} blocks were assigned to ${id}`);
      }
      transaction.put('nic', grown.nic);
      // Those given by value are told also when they were there before.
      return { status: 200, body: { blocks: [...new Set([...(body.want.these ?? []), ...grown.added])] } };
    },
  ),
  change(
    'UnassignAddresses',
    'POST',
    '/v1/nics/:id/unassign',
    z.strictObject({ blocks: z.array(inputs.cidr).min(1).max(1000) }),
    (transaction, { id, body }, { partial }) => {
      const nic = nicOf(transaction.state, id);
      const primary = body.blocks.find((block) => [`${nic.primary4}/32`, `${nic.primary6}/128`].includes(block));
      if (primary !== undefined)
        throw new Refusal('InUse', `${primary} is the primary address of ${id}`, 'a primary address goes with its NIC', 'blocks');
      const gone = new Set(body.blocks.slice(0, partial?.(body.blocks.length)));
      transaction.put('nic', { ...nic, blocks: nic.blocks.filter((block) => !gone.has(block)) });
      if (partial !== undefined) throw new PartlyDone(`${gone.size} of ${body.blocks.length} blocks were taken from ${id}`);
      return { status: 204 };
    },
  ),
  change(
    'SetNicSecurityGroups',
    'PUT',
    '/v1/nics/:id/security-groups',
    z.strictObject({ securityGroups: inputs.securityGroups }),
    (transaction, { id, body }) => {
      const nic = nicOf(transaction.state, id);
      checkGroups(transaction.state, body.securityGroups);
      const securityGroups = body.securityGroups.length === 0 ? [defaultGroup(transaction.state).id] : body.securityGroups;
      transaction.put('nic', { ...nic, securityGroups });
      return { status: 204 };
    },
  ),
  change('SetNicMultiMac', 'PUT', '/v1/nics/:id/multi-mac', z.strictObject({ multiMac: z.boolean() }), (transaction, { id, body }) => {
    const { multiMac: _before, ...nic } = nicOf(transaction.state, id);
    transaction.put('nic', { ...nic, ...(body.multiMac && { multiMac: true }) });
    return { status: 204 };
  }),
];

/** Removes a detached NIC and the public address bound to it. */
export function removeNic(transaction: Transaction, nic: Nic): void {
  for (const bound of transaction.state.public.values()) if (bound.nic === nic.id) transaction.remove('public', bound.id);
  transaction.remove('nic', nic.id);
}

/** The NIC, attached to nothing. */
export function detached(nic: Nic): Nic {
  const { attachment: _gone, branch: _left, ...rest } = nic;
  return rest;
}

function freshMac(state: State): Mac {
  const taken = new Set<Mac>([gatewayMac, ...[...state.nic.values()].map(({ mac }) => mac)]);
  for (;;) {
    const mac = nicMac(randomBytes(4));
    if (!taken.has(mac)) return mac;
  }
}
