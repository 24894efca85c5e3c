/** Instances: machines in the VPC, and hosts on the far side of the internet gateway. */
import * as z from 'zod';
import type { InstanceId } from '../../cloud/cloud.ts';
import type { Ip } from '../../net/address.ts';
import { addressAt } from '../../net/cidr.ts';
import { checkSlots } from '../model/assign.ts';
import { limitsOf, subnetOf } from '../model/find.ts';
import type { Instance, Nic, State } from '../model/objects.ts';
import type { Transaction } from '../model/model.ts';
import { notFound, Refusal } from '../model/refusal.ts';
import { internet4, internet6 } from '../outside.ts';
import { type Call, change, pageOf, read } from './call.ts';
import * as inputs from './inputs.ts';
import { branchesOf, networkOf } from '../model/find.ts';
import { detached, makeNic, removeNic } from './nics.ts';
import { bindPublicAddress } from './publics.ts';
import { forgetTokens, newId, once } from './token.ts';

const LISTED_AFTER_END_ms = 3600_000;
const MOST_INSTANCES = 1000;
const MOST_OUTSIDE = 200;

const shared = { name: inputs.name.max(32), clientToken: inputs.clientToken.optional(), tags: inputs.tags.default({}) };
const launchVm = z.strictObject({
  ...shared,
  kind: z.literal('vm').default('vm'),
  type: inputs.name,
  subnet: inputs.subnetId,
  securityGroups: inputs.securityGroups.default([]),
  publicAddress: z.boolean().default(false),
});
const launchOutside = z.strictObject({ ...shared, kind: z.literal('internet') });
const launch = z.discriminatedUnion('kind', [launchVm, launchOutside]);

/** The running instance of an id. @throws Refusal NotFound, NotRunning. */
export function runningOf(state: State, id: string): Instance {
  const instance = instanceOf(state, id);
  if (instance.state !== 'running') throw new Refusal('NotRunning', `${id} is terminated`, 'launch another one');
  if (instance.kind === 'internet')
    throw new Refusal('NotRunning', `${id} is a host on the internet, not a machine in the VPC`, 'choose an instance of kind vm');
  return instance;
}

/** The calls of this file. */
export const instanceCalls: readonly Call[] = [
  read('ListInstances', '/v1/instances', inputs.idsAndNames, (state, { query }) => {
    const wanted = [...state.instance.values()].filter(
      ({ id, name }) => (query.id?.includes(id) ?? true) && (query.name?.includes(name) ?? true),
    );
    return pageOf(wanted, query, (instance) => shownInstance(state, instance));
  }),
  read('GetInstance', '/v1/instances/:id', inputs.nothing, (state, { id }) => ({
    status: 200,
    body: shownInstance(state, instanceOf(state, id)),
  })),
  change('LaunchInstance', 'POST', '/v1/instances', launch, (transaction, { body }) => {
    const id = once(transaction, 'LaunchInstance', body, 'instance', () => {
      tidy(transaction);
      const running = [...transaction.state.instance.values()].filter(({ state }) => state === 'running');
      if (body.name === 'fabric' || body.name === 'internet')
        throw new Refusal('AlreadyExists', `${body.name} is the name of a part of the VPC itself`, 'choose another name', 'name');
      if (running.some(({ name }) => name === body.name))
        throw new Refusal('AlreadyExists', `an instance called ${body.name} is running`, 'choose another name', 'name');
      if (running.length >= MOST_INSTANCES)
        throw new Refusal('LimitExceeded', `the VPC has ${MOST_INSTANCES} instances, as many as it may`, 'terminate some');
      return body.kind === 'vm' ? startVm(transaction, body) : startOutside(transaction, body);
    });
    return { status: 201, body: shownInstance(transaction.state, instanceOf(transaction.state, id)) };
  }),
  change('TerminateInstance', 'DELETE', '/v1/instances/:id', undefined, (transaction, { id }) => {
    const instance = instanceOf(transaction.state, id);
    if (instance.state === 'terminated') return { status: 204 };
    for (const nic of nicsOf(transaction.state, instance)) {
      for (const branch of branchesOf(transaction.state, nic.id)) transaction.put('nic', detached(branch));
      if (nic.attachment?.deviceIndex === 0) removeNic(transaction, nic);
      else transaction.put('nic', detached(nic));
    }
    transaction.put('instance', { ...instance, state: 'terminated', terminatedAt_ms: transaction.now_ms });
    return { status: 204 };
  }),
];

function startVm(transaction: Transaction, body: z.output<typeof launchVm>): InstanceId {
  const { state, now_ms } = transaction;
  if (!state.type.has(body.type)) throw notFound('instance type', body.type);
  const { zone, cidr6 } = subnetOf(state, body.subnet);
  const { name, type, tags } = body;
  const instance: Instance = {
    id: newId<InstanceId>('i'),
    name,
    kind: 'vm',
    zone,
    type,
    state: 'running',
    tags,
    launchedAt_ms: now_ms,
    outside: [],
  };
  const limits = limitsOf(state, instance);
  if (cidr6 !== undefined && limits.ipv6SlotsPerNic === 0)
    throw new Refusal('NoIpv6', `type ${type} has no IPv6, but the subnet has`, 'choose another type or subnet');
  transaction.put('instance', instance);
  const made = makeNic(transaction, {
    subnet: body.subnet,
    securityGroups: body.securityGroups,
    tags: {},
    description: `first NIC of ${name}`,
  });
  checkSlots(made, limits);
  transaction.put('nic', { ...made, attachment: { instance: instance.id, deviceIndex: 0, state: 'attached' } });
  if (body.publicAddress) bindPublicAddress(transaction, made);
  return instance.id;
}

function startOutside(transaction: Transaction, body: z.output<typeof launchOutside>): InstanceId {
  const taken = new Set([...transaction.state.instance.values()].flatMap(({ state, outside }) => (state === 'running' ? outside : [])));
  const slot = Array.from({ length: MOST_OUTSIDE }, (_, i) => i + 10).find((i) => !taken.has(addressAt(internet4, i)));
  if (slot === undefined)
    throw new Refusal('LimitExceeded', `there are ${MOST_OUTSIDE} internet hosts, as many as there may be`, 'terminate some');
  const { name, tags } = body;
  const outside = [addressAt(internet4, slot), addressAt(internet6, slot)];
  const instance: Instance = {
    id: newId<InstanceId>('i'),
    name,
    kind: 'internet',
    zone: 'internet',
    type: 'internet',
    state: 'running',
    tags,
    launchedAt_ms: transaction.now_ms,
    outside,
  };
  transaction.put('instance', instance);
  return instance.id;
}

/** Forgets what nobody will ask for again. */
function tidy(transaction: Transaction): void {
  for (const instance of transaction.state.instance.values()) {
    if (instance.terminatedAt_ms !== undefined && transaction.now_ms - instance.terminatedAt_ms > LISTED_AFTER_END_ms)
      transaction.remove('instance', instance.id);
  }
  forgetTokens(transaction);
}

function instanceOf(state: State, id: string): Instance {
  const instance = state.instance.get(id);
  if (instance === undefined) throw notFound('instance', id);
  return instance;
}

function nicsOf(state: State, instance: Instance): Nic[] {
  return [...state.nic.values()].filter(({ attachment }) => attachment?.instance === instance.id);
}

function shownInstance(state: State, instance: Instance): object {
  const { outside, terminatedAt_ms: _hidden, ...rest } = instance;
  const first = nicsOf(state, instance).find(({ attachment }) => attachment?.deviceIndex === 0);
  const addresses: Ip[] = instance.kind === 'internet' ? [...outside] : [first?.primary4, first?.primary6].filter((ip) => ip !== undefined);
  const bound = [...state.public.values()].find(({ nic }) => nic === first?.id);
  return {
    ...rest,
    limits: limitsOf(state, instance),
    netns: `/run/netns/${networkOf(state).name}-${instance.name}`,
    addresses,
    ...(bound && { publicAddress: bound.address }),
  };
}
