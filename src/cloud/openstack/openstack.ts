/**
 * Driver for OpenStack: Neutron's ports as NICs, Nova's servers as instances. What is where in Neutron, and what refusals mean: docs/clouds/openstack.md.
 *
 * Invariants
 * - a changing request is sent once; only one that a 401 or a stale revision kept from being carried out is sent again
 * - an answer is believed only when it has the shape of the API's reference and answers what was asked
 * - no secret is in any error, log or dump
 */
import { failure } from '../../errors/failure.ts';
import type { Cloud, CloudInstance, InstanceId, InstanceLimits, Shortage, SubnetId } from '../cloud.ts';
import type { LoadBalancers } from '../load-balancers.ts';
import { idsNamed } from '../named.ts';
import type { Asked } from '../wire/asked.ts';
import { type Addressing, type Context, fadingNotes } from './context.ts';
import { createNic } from './create-nic.ts';
import type { CredentialSource } from './credentials.ts';
import { deleteNic } from './delete-nic.ts';
import { nics } from './find.ts';
import { assign, unassign } from './hold.ts';
import { type Neutron, neutronOf } from './neutron.ts';
import { type Nova, novaOf } from './nova.ts';
import type { BalancerOptions } from './octavia/calls.ts';
import { octaviaBalancers } from './octavia/octavia.ts';
import { missingPermissions } from './permissions.ts';
import { cloudSubnets, projectNetwork } from './places.ts';
import { attachBranch, attachNic, detachNic } from './plug.ts';
import { shortages } from './quota.ts';
import { refusalOf } from './refusals.ts';
import { seenOf } from './seen.ts';
import { type Session, sessionOf, type Task } from './session.ts';
import { networkOf, type Subnet } from './subnet.ts';
import { turns } from './turns.ts';

/** Which OpenStack, as whom, and what it does not tell itself. */
export interface OpenStackOptions {
  readonly credentials: CredentialSource;
  /** How Pods get addresses of that Neutron subnet now; `blocks` where it is not said. */
  readonly addressing?: (subnet: string) => Addressing | undefined;
  /** NICs of an instance, unless its flavor says `flatpod:nics`; 8 when absent. */
  readonly nicsPerInstance?: number;
  /** Neutron's `max_allowed_address_pair`; 10 when absent, as there. */
  readonly pairsPerNic?: number;
  /** Addresses and blocks of a NIC with its own, unless the flavor says `flatpod:slots`; absent: one more than `pairsPerNic`, which always fits. */
  readonly slotsPerNic?: number;
  /** Branches of an instance, unless its flavor says `flatpod:branches`; none when absent. */
  readonly branchesPerInstance?: number;
  /** How long one call may take in all, however many requests it needs; 30 s when absent: an attach alone may take ten. */
  readonly deadline_ms?: number;
}

const name = 'openstack';
const REMEMBER_ms = 300_000;
const AT_ONCE = 8;

/** What this driver does besides what every cloud does. */
export interface OpenStackCloud extends Cloud, Disposable {
  /** What the account may not do with these subnets and with servers, a sentence each. Changes nothing. */
  missingPermissions(subnets: readonly SubnetId[]): Promise<string[]>;
  /** Ports that are nearly used up. */
  shortages(): Promise<Shortage[]>;
  /** Octavia's, with the same account. */
  loadBalancers(how: BalancerOptions): LoadBalancers;
}

/** An OpenStack as a cloud. Dispose of it to close its idle connections. */
export function openStackCloud(options: OpenStackOptions): OpenStackCloud {
  const session = sessionOf(options.credentials);
  const context = contextOf(options, session);
  const { begin, nova } = context;
  const unknown = (id: string): Error => failure('cloudNotFound', { cloud: name, object: `server ${id}`, text: 'Nova does not know it' });
  return {
    name,
    async network() {
      const task = begin('network', 'the networks of the project');
      return await projectNetwork(context, (await session.self(task)).project, task);
    },
    async instance(id) {
      const found = await nova.server(id, begin('instance', `server ${id}`));
      if (found === undefined) throw unknown(id);
      return found;
    },
    async instances(ids) {
      const task = begin('instances', 'servers');
      const found: CloudInstance[] = [];
      for (let from = 0; from < ids.length; from += AT_ONCE)
        found.push(...(await Promise.all(ids.slice(from, from + AT_ONCE).map((id) => nova.server(id, task)))).flatMap((one) => one ?? []));
      return found;
    },
    async subnets(named) {
      const ids = idsNamed(named, 'openstack');
      return await cloudSubnets(ids, context, begin('subnets', ids.join(', ')));
    },
    nics: (filter) => nics(filter, context),
    createNic: (request) => createNic(request, context),
    attachNic: (nic, instance, place) => attachNic(nic, instance, place, context),
    attachBranch: (nic, trunk, vlan) => attachBranch(nic, trunk, vlan, context),
    detachNic: (nic) => detachNic(nic, context),
    deleteNic: (nic) => deleteNic(nic, context),
    assign: (nic, want, whose) => assign(nic, { want, ...(whose && { whose }) }, context),
    unassign: (nic, blocks) => unassign(nic, blocks, context),
    missingPermissions: (ids) => missingPermissions(ids, session, context, begin('missingPermissions', 'the account')),
    shortages: () => shortages(session, context, begin('shortages', 'the quota of the project')),
    loadBalancers: (how) => octaviaBalancers(session, context, how),
    [Symbol.dispose]: () => session.close(),
  };
}

function contextOf(options: OpenStackOptions, session: Session): Context {
  const {
    addressing = () => undefined,
    nicsPerInstance = 8,
    pairsPerNic = 10,
    slotsPerNic = pairsPerNic + 1,
    branchesPerInstance,
    deadline_ms = 30_000,
  } = options;
  const neutron = neutronOf(session);
  const nova = novaOf(session, {
    nics: nicsPerInstance,
    slots: slotsPerNic,
    ...(branchesPerInstance !== undefined && { branches: branchesPerInstance }),
  });
  return {
    neutron,
    nova,
    turn: turns(),
    notes: fadingNotes(Date.now),
    seen: seenOf(neutron, () => performance.now()),
    pairsPerNic,
    addressing: (subnets: readonly Subnet[]) => subnets.map(({ id }) => addressing(id)).find((one) => one !== undefined) ?? 'blocks',
    limits: remembered(async (instance: InstanceId, task) => limitsOf(nova, instance, task)),
    mtus: mtusOf(neutron),
    hasExtension: remembered(async (alias: string, task) => {
      const answer = await neutron.ask({ method: 'GET', path: `/extensions/${alias}` }, task);
      if (answer.status === 200 || answer.status === 404) return answer.status === 200;
      throw refusalOf(answer);
    }),
    begin: (call: string, object: string, wanted?: Asked['wanted']): Task => {
      const until_ms = performance.now() + deadline_ms;
      return { asked: { cloud: name, call, object, ...(wanted !== undefined && { wanted }) }, left_ms: () => until_ms - performance.now() };
    },
  };
}

async function limitsOf(nova: Nova, instance: InstanceId, task: Task): Promise<InstanceLimits> {
  const found = await nova.server(instance, task);
  if (found === undefined) throw failure('cloudNotFound', { cloud: name, object: `server ${instance}`, text: 'Nova does not know it' });
  return found.limits;
}

/** Networks' MTUs, asked for once in a while: they change with the network's owner alone. */
function mtusOf(neutron: Neutron): Context['mtus'] {
  const known = new Map<string, { readonly mtu: number; readonly until_ms: number }>();
  return async (networks, task) => {
    const now_ms = performance.now();
    const missing = networks.filter((one) => (known.get(one)?.until_ms ?? 0) < now_ms);
    const found = missing.length === 0 ? [] : await neutron.list('networks', [], networkOf, task, { key: 'id', values: missing });
    for (const { id, mtu } of found) known.set(id, { mtu, until_ms: now_ms + REMEMBER_ms });
    return new Map(networks.flatMap((one): [string, number][] => (known.has(one) ? [[one, known.get(one)?.mtu ?? 0]] : [])));
  };
}

/** What was found is believed for minutes; a failure is not kept. */
function remembered<K extends string, T>(ask: (key: K, task: Task) => Promise<T>): (key: K, task: Task) => Promise<T> {
  const known = new Map<K, { readonly value: T; readonly until_ms: number }>();
  return async (key, task) => {
    const before = known.get(key);
    if (before !== undefined && before.until_ms > performance.now()) return before.value;
    const value = await ask(key, task);
    known.delete(key);
    known.set(key, { value, until_ms: performance.now() + REMEMBER_ms });
    const [oldest] = known.keys();
    if (known.size > 10_000 && oldest !== undefined) known.delete(oldest);
    return value;
  };
}
