/** What the parts of the driver have in common: whom to ask, whose turn it is, and what was promised about addresses. */
import type { InstanceId, InstanceLimits, NicId, SubnetId, Wanted } from '../cloud.ts';
import { type Asked, refuse } from '../wire/asked.ts';
import { partsOf, type Subnet, subnetOf } from './subnet.ts';
import type { Neutron } from './neutron.ts';
import type { Nova } from './nova.ts';
import type { Task } from './session.ts';
import type { Lengths } from './room.ts';
import type { Seen } from './seen.ts';
import type { Turns } from './turns.ts';

/** How Pods get addresses of a subnet: see docs/clouds/openstack.md. */
export type Addressing = 'blocks' | 'fixed-ips' | 'ports';

/** Handed to every part. */
export interface Context {
  readonly neutron: Neutron;
  readonly nova: Nova;
  readonly turn: Turns;
  readonly notes: Notes;
  readonly seen: Seen;
  readonly pairsPerNic: number;
  addressing(subnets: readonly Subnet[]): Addressing;
  /** Of an instance; remembered for minutes: a flavor changes with a resize alone. @throws Failure cloudNotFound */
  limits(instance: InstanceId, task: Task): Promise<InstanceLimits>;
  /** MTUs by network; remembered too. */
  mtus(networks: readonly string[], task: Task): Promise<ReadonlyMap<string, number>>;
  /** Whether Neutron has loaded it; remembered too. @throws Failure cloud* when it does not say */
  hasExtension(alias: string, task: Task): Promise<boolean>;
  /** A task that begins now. */
  readonly begin: (call: string, object: string, wanted?: Asked['wanted']) => Task;
}

/** What this process asked of a NIC a moment ago: Neutron alone does not tell that something is on its way. */
export interface Notes {
  write(nic: NicId, state: 'attaching' | 'detaching'): void;
  read(nic: NicId): 'attaching' | 'detaching' | undefined;
  forget(nic: NicId): void;
}

/** After that time what is on its way is told as it is: Nova gave up. */
const FORGET_ms = 120_000;
const MOST_NOTES = 10_000;

/** Notes that fade. */
export function fadingNotes(now_ms: () => number): Notes {
  const all = new Map<NicId, { readonly state: 'attaching' | 'detaching'; readonly until_ms: number }>();
  return {
    write(nic, state) {
      all.delete(nic);
      all.set(nic, { state, until_ms: now_ms() + FORGET_ms });
      const [oldest] = all.keys();
      if (all.size > MOST_NOTES && oldest !== undefined) all.delete(oldest);
    },
    read(nic) {
      const found = all.get(nic);
      if (found !== undefined && found.until_ms > now_ms()) return found.state;
      all.delete(nic);
      return undefined;
    },
    forget: (nic) => void all.delete(nic),
  };
}

/** The failure's facts, where no answer tells the endpoint. */
export function askedIn(task: Task): Asked {
  return { ...task.asked, endpoint: 'Neutron' };
}

/** Neutron's subnets of that name. @throws Failure cloudNotFound, cloudInvalid when they are of two networks or of one family */
export async function subnetsOf(name: SubnetId, { neutron }: Context, task: Task): Promise<Subnet[]> {
  const parts = partsOf(name);
  const found = await neutron.list('subnets', [], subnetOf, task, { key: 'id', values: parts });
  const missing = parts.find((part) => !found.some(({ id }) => id === part));
  if (missing !== undefined)
    throw refuse.notFound({ ...askedIn(task), object: `subnet ${missing}` }, 'no such subnet, or none that this account may see');
  const networks = new Set(found.map(({ network }) => network));
  if (networks.size !== 1 || found.length > 2 || (found.length === 2 && new Set(found.map(({ cidr }) => cidr.includes(':'))).size !== 2))
    throw refuse.invalid(askedIn(task), `${name} should be one subnet, or an IPv4 and an IPv6 subnet of one network`);
  return found;
}

/** The lengths that may be asked for. @throws Failure cloudInvalid for prefixes where each address is had by itself */
export function lengthsFor(addressing: Addressing, want: Wanted, task: Task): Lengths {
  if (addressing === 'blocks') return { 4: [32, 28], 6: [128, 80] };
  const isByPort = addressing === 'ports';
  if ((want.prefixes4 ?? 0) + (isByPort ? 0 : (want.prefixes6 ?? 0)) > 0)
    throw refuse.invalid(askedIn(task), `${addressing} are single addresses: prefixes need a subnet whose addressing is blocks`);
  // No Pod gets a counted address of IPv6 but out of a /80.
  if (isByPort) return { 4: [32], 6: [128, 80] };
  return { 4: [32], 6: [128] };
}
