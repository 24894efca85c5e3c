/** What a NIC may have: of slots, of which Neutron knows no limit, so that no NIC is asked for more than its account was told, and of address pairs. */
import { type Cidr, cidrFamily } from '../../net/cidr.ts';
import type { InstanceId } from '../cloud.ts';
import { refuse } from '../wire/asked.ts';
import { askedIn, type Context } from './context.ts';
import type { Port } from './port.ts';
import type { Task } from './session.ts';

/** What a NIC would hold. */
interface Wished {
  readonly blocks: readonly Cidr[];
  /** IPv4 addresses that Neutron is yet to choose. */
  readonly more4: number;
}

/** @throws Failure cloudLimit when a NIC that is on an instance would hold more than its slots. */
export async function checkSlots(port: Port, { blocks, more4 }: Wished, context: Context, task: Task): Promise<void> {
  if (port.device === '') return;
  // What a port is on, when it is no reservation.
  const { addressSlotsPerNic, ipv6SlotsPerNic } = await context.limits(port.device as InstanceId, task);
  const of = (family: 4 | 6): number =>
    blocks.filter((block) => cidrFamily(block) === family).length +
    (family === 4 ? more4 : 0) +
    (port.fixed.some(({ ip }) => ip.includes(':') === (family === 6)) ? 1 : 0);
  for (const [family, most] of [
    [4, addressSlotsPerNic],
    [6, ipv6SlotsPerNic],
  ] as const)
    if (of(family) > most)
      throw refuse.limit(askedIn(task), `${of(family)} slots of IPv${family} would be needed, and a NIC here has ${most}`);
}

/** Before Neutron refuses them, by its own limit. @throws Failure cloudLimit when a NIC would have more pairs than it may. */
export function checkPairs(pairs: readonly object[], { pairsPerNic }: Context, task: Task): void {
  if (pairs.length > pairsPerNic)
    throw refuse.limit(askedIn(task), `${pairs.length} address pairs would be needed, and a NIC has at most ${pairsPerNic}`);
}
