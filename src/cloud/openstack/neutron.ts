/**
 * The calls of Neutron's API v2.0 that the driver makes, typed and thin.
 *
 * Invariants
 * - lists are read to their last page, each page asked for with all conditions; one that brings what was not asked for is not believed
 * - ports are changed only at the revision that was read (If-Match); what is stale is said, not overwritten
 */
import type { Mac } from '../../net/mac.ts';
import type { NicId } from '../cloud.ts';
import { refuse, understood } from '../wire/asked.ts';
import { list, Mismatch, object, type Read, text } from '../wire/shape.ts';
import { type Port, portFields, portOf } from './port.ts';
import { neutronTypeOf, refusalOf } from './refusals.ts';
import type { Answered, Request, Session, Task } from './session.ts';

/** Conditions of a list of ports: all of them, each by any of its values. */
export interface PortQuery {
  readonly ids?: readonly string[];
  /** The servers they are on; for blocks, their NICs. */
  readonly devices?: readonly string[];
  readonly subnet?: string;
  /** Of a subnet it is known, and Neutron's database finds the ports of a network by an index. */
  readonly network?: string;
  readonly mac?: Mac;
  /** All of these words. */
  readonly words?: readonly string[];
  /** And any of these. */
  readonly anyWord?: readonly string[];
}

/** See the head of this file. */
export interface Neutron {
  ports(query: PortQuery, task: Task): Promise<Port[]>;
  /** @throws Failure cloudNotFound */
  port(id: NicId, task: Task): Promise<Port>;
  /** All or none. Address pairs are dropped by Neutron here (they are not in the fast path of its bulk create): write them afterwards. */
  createPorts(ports: readonly object[], task: Task): Promise<Port[]>;
  /** undefined: it was changed since. */
  updatePort(at: Port, change: object, task: Task): Promise<Port | undefined>;
  setWords(id: NicId, words: readonly string[], task: Task): Promise<void>;
  /** Also when it is gone already. @throws Failure cloudConflict when it was changed since it was read */
  deletePort(port: Port, task: Task): Promise<void>;
  /** Any list. `many`: values of which any fits, asked for some at a time. */
  list<T>(what: string, query: readonly Condition[], read: Read<T>, task: Task, many?: Many): Promise<T[]>;
  /** Any other call. @throws what a refusal means */
  send(request: Request, task: Task): Promise<Answered>;
  /** Any other call, with refusals as answers. */
  ask(request: Request, task: Task): Promise<Answered>;
}

/** One condition of a list. */
export type Condition = readonly [key: string, value: string];
interface Many {
  readonly key: string;
  readonly values: readonly string[];
}

const PAGE = 1000;
/** A server that always says `next` must not keep us for ever. */
const MOST_PAGES = 200;
/** A list that changes faster than it can be read is given up. */
const MOST_STARTS = 4;
/** A URL of 50 ids and the fields has 3 KiB; servers take 8 (eventlet's url_length_limit). */
const AT_ONCE = 50;

/** Neutron behind that session. */
export function neutronOf(session: Session): Neutron {
  const ask = (request: Request, task: Task): Promise<Answered> => session.ask('network', request, task);
  async function send(request: Request, task: Task): Promise<Answered> {
    const answer = await ask(request, task);
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw refusalOf(answer);
  }
  async function one<T>(request: Request, key: string, read: Read<T>, task: Task): Promise<T> {
    const { body, asked } = await send(request, task);
    return understood(body, (value, at) => read(object(value, at)[key], `${at}.${key}`), asked);
  }

  const listed = listsOf(ask);
  const path = (id: string, more = ''): string => `/ports/${encodeURIComponent(id)}${more}`;

  return {
    ports: async (query, task) => unrepeated(await listed('ports', conditionsOf(query), asAskedFor(query), task, manyOf(query))),
    port: (id, task) => one({ method: 'GET', path: path(id) }, 'port', sameId(id), task),
    async createPorts(ports, task) {
      const made = await one({ method: 'POST', path: '/ports', body: { ports } }, 'ports', list(portOf), task);
      if (made.length === ports.length) return made;
      throw refuse.garbled({ ...task.asked, endpoint: 'Neutron' }, `${made.length} ports were made, ${ports.length} were asked for`);
    },
    async updatePort({ id, revision }, change, task) {
      const headers = { 'if-match': `revision_number=${revision}` };
      const answer = await ask({ method: 'PUT', path: path(id), body: { port: change }, headers }, task);
      if (answer.status === 412 || neutronTypeOf(answer) === 'RevisionNumberConstraintFailed') return undefined;
      if (answer.status !== 200) throw refusalOf(answer);
      return understood(answer.body, (body, at) => sameId(id)(object(body, at)['port'], `${at}.port`), answer.asked);
    },
    async setWords(id, words, task) {
      await send({ method: 'PUT', path: path(id, '/tags'), body: { tags: words } }, task);
    },
    async deletePort({ id, revision }, task) {
      const headers = { 'if-match': `revision_number=${revision}` };
      const answer = await ask({ method: 'DELETE', path: path(id), headers }, task);
      if (answer.status === 404 || (answer.status >= 200 && answer.status < 300)) return;
      if (answer.status === 412) throw refuse.conflict(answer.asked, 'it was changed since it was read');
      throw refusalOf(answer);
    },
    list: listed,
    send,
    ask,
  };
}

/**
 * Lists that are read to their last page; of another service too, which refuses in its own words. Of the link to the next page the marker alone is used:
 * Neutron repeats in it what was asked, Octavia (api/common/pagination) does not, and its next page would bring what is of others.
 */
export function listsOf(ask: Neutron['ask'], refusal: (answer: Answered) => Error = refusalOf): Neutron['list'] {
  async function pages<T>(what: string, query: readonly Condition[], read: Read<T>, task: Task, starts = 1): Promise<T[]> {
    const search = new URLSearchParams([...query.map(([key, value]): [string, string] => [key, value]), ['limit', `${PAGE}`]]);
    const found: T[] = [];
    for (let page = 0; page < MOST_PAGES; page++) {
      const answer = await ask({ method: 'GET', path: `/${what}?${search.toString()}` }, task);
      // The page before ended with something that was deleted since: nobody knows where to go on.
      if (answer.status === 404 && page > 0 && starts < MOST_STARTS) return await pages(what, query, read, task, starts + 1);
      if (answer.status !== 200) throw refusal(answer);
      const { body, asked } = answer;
      const { items, next } = understood(body, pageOf(what, read), asked);
      found.push(...items);
      if (next === undefined) return found;
      search.set('marker', next);
    }
    throw refuse.garbled({ ...task.asked, endpoint: 'Neutron' }, `more than ${MOST_PAGES} pages of ${what}`);
  }
  async function listed<T>(what: string, query: readonly Condition[], read: Read<T>, task: Task, many?: Many): Promise<T[]> {
    if (many === undefined) return await pages(what, query, read, task);
    const found: T[] = [];
    for (let from = 0; from < many.values.length; from += AT_ONCE) {
      const some = many.values.slice(from, from + AT_ONCE);
      const more: Condition[] = many.key === 'tags-any' ? [[many.key, some.join(',')]] : some.map((value): Condition => [many.key, value]);
      found.push(...(await pages(what, [...query, ...more], read, task)));
    }
    return found;
  }
  return listed;
}

function conditionsOf({ subnet, network, mac, words = [] }: PortQuery): Condition[] {
  return [
    ...(mac === undefined ? [] : [['mac_address', mac] as const]),
    ...(network === undefined ? [] : [['network_id', network] as const]),
    ...(subnet === undefined ? [] : [['fixed_ips', `subnet_id=${subnet}`] as const]),
    ...(words.length === 0 ? [] : [['tags', words.join(',')] as const]),
    ...portFields.map((field) => ['fields', field] as const),
  ];
}

function manyOf({ ids, devices, anyWord }: PortQuery): Many | undefined {
  if (ids !== undefined) return { key: 'id', values: ids };
  if (devices !== undefined) return { key: 'device_id', values: devices };
  return anyWord === undefined ? undefined : { key: 'tags-any', values: anyWord };
}

/** A port that all conditions fit. A proxy that answers from memory, or drops the query, is found out here. */
function asAskedFor({ ids, devices, subnet, network, mac, words = [] }: PortQuery): Read<Port> {
  return (value, at) => {
    const port = portOf(value, at);
    const fits =
      (ids?.includes(port.id) ?? true) &&
      (devices?.includes(port.device) ?? true) &&
      (mac === undefined || port.mac === mac) &&
      (network === undefined || port.network === network) &&
      (subnet === undefined || port.fixed.some((one) => one.subnet === subnet)) &&
      words.every((word) => port.words.includes(word));
    if (!fits) throw new Mismatch(`${at} is ${port.id}, which was not asked for`);
    return port;
  };
}

function sameId(id: string): Read<Port> {
  return (value, at) => {
    const port = portOf(value, at);
    if (port.id !== id) throw new Mismatch(`${at} is ${port.id}, not ${id}`);
    return port;
  };
}

/** Pages may shift while they are read: the newer of two readings counts. */
function unrepeated(ports: readonly Port[]): Port[] {
  const newest = new Map<string, Port>();
  for (const port of ports) if ((newest.get(port.id)?.revision ?? -1) <= port.revision) newest.set(port.id, port);
  return [...newest.values()];
}

function pageOf<T>(what: string, read: Read<T>): Read<{ items: T[]; next?: string }> {
  return (value, at) => {
    const from = object(value, at);
    const items = list(read)(from[what], `${at}.${what}`);
    const links = list(object)(from[`${what}_links`] ?? [], `${at}.${what}_links`);
    const next = links.find(({ rel }) => rel === 'next');
    if (next === undefined) return { items };
    const href = text(next['href'], `${at}.${what}_links.href`);
    const marker = new URLSearchParams(href.slice(href.indexOf('?') + 1)).get('marker');
    if (marker === null) throw new Mismatch(`${at}.${what}_links.href has no marker`);
    return { items, next: marker };
  };
}
