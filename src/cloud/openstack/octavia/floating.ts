/**
 * Floating IPs of load balancers.
 *
 * Invariants
 * - one that we made says so in its description, in the very request that makes it: only such a one is ever deleted
 * - only an IPv4 address has one: Neutron has none for IPv6, whose addresses are public themselves or are not
 * - one that somebody else made is put on a load balancer when a Service names it, and taken off again; it stays theirs
 */
import { familyOf, type Ip } from '../../../net/address.ts';
import type { Step, WantedLoadBalancer } from '../../load-balancers.ts';
import type { Tags } from '../../cloud.ts';
import { addressTaken } from '../../wire/asked.ts';
import { askedIn } from '../context.ts';
import type { Condition, Neutron } from '../neutron.ts';
import { refusalOf } from '../refusals.ts';
import type { Task } from '../session.ts';
import { allWordsOf, tagsIn } from '../tags.ts';
import { type Balancer, type FloatingIp, floatingIpOf } from './objects.ts';

const MARK = 'flatpod.dev load balancer: ';

/** What is asked of Neutron, and when it is to be sent. */
export interface FloatingIps {
  /** Those on that port. */
  on(port: string, task: Task): Promise<FloatingIp[]>;
  /** Ours that have all of these tags, wherever they are. */
  ours(tags: Tags, task: Task): Promise<{ readonly id: string; readonly tags: Tags; readonly floating: FloatingIp }[]>;
  /** Whether a load balancer with an address of that family is to have one. */
  isWanted(family: 4 | 6, want: WantedLoadBalancer): boolean;
  /** Whether those on it are as wanted: there is no next step. */
  isSettled(one: Balancer, there: readonly FloatingIp[], want: WantedLoadBalancer): boolean;
  /** The next step for a load balancer that is to have one, or is not to. @throws Failure cloudAddressTaken */
  next(one: Balancer, there: readonly FloatingIp[], want: WantedLoadBalancer, task: Task): Promise<Step | undefined>;
  /** Gives it back, or, when it is not ours, takes it off. */
  away(floating: FloatingIp): Step;
}

/** `network`: where new ones come from; absent: there are none. `begin`: a task of its own for a step. */
export function floatingIps(neutron: Neutron, network: string | undefined, begin: (text: string) => Task): FloatingIps {
  const list = (query: readonly Condition[], task: Task): Promise<FloatingIp[]> => neutron.list('floatingips', query, floatingIpOf, task);
  const step = (kind: Step['kind'], text: string, isRelease: boolean, send: (task: Task) => Promise<unknown>): Step => ({
    kind,
    isRelease,
    text,
    send: async () => void (await send(begin(text))),
  });
  const put = (id: string, port: string | null) => (task: Task) =>
    neutron.send({ method: 'PUT', path: `/floatingips/${id}`, body: { floatingip: { port_id: port } } }, task);

  function away({ id, address, description }: FloatingIp): Step {
    if (!description.startsWith(MARK)) return step('unassign', `takes floating IP ${address} off`, false, put(id, null));
    return step('delete', `deletes floating IP ${address}`, true, async (task) => {
      const answer = await neutron.ask({ method: 'DELETE', path: `/floatingips/${id}` }, task);
      // 404: somebody else was quicker.
      if (answer.status !== 204 && answer.status !== 404) throw refusalOf(answer);
    });
  }
  function make(port: string, { tags, address }: WantedLoadBalancer): Step {
    const floatingip = {
      floating_network_id: network,
      port_id: port,
      description: `${MARK}${allWordsOf(tags).join(' ')}`,
      ...(address !== undefined && { floating_ip_address: address }),
    };
    return step('create', `makes a floating IP${address === undefined ? '' : ` ${address}`}`, false, (task) =>
      neutron.send({ method: 'POST', path: '/floatingips', body: { floatingip } }, task),
    );
  }
  const isWanted = (family: 4 | 6, want: WantedLoadBalancer): boolean => network !== undefined && !want.isInternal && family === 4;
  const unwantedOn = (one: Balancer, there: readonly FloatingIp[], want: WantedLoadBalancer): FloatingIp | undefined =>
    there.find(({ address }) => !isWanted(familyOf(one.address), want) || (want.address !== undefined && address !== want.address));
  const isSettled = (one: Balancer, there: readonly FloatingIp[], want: WantedLoadBalancer): boolean =>
    unwantedOn(one, there, want) === undefined && (there.length > 0 || !isWanted(familyOf(one.address), want));
  return {
    isWanted,
    isSettled,
    on: async (port, task) => (await list([['port_id', port]], task)).filter((one) => one.port === port),
    async ours(tags, task) {
      const all = await list([], task);
      return all.flatMap((floating) => {
        const has = tagsOf(floating);
        const fits = has !== undefined && Object.entries(tags).every(([key, value]) => has[key] === value);
        return fits ? [{ id: floating.id, tags: has, floating }] : [];
      });
    },
    async next(one, there, want, task) {
      if (isSettled(one, there, want)) return undefined;
      const unwanted = unwantedOn(one, there, want);
      if (unwanted !== undefined) return away(unwanted);
      const { port } = one;
      const found = want.address === undefined ? undefined : await named(want.address, task);
      if (found === undefined) return make(port, want);
      if (found.port !== undefined)
        throw addressTaken(askedIn(task), 'the floating IP is on another port', found.address, `port ${found.port}`);
      return step('assign', `puts floating IP ${found.address} on`, false, put(found.id, port));
    },
    away,
  };

  async function named(address: Ip, task: Task): Promise<FloatingIp | undefined> {
    const found = await list([['floating_ip_address', address]], task);
    return found.find((one) => one.address === address);
  }
}

/** undefined: it is not ours. */
function tagsOf({ description }: FloatingIp): Tags | undefined {
  return description.startsWith(MARK) ? tagsIn(description.slice(MARK.length).split(' ')) : undefined;
}
