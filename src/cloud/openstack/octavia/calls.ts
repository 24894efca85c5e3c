/** The calls of Octavia's API v2 that are made, typed and thin; lists to their last page. */
import type { SubnetId } from '../../cloud.ts';
import { id, list, Mismatch, object, type Read } from '../../wire/shape.ts';
import { understood } from '../../wire/asked.ts';
import { listsOf } from '../neutron.ts';
import type { Answered, Request, Session, Task } from '../session.ts';
import { type Balancer, balancerOf, listenerOf, memberOf, poolOf } from './objects.ts';
import type { Whole } from './plan.ts';
import { octaviaRefusal } from './refusals.ts';

/** See the head of this file. */
export interface Octavia {
  /** Load balancers with all of these words as tags. */
  balancers(words: readonly string[], task: Task): Promise<Balancer[]>;
  /** What is in one: 3 reads, and 1 for each pool. */
  whole(balancer: string, task: Task): Promise<Whole>;
  /** Makes one, with all that is in it. */
  create(body: object, task: Task): Promise<void>;
  /** With all that is in it; also when it is gone already. */
  remove(balancer: string, task: Task): Promise<void>;
  /** Any other change; to delete what is gone already is success. */
  send(request: Request, task: Task): Promise<void>;
}

/** Octavia behind that session. */
export function octaviaOf(session: Session): Octavia {
  const ask = (request: Request, task: Task): Promise<Answered> =>
    session.ask('load-balancer', { ...request, path: `/lbaas${request.path}` }, task);
  async function send(request: Request, task: Task): Promise<Answered> {
    const answer = await ask(request, task);
    const isGone = answer.status === 404 && request.method === 'DELETE';
    if (isGone || (answer.status >= 200 && answer.status < 300)) return answer;
    throw octaviaRefusal(answer);
  }
  const listed = listsOf(ask, octaviaRefusal);
  /** Members are listed below their pool, under a name of their own. */
  const membersOf = (pool: string): typeof listed =>
    listsOf((request, task) => ask({ ...request, path: `/pools/${encodeURIComponent(pool)}${request.path}` }, task), octaviaRefusal);
  return {
    balancers: async (words, task) =>
      (await listed('loadbalancers', [['tags', words.join(',')]], withWords(words), task)).filter(
        ({ provisioning }) => provisioning !== 'DELETED',
      ),
    async whole(balancer, task) {
      const listeners = await listed('listeners', [['load_balancer_id', balancer]], partOf(balancer, listenerOf), task);
      const pools = await listed('pools', [['loadbalancer_id', balancer]], partOf(balancer, poolOf), task);
      const members = await Promise.all(pools.map((pool) => membersOf(pool.id)('members', [], memberOf, task)));
      return { id: balancer, listeners, pools: pools.map((pool, i) => ({ ...pool, members: members[i] ?? [] })) };
    },
    async create(body, task) {
      const { body: made, asked } = await send({ method: 'POST', path: '/loadbalancers', body: { loadbalancer: body } }, task);
      understood(made, (value, at) => id(object(object(value, at)['loadbalancer'], at)['id'], `${at}.id`), asked);
    },
    async remove(balancer, task) {
      await send({ method: 'DELETE', path: `/loadbalancers/${encodeURIComponent(balancer)}?cascade=true` }, task);
    },
    async send(request, task) {
      await send(request, task);
    },
  };
}

/** A proxy that drops the query would have us delete what is somebody else's. */
function withWords(words: readonly string[]): Read<Balancer> {
  return (value, at) => {
    const balancer = balancerOf(value, at);
    if (!words.every((word) => balancer.words.includes(word))) throw new Mismatch(`${at} is ${balancer.id}, which was not asked for`);
    return balancer;
  };
}

/** As above: what is in a load balancer, and not wanted there, is deleted. */
function partOf<T extends { readonly id: string }>(balancer: string, read: Read<T>): Read<T> {
  return (value, at) => {
    const [part, owners] = [read(value, at), list(object)(object(value, at)['loadbalancers'], `${at}.loadbalancers`)];
    if (!owners.some(({ id: owner }) => owner === balancer)) throw new Mismatch(`${at} is ${part.id}, which was not asked for`);
    return part;
  };
}

/** Which load balancers are made, and where. */
export interface BalancerOptions {
  /** Where their own addresses are, unless a Service says otherwise; a pair as a PodSubnet has it. */
  readonly subnet?: SubnetId;
  /** Network of the floating IPs they get; absent: none. */
  readonly floatingNetwork?: string;
  /** Octavia's provider and flavor; absent: its own choice. */
  readonly provider?: string;
  readonly flavor?: string;
  readonly algorithm: 'ROUND_ROBIN' | 'LEAST_CONNECTIONS' | 'SOURCE_IP' | 'SOURCE_IP_PORT';
  readonly monitor: boolean;
}
