/**
 * Driver for the emulated VPC (`flatpod vpc`): its HTTP API as a Cloud. How its refusals are read: docs/clouds/vpc.md.
 *
 * Invariants
 * - a changing call is sent once: whether to repeat it is the controller's decision
 * - an answer is believed only when it has the shape the API's document promises and answers what was asked
 */
import type { Agent } from 'node:http';
import { type Failure, failure, isFailure } from '../../errors/failure.ts';
import type { Cloud, CloudNic, NicFilter, Wanted } from '../cloud.ts';
import { assignedOf, instanceOf, networkOf, nicOf, pageOf, subnetOf } from './answers.ts';
import { connections, exchange, type HttpAnswer, type HttpCall, Unreadable } from './http.ts';
import { type Asked, refusalOf } from './refusals.ts';
import { Mismatch, type Read } from './shape.ts';

/** Where the emulated VPC is, and how patient to be with it. */
export interface VpcOptions {
  /** Where the API listens, such as http://127.0.0.1:9100. */
  readonly endpoint: string;
  /** How long one call may take in all. */
  readonly deadline_ms?: number;
}

const name = 'vpc';
const pageSize = 1000;
/** A server that always says `next` must not keep us for ever. */
const mostPages = 100;

/** The emulated VPC as a cloud. Dispose of it to close its idle connections. */
export function vpcCloud({ endpoint, deadline_ms = 10_000 }: VpcOptions): Cloud & Disposable {
  const api = apiOf(endpoint, deadline_ms);
  const nic = (id: string, verb: string) => `/v1/nics/${encodeURIComponent(id)}${verb}`;
  return {
    name,
    network: () => api.get('GetNetwork', 'the VPC', '/v1/network', networkOf),
    instance: (id) => api.get('GetInstance', id, `/v1/instances/${encodeURIComponent(id)}`, sameId(id, instanceOf)),
    instances: (ids) =>
      ids.length === 0 ? Promise.resolve([]) : api.list('ListInstances', '/v1/instances', ids.map(byId), oneOfThese(ids, instanceOf)),
    subnets: (ids) => (ids.length === 0 ? Promise.resolve([]) : api.list('ListSubnets', '/v1/subnets', ids.map(byId), subnetOf)),
    async nics(filter) {
      const conditions = conditionsOf(filter);
      if (filter.ids?.length === 0) return [];
      if (conditions.length === 0) throw failure('cloudInvalid', { cloud: name, call: 'ListNics', text: 'a filter without conditions' });
      return await api.list('ListNics', '/v1/nics', conditions, selectedBy(filter));
    },
    createNic: (request) =>
      api.send('CreateNic', `a NIC in ${request.subnet}`, '/v1/nics', request, nicOf, wantedOf(request.subnet, request.want, 1)),
    attachNic: (id, instance, deviceIndex) => api.send('AttachNic', id, nic(id, '/attach'), { instance, deviceIndex }, nothing),
    attachBranch: (id, trunk, vlan) => api.send('AttachBranch', id, nic(id, '/attach-branch'), { trunk, vlan }, nothing),
    detachNic: (id) => api.send('DetachNic', id, nic(id, '/detach'), undefined, nothing),
    deleteNic: (id) => api.remove('DeleteNic', id, nic(id, '')),
    assign: (id, want) => api.send('AssignAddresses', id, nic(id, '/assign'), { want }, assignedOf(want), wantedOf(`of ${id}`, want, 0)),
    unassign: (id, blocks) =>
      blocks.length === 0 ? Promise.resolve() : api.send('UnassignAddresses', id, nic(id, '/unassign'), { blocks }, nothing),
    [Symbol.dispose]: () => api.close(),
  };
}

const nothing: Read<void> = () => undefined;
const byId = (id: string): [string, string] => ['id', id];

function conditionsOf(filter: NicFilter): [string, string][] {
  const tags = Object.entries(filter.tags ?? {}).flatMap(([key, values]) =>
    severalOf(values).map((value): [string, string] => ['tag', `${key}=${value}`]),
  );
  const ids = (filter.ids ?? []).map(byId);
  return [...ids, ...severalOf(filter.instance).map((id): [string, string] => ['instance', id]), ...tags];
}

/** A condition's values, one or several. */
function severalOf<T extends string>(values: T | readonly T[] | undefined): readonly T[] {
  if (values === undefined) return [];
  return typeof values === 'string' ? [values] : values;
}

/** A NIC that the filter does select. */
function selectedBy(filter: NicFilter): Read<CloudNic> {
  const instances = filter.instance === undefined ? undefined : new Set<string | undefined>(severalOf(filter.instance));
  const tags = Object.entries(filter.tags ?? {}).map(([key, values]) => [key, new Set<string | undefined>(severalOf(values))] as const);
  return (value, at) => {
    const nic = nicOf(value, at);
    const selected =
      (filter.ids === undefined || filter.ids.includes(nic.id)) &&
      (instances?.has(nic.attachment?.instance) ?? true) &&
      tags.every(([key, values]) => values.has(nic.tags[key]));
    if (!selected) throw new Mismatch(`${at} is ${nic.id}, which was not asked for`);
    return nic;
  };
}

function oneOfThese<T extends { readonly id: string }>(ids: readonly string[], read: Read<T>): Read<T> {
  const asked = new Set(ids);
  return (value, at) => {
    const found = read(value, at);
    if (!asked.has(found.id)) throw new Mismatch(`${at} is ${found.id}, which was not asked for`);
    return found;
  };
}

function sameId<T extends { readonly id: string }>(id: string, read: Read<T>): Read<T> {
  return (value, at) => {
    const found = read(value, at);
    if (found.id !== id) throw new Mismatch(`${at} is ${found.id}, not ${id}`);
    return found;
  };
}

function wantedOf(subnet: string, want: Wanted | undefined, primaries: number): Asked['wanted'] {
  const { addresses4 = 0, prefixes4 = 0, prefixes6 = 0, these = [] } = want ?? {};
  const parts = [
    these.length > 3 ? `${these.length} given blocks` : these.join(', '),
    addresses4 + primaries > 0 ? `${addresses4 + primaries} addresses` : '',
    prefixes4 > 0 ? `${prefixes4} /28 prefixes` : '',
    prefixes6 > 0 ? `${prefixes6} /80 prefixes` : '',
  ];
  return { subnet, what: parts.filter((part) => part !== '').join(' and ') };
}

interface Api {
  get<T>(call: string, about: string, path: string, read: Read<T>): Promise<T>;
  list<T>(call: string, path: string, conditions: readonly [string, string][], read: Read<T>): Promise<T[]>;
  send<T>(call: string, about: string, path: string, body: unknown, read: Read<T>, wanted?: Asked['wanted']): Promise<T>;
  remove(call: string, about: string, path: string): Promise<void>;
  close(): void;
}

function apiOf(endpoint: string, deadline_ms: number): Api {
  const agent = connections();
  const asked = (call: string, about: string): Asked => ({ cloud: name, endpoint, call, object: about });
  const make = (http: HttpCall, what: Asked) => answered(agent, http, what, deadline_ms);
  return {
    get: (call, about, path, read) => understood(make({ method: 'GET', endpoint, path }, asked(call, about)), read, asked(call, about)),
    async list<T>(call: string, path: string, conditions: readonly [string, string][], read: Read<T>): Promise<T[]> {
      const what = asked(call, conditions.map(([key, value]) => `${key} ${value}`).join(', '));
      const found: T[] = [];
      let after: string | undefined;
      for (let page = 0; page < mostPages; page++) {
        const query = new URLSearchParams([...conditions, ['limit', `${pageSize}`], ...(after === undefined ? [] : [['after', after]])]);
        const { items, next } = await understood(
          make({ method: 'GET', endpoint, path: `${path}?${query.toString()}` }, what),
          pageOf(read),
          what,
        );
        found.push(...items);
        if (next === undefined) return found;
        after = next;
      }
      throw garbled(what, `more than ${mostPages} pages`);
    },
    send(call, about, path, body, read, wanted) {
      const what: Asked = { ...asked(call, about), ...(wanted === undefined ? {} : { wanted }) };
      return understood(make({ method: 'POST', endpoint, path, ...(body === undefined ? {} : { body }) }, what), read, what);
    },
    remove: (call, about, path) => understood(make({ method: 'DELETE', endpoint, path }, asked(call, about)), nothing, asked(call, about)),
    close: () => agent.destroy(),
  };
}

/** Makes the call. @throws Failure cloudUnavailable or cloudGarbled, and what a refusal means. */
async function answered(agent: Agent, call: HttpCall, asked: Asked, deadline_ms: number): Promise<HttpAnswer> {
  let answer: HttpAnswer;
  try {
    answer = await exchange(agent, call, deadline_ms);
  } catch (error) {
    if (error instanceof Unreadable) throw garbled(asked, error.message, error);
    const text = error instanceof Error ? error.message : String(error);
    throw failure('cloudUnavailable', { cloud: name, call: asked.call, endpoint: asked.endpoint, text }, error);
  }
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw await understood(Promise.resolve(answer), () => refusalOf(answer.status, answer.body, asked), asked);
}

/** Reads the answer. @throws Failure cloudGarbled when it is not what was promised. */
async function understood<T>(answer: Promise<HttpAnswer>, read: Read<T>, asked: Asked): Promise<T> {
  const { body } = await answer;
  try {
    return read(body, 'answer');
  } catch (error) {
    if (isFailure(error) || !(error instanceof Mismatch)) throw error;
    throw garbled(asked, error.message, error);
  }
}

function garbled(asked: Asked, text: string, cause?: unknown): Failure {
  return failure('cloudGarbled', { cloud: name, call: asked.call, endpoint: asked.endpoint, text }, cause);
}
