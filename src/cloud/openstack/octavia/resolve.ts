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

/** Subnets hardly ever change: what was read is believed for so long. */
const REMEMBER_ms = 300_000;

/** `usual`: the subnet where the Service names none. The `families` are tried in order. @throws Failure cloudInvalid, cloudNotFound, serviceUnfit */
export function resolver(
  neutron: Neutron,
  usual: SubnetId | undefined,
): (want: WantedLoadBalancer, families: readonly (4 | 6)[], task: Task) => Promise<Resolved> {
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

  return async (want, families, task) => {
    const name = want.subnet ?? usual;
    if (name === undefined) throw refuse.invalid(askedIn(task), 'neither the Service nor spec.cloud.loadBalancers names a subnet');
    const ofMembers = new Set(want.listeners.flatMap(({ members }) => members.flatMap(({ subnet }) => subnet ?? [])));
    const all = await read([name, ...ofMembers], task);
    const within = (of: SubnetId): Subnet[] => all.filter(({ id }) => partsOf(of).includes(id));
    const own = within(name);
    if (own.length === 0)
      throw refuse.notFound({ ...askedIn(task), object: `subnet ${name}` }, 'no such subnet, or none that this account may see');
    const subnet = families.map((family) => subnetFor(own, family)).find((one) => one !== undefined);
    if (subnet === undefined)
      throw refuse.invalid(askedIn(task), `subnet ${name} has no IPv${families.join(' and no IPv')}, which the Service asks for`);
    const family = cidrFamily(subnet.cidr);
    const member = ({ subnet: of, ...one }: WantedMember): WantedMember => {
      const part = of === undefined ? undefined : within(of).find(({ cidr }) => contains(cidr, one.address))?.id;
      return part === undefined ? one : { ...one, subnet: part };
    };
    return { subnet, listeners: want.listeners.map((one) => ofFamily(one, want.name, family, member)) };
  };
}

/** @throws Failure serviceUnfit when nobody could connect */
function ofFamily(one: WantedListener, service: string, family: 4 | 6, member: (one: WantedMember) => WantedMember): WantedListener {
  const sources = one.sources.filter((source) => cidrFamily(source) === family);
  // No sources would mean everybody.
  if (one.sources.length > 0 && sources.length === 0) {
    const reason = `its load balancer has an IPv${family} address, and none of spec.loadBalancerSourceRanges is IPv${family}`;
    throw failure('serviceUnfit', { service, reason });
  }
  return { ...one, sources, members: one.members.filter(({ address }) => familyOf(address) === family).map(member) };
}
