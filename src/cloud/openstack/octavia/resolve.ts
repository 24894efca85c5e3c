/** What a Service says, in Neutron's own terms: one subnet, one family. A load balancer has one address, so Pods and clients of the other family are left out. */
import { failure } from '../../../errors/failure.ts';
import { familyOf } from '../../../net/address.ts';
import { cidrFamily, contains } from '../../../net/cidr.ts';
import type { SubnetId } from '../../cloud.ts';
import type { WantedListener, WantedLoadBalancer, WantedMember } from '../../load-balancers.ts';
import { refuse } from '../../wire/asked.ts';
import { askedIn } from '../context.ts';
import type { Neutron } from '../neutron.ts';
import type { Task } from '../session.ts';
import { partsOf, type Subnet, subnetFor, subnetOf } from '../subnet.ts';

/** A load balancer's subnet, and its listeners as Octavia is to have them. */
export interface Resolved {
  readonly subnet: Subnet;
  readonly listeners: readonly WantedListener[];
}

/** What is read of Neutron for load balancers. */
export interface Resolver {
  /** The `families` are tried in order. @throws Failure cloudInvalid, cloudNotFound, serviceUnfit */
  whole(want: WantedLoadBalancer, families: readonly (4 | 6)[], task: Task): Promise<Resolved>;
  /** Those ports with their members of that family; who may connect is left out. */
  members(listeners: readonly WantedListener[], family: 4 | 6, task: Task): Promise<readonly WantedListener[]>;
}

/** Subnets hardly ever change: what was read is believed for so long. */
const REMEMBER_ms = 300_000;

/** `usual`: the subnet where the Service names none. */
export function resolver(neutron: Neutron, usual: SubnetId | undefined): Resolver {
  const known = new Map<SubnetId, { readonly subnet: Subnet; readonly until_ms: number }>();

  /** Those that there are. */
  async function read(names: readonly SubnetId[], task: Task): Promise<Subnet[]> {
    const now_ms = performance.now();
    const parts = [...new Set(names.flatMap(partsOf))];
    const missing = parts.filter((part) => (known.get(part)?.until_ms ?? 0) < now_ms);
    const found = missing.length === 0 ? [] : await neutron.list('subnets', [], subnetOf, task, { key: 'id', values: missing });
    for (const part of missing) known.delete(part);
    for (const subnet of found) known.set(subnet.id, { subnet, until_ms: now_ms + REMEMBER_ms });
    return parts.flatMap((part) => known.get(part)?.subnet ?? []);
  }

  async function members(listeners: readonly WantedListener[], family: 4 | 6, task: Task): Promise<readonly WantedListener[]> {
    const all = await read(subnetsOf(listeners), task);
    const located = ({ subnet: of, ...one }: WantedMember): WantedMember => {
      const parts = of === undefined ? [] : partsOf(of);
      const part = all.find(({ id, cidr }) => parts.includes(id) && contains(cidr, one.address))?.id;
      return part === undefined ? one : { ...one, subnet: part };
    };
    const own = (one: WantedListener): WantedMember[] => one.members.filter(({ address }) => familyOf(address) === family).map(located);
    return listeners.map((one) => ({ ...one, sources: [], members: own(one) }));
  }

  return {
    members,
    async whole(want, families, task) {
      const name = want.subnet ?? usual;
      if (name === undefined) throw refuse.invalid(askedIn(task), 'neither the Service nor spec.cloud.loadBalancers names a subnet');
      // With those of the members, which are needed next: one list.
      const all = await read([name, ...subnetsOf(want.listeners)], task);
      const own = all.filter(({ id }) => partsOf(name).includes(id));
      if (own.length === 0)
        throw refuse.notFound({ ...askedIn(task), object: `subnet ${name}` }, 'no such subnet, or none that this account may see');
      const subnet = families.map((family) => subnetFor(own, family)).find((one) => one !== undefined);
      if (subnet === undefined)
        throw refuse.invalid(askedIn(task), `subnet ${name} has no IPv${families.join(' and no IPv')}, which the Service asks for`);
      const family = cidrFamily(subnet.cidr);
      const listeners = await members(want.listeners, family, task);
      return { subnet, listeners: listeners.map((one, i) => ({ ...one, sources: sourcesOf(want, i, family) })) };
    },
  };
}

function subnetsOf(listeners: readonly WantedListener[]): SubnetId[] {
  return [...new Set(listeners.flatMap(({ members }) => members.flatMap(({ subnet }) => subnet ?? [])))];
}

/** Of the i-th listener. @throws Failure serviceUnfit when nobody could connect */
function sourcesOf({ listeners, name }: WantedLoadBalancer, i: number, family: 4 | 6): WantedListener['sources'] {
  const all = listeners[i]?.sources ?? [];
  const sources = all.filter((source) => cidrFamily(source) === family);
  // No sources would mean everybody.
  if (all.length === 0 || sources.length > 0) return sources;
  const reason = `its load balancer has an IPv${family} address, and none of spec.loadBalancerSourceRanges is IPv${family}`;
  throw failure('serviceUnfit', { service: name, reason });
}
