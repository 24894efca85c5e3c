/**
 * Driver for the emulated VPC (`flatpod vpc`): its HTTP API as a Cloud. How its refusals are read: docs/clouds/vpc.md.
 *
 * Invariants
 * - a changing call is sent once: whether to repeat it is the controller's decision
 * - an answer is believed only when it has the shape the API's document promises and answers what was asked
 */
import { failure } from '../../errors/failure.ts';
import type { Cloud, CloudNic, NicFilter } from '../cloud.ts';
import { idsNamed } from '../named.ts';
import { selects, severalOf } from '../selected.ts';
import { type Asked, reached, refuse, understood, wantedOf } from '../wire/asked.ts';
import { type Connections, connections, type HttpCall } from '../wire/http.ts';
import { jsonCall, jsonOf } from '../wire/json.ts';
import { Mismatch, type Read } from '../wire/shape.ts';
import { assignedOf, instanceOf, networkOf, nicOf, pageOf, subnetOf } from './answers.ts';
import { refusalOf } from './refusals.ts';

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
    async subnets(named) {
      const ids = idsNamed(named, name);
      return ids.length === 0 ? [] : await api.list('ListSubnets', '/v1/subnets', ids.map(byId), subnetOf);
    },
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

/** A NIC that the filter does select. */
function selectedBy(filter: NicFilter): Read<CloudNic> {
  const isSelected = selects(filter);
  return (value, at) => {
    const nic = nicOf(value, at);
    if (!isSelected(nic)) throw new Mismatch(`${at} is ${nic.id}, which was not asked for`);
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

interface Api {
  get<T>(call: string, about: string, path: string, read: Read<T>): Promise<T>;
  list<T>(call: string, path: string, conditions: readonly [string, string][], read: Read<T>): Promise<T[]>;
  send<T>(call: string, about: string, path: string, body: unknown, read: Read<T>, wanted?: Asked['wanted']): Promise<T>;
  remove(call: string, about: string, path: string): Promise<void>;
  close(): void;
}

function apiOf(endpoint: string, deadline_ms: number): Api {
  const kept = connections();
  const asked = (call: string, about: string): Asked => ({ cloud: name, endpoint, call, object: about });
  const make = (method: HttpCall['method'], path: string, body: unknown, what: Asked) =>
    answered(kept, jsonCall({ method, endpoint, path }, body), what, deadline_ms);
  return {
    async get(call, about, path, read) {
      const what = asked(call, about);
      return understood(await make('GET', path, undefined, what), read, what);
    },
    async list<T>(call: string, path: string, conditions: readonly [string, string][], read: Read<T>): Promise<T[]> {
      const what = asked(call, conditions.map(([key, value]) => `${key} ${value}`).join(', '));
      const found: T[] = [];
      let after: string | undefined;
      for (let page = 0; page < mostPages; page++) {
        const query = new URLSearchParams([...conditions, ['limit', `${pageSize}`], ...(after === undefined ? [] : [['after', after]])]);
        const { items, next } = understood(await make('GET', `${path}?${query.toString()}`, undefined, what), pageOf(read), what);
        found.push(...items);
        if (next === undefined) return found;
        after = next;
      }
      throw refuse.garbled(what, `more than ${mostPages} pages`);
    },
    async send(call, about, path, body, read, wanted) {
      const what: Asked = { ...asked(call, about), ...(wanted === undefined ? {} : { wanted }) };
      return understood(await make('POST', path, body, what), read, what);
    },
    async remove(call, about, path) {
      await make('DELETE', path, undefined, asked(call, about));
    },
    close: () => kept.close(),
  };
}

/** Makes the call and returns the answer's body. @throws Failure cloudUnavailable or cloudGarbled, and what a refusal means. */
async function answered(kept: Connections, call: HttpCall, asked: Asked, deadline_ms: number): Promise<unknown> {
  const answer = await reached(kept.exchange(call, deadline_ms), asked);
  const body = understood(answer, jsonOf, asked);
  if (answer.status >= 200 && answer.status < 300) return body;
  throw understood(body, () => refusalOf(answer.status, body, asked), asked);
}
