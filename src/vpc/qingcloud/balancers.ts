/** Load balancers: records alone, nothing is balanced. What is added takes effect with UpdateLoadBalancers, which `is_applied` and `status` tell. */
import * as z from 'zod';
import type { Transaction } from '../model/model.ts';
import type { State } from '../model/objects.ts';
import { type Action, type Asking, change, checkOwner, ownerOf, read, timeOf } from './action.ts';
import { countFailures } from './attach.ts';
import { freshId, subnetBy } from './ids.ts';
import { checkIdle, isBusy } from './jobs.ts';
import { created_ms, type Facts, type Keyed, type NoteKind, noteOf, notesOf, putNote, removeNote } from './notes.ts';
import { addressOf } from './nics.ts';
import { int, list, page, paged, some, text } from './parameters.ts';
import { Problem, unknown } from './problem.ts';
import { tagsOf } from './tags.ts';

const MOST_TYPE = 5;

const create = z.strictObject({
  loadbalancer_name: text.optional(),
  loadbalancer_type: int.optional(),
  vxnet: some.optional(),
  private_ip: some.optional(),
  eips: list.optional(),
  security_group: some.optional(),
  node_count: int.optional(),
  http_header_size: int.optional(),
  cluster_mode: int.optional(),
  mode: int.optional(),
  project_id: text.optional(),
  place_group_id: text.optional(),
});
const listener = z.strictObject({
  listener_port: int,
  listener_protocol: z.enum(['http', 'https', 'tcp', 'udp', 'ssl'], 'is no protocol of a listener'),
  backend_protocol: z.enum(['http', 'https', 'tcp', 'udp'], 'is no protocol of a backend').optional(),
  balance_mode: z.enum(['roundrobin', 'leastconn', 'source'], 'is no way to balance').optional(),
  loadbalancer_listener_name: text.optional(),
  healthy_check_method: text.optional(),
  healthy_check_option: text.optional(),
  session_sticky: text.optional(),
  forwardfor: int.optional(),
  listener_option: int.optional(),
  server_certificate_id: text.optional(),
  timeout: int.optional(),
  scene: int.optional(),
});
const backend = z.strictObject({
  resource_id: some,
  port: int,
  weight: int.optional(),
  loadbalancer_backend_name: text.optional(),
  loadbalancer_policy_id: text.optional(),
});
const withIds = z.strictObject({ loadbalancers: list });

/** The actions of this file. */
export const balancerActions: readonly Action[] = [
  change(['CreateLoadBalancer'], create, (transaction, wanted, changing) => {
    const { loadbalancer_type = 0, vxnet, private_ip, eips = [] } = wanted;
    if (loadbalancer_type > MOST_TYPE) throw new Problem('malformed', `parameter [loadbalancer_type] is above ${MOST_TYPE}`);
    if (vxnet === undefined && eips.length === 0) throw new Problem('malformed', 'one of parameters [vxnet] and [eips] is needed');
    if (vxnet !== undefined) subnetBy(transaction.state, vxnet);
    if (private_ip !== undefined) addressOf(private_ip);
    const id = freshId('lb');
    const facts = { ...factsOf(transaction, changing, wanted), applied: '1' };
    putNote(transaction, 'loadbalancer', id, facts);
    return { loadbalancer_id: id, job_id: changing.start(transaction, [id], { kind: 'record', of: [id] }).id };
  }),
  change(
    ['AddLoadBalancerListeners'],
    z.strictObject({ loadbalancer: some, listeners: z.array(listener).min(1, 'is empty') }),
    (transaction, { loadbalancer, listeners }, changing) => {
      checkMine(transaction.state, loadbalancer, changing);
      const ids = listeners.map((one) => {
        const there = notesOf(transaction.state, 'listener').filter(({ facts }) => facts['of'] === loadbalancer);
        if (there.some(({ facts }) => fieldsOf(facts)['listener_port'] === one.listener_port))
          throw new Problem('denied', `port [${one.listener_port}] of [${loadbalancer}] has a listener already`);
        return add(transaction, 'listener', 'lbl', loadbalancer, factsOf(transaction, changing, one));
      });
      setApplied(transaction, loadbalancer, false);
      return { loadbalancer_listeners: ids };
    },
  ),
  change(
    ['AddLoadBalancerBackends'],
    z.strictObject({ loadbalancer_listener: some, backends: z.array(backend).min(1, 'is empty') }),
    (transaction, { loadbalancer_listener, backends }, changing) => {
      const loadbalancer = noteOf(transaction.state, 'listener', loadbalancer_listener)?.['of'];
      if (loadbalancer === undefined) throw unknown(loadbalancer_listener);
      checkMine(transaction.state, loadbalancer, changing);
      const ids = backends.map((one) => add(transaction, 'backend', 'lbb', loadbalancer_listener, factsOf(transaction, changing, one)));
      setApplied(transaction, loadbalancer, false);
      return { loadbalancer_backends: ids };
    },
  ),
  change(
    ['DeleteLoadBalancerListeners'],
    z.strictObject({ loadbalancer_listeners: list }),
    (transaction, { loadbalancer_listeners }, changing) => {
      for (const id of loadbalancer_listeners) take(transaction, 'listener', id, changing);
      return { loadbalancer_listeners };
    },
  ),
  change(
    ['DeleteLoadBalancerBackends'],
    z.strictObject({ loadbalancer_backends: list }),
    (transaction, { loadbalancer_backends }, changing) => {
      for (const id of loadbalancer_backends) take(transaction, 'backend', id, changing);
      return { loadbalancer_backends };
    },
  ),
  change(['UpdateLoadBalancers'], withIds, (transaction, { loadbalancers }, changing) => {
    for (const id of loadbalancers) checkMine(transaction.state, id, changing);
    checkIdle(transaction.state, loadbalancers);
    return { job_id: changing.start(transaction, loadbalancers, { kind: 'updateBalancers', of: loadbalancers }).id };
  }),
  change(['DeleteLoadBalancers'], withIds, (transaction, { loadbalancers }, changing) => {
    for (const id of loadbalancers) checkMine(transaction.state, id, changing);
    checkIdle(transaction.state, loadbalancers);
    return { loadbalancers, job_id: changing.start(transaction, loadbalancers, { kind: 'deleteBalancers', of: loadbalancers }).id };
  }),
  read(
    ['DescribeLoadBalancers'],
    z.strictObject({ ...page, loadbalancers: list.optional(), status: list.optional() }),
    (state, wanted, asking) => {
      const found = notesOf(state, 'loadbalancer').filter(
        ({ key, facts }) =>
          (wanted.loadbalancers?.includes(key) ?? true) &&
          (wanted.status?.includes(isBusy(state, key) ? 'pending' : 'active') ?? true) &&
          (wanted.owner === undefined || wanted.owner === ownerOf(facts, asking)),
      );
      return paged('loadbalancer_set', found, wanted, (one) => shown(state, one, asking));
    },
  ),
  read(
    ['DescribeLoadBalancerListeners'],
    z.strictObject({ ...page, loadbalancer: some.optional(), loadbalancer_listeners: list.optional() }),
    (state, wanted) => {
      const found = notesOf(state, 'listener').filter(
        ({ key, facts }) =>
          (wanted.loadbalancer_listeners?.includes(key) ?? true) &&
          (wanted.loadbalancer === undefined || wanted.loadbalancer === facts['of']),
      );
      return paged('loadbalancer_listener_set', found, wanted, (one) => shownListener(state, one));
    },
  ),
  read(
    ['DescribeLoadBalancerBackends'],
    z.strictObject({
      ...page,
      loadbalancer: some.optional(),
      loadbalancer_listener: some.optional(),
      loadbalancer_backends: list.optional(),
    }),
    (state, wanted) => {
      const found = notesOf(state, 'backend').filter(
        ({ key, facts }) =>
          (wanted.loadbalancer_backends?.includes(key) ?? true) &&
          (wanted.loadbalancer_listener === undefined || wanted.loadbalancer_listener === facts['of']) &&
          (wanted.loadbalancer === undefined || wanted.loadbalancer === noteOf(state, 'listener', facts['of'] ?? '')?.['of']),
      );
      return paged('loadbalancer_backend_set', found, wanted, (one) => shownBackend(one));
    },
  ),
];

/** What was added or taken away since takes effect. */
export function updateBalancersNow(transaction: Transaction, ids: readonly string[]): number {
  return countFailures(ids, (id) => setApplied(transaction, id, true));
}

/** Load balancers go, with their listeners and backends. */
export function deleteBalancersNow(transaction: Transaction, ids: readonly string[]): number {
  return countFailures(ids, (id) => {
    for (const one of notesOf(transaction.state, 'listener')) if (one.facts['of'] === id) removeListener(transaction, one.key);
    removeNote(transaction, 'loadbalancer', id);
  });
}

function removeListener(transaction: Transaction, id: string): void {
  for (const one of notesOf(transaction.state, 'backend')) if (one.facts['of'] === id) removeNote(transaction, 'backend', one.key);
  removeNote(transaction, 'listener', id);
}

function factsOf({ now_ms }: Transaction, { account }: Asking, wanted: object): Facts {
  return { owner: account.owner, created_ms: String(now_ms), fields: JSON.stringify(wanted) };
}

function fieldsOf(facts: Facts): Record<string, unknown> {
  return JSON.parse(facts['fields'] ?? '{}') as Record<string, unknown>; // what factsOf wrote
}

function add(transaction: Transaction, kind: NoteKind, prefix: string, of: string, facts: Facts): string {
  const id = freshId(prefix);
  putNote(transaction, kind, id, { ...facts, of });
  return id;
}

function take(transaction: Transaction, kind: 'listener' | 'backend', id: string, asking: Asking): void {
  const of = noteOf(transaction.state, kind, id)?.['of'];
  if (of === undefined) throw unknown(id);
  const loadbalancer = kind === 'listener' ? of : (noteOf(transaction.state, 'listener', of)?.['of'] ?? '');
  checkMine(transaction.state, loadbalancer, asking);
  if (kind === 'listener') removeListener(transaction, id);
  else removeNote(transaction, 'backend', id);
  setApplied(transaction, loadbalancer, false);
}

function checkMine(state: State, id: string, asking: Asking): void {
  if (noteOf(state, 'loadbalancer', id) === undefined) throw unknown(id);
  checkOwner(state, 'loadbalancer', id, id, asking);
}

/** @throws Problem 2100. */
function setApplied(transaction: Transaction, id: string, applied: boolean): void {
  const facts = noteOf(transaction.state, 'loadbalancer', id);
  if (facts === undefined) throw unknown(id);
  const inForce = applied ? { inForce: JSON.stringify(listenersOf(transaction.state, id)) } : {};
  putNote(transaction, 'loadbalancer', id, { ...facts, applied: applied ? '1' : '0', ...inForce });
}

/** `listeners` are those in force: what was added since the last update is seen by DescribeLoadBalancerListeners alone. */
function shown(state: State, one: Keyed, asking: Asking): object {
  const {
    vxnet = '',
    private_ip,
    loadbalancer_name = '',
    loadbalancer_type = 0,
    node_count = 1,
    security_group = '',
  } = fieldsOf(one.facts);
  return {
    loadbalancer_id: one.key,
    loadbalancer_name,
    loadbalancer_type,
    node_count,
    security_group_id: security_group,
    vxnet_id: vxnet,
    private_ips: private_ip === undefined ? [] : [private_ip],
    eips: [],
    listeners: JSON.parse(one.facts['inForce'] ?? '[]') as object[], // what setApplied wrote
    is_applied: Number(one.facts['applied']),
    status: isBusy(state, one.key) ? 'pending' : 'active',
    transition_status: isBusy(state, one.key) ? 'updating' : '',
    owner: ownerOf(one.facts, asking),
    tags: tagsOf(state, one.key),
    create_time: timeOf(created_ms(one)),
  };
}

function listenersOf(state: State, loadbalancer: string): object[] {
  return notesOf(state, 'listener').flatMap((one) => (one.facts['of'] === loadbalancer ? [shownListener(state, one)] : []));
}

function shownListener(state: State, one: Keyed): object {
  const backends = notesOf(state, 'backend').filter(({ facts }) => facts['of'] === one.key);
  return {
    loadbalancer_listener_id: one.key,
    loadbalancer_id: one.facts['of'] ?? '',
    ...fieldsOf(one.facts),
    server_certificate_id: [],
    backends: backends.map(shownBackend),
    create_time: timeOf(created_ms(one)),
  };
}

function shownBackend(one: Keyed): object {
  return {
    loadbalancer_backend_id: one.key,
    loadbalancer_listener_id: one.facts['of'] ?? '',
    weight: 1,
    ...fieldsOf(one.facts),
    create_time: timeOf(created_ms(one)),
  };
}
