/**
 * Reservations that outlived their NIC, which somebody deleted by hand, or which was a server's own and went with it: nobody uses their addresses, and nobody
 * finds them but by their tags. Each is shown as a detached NIC of its cluster, so that the sweep, which is careful, deletes it like any other.
 *
 * Invariants
 * - only among all of a cluster is one found, or by its own id; and what is shown lacked its NIC in a second list, which began after the first had ended
 * - its NIC is looked for once more right before it is deleted, at the revision that was seen then
 */
import type { CloudNic, NicFilter } from '../cloud.ts';
import { tagKeys } from '../tag-keys.ts';
import { refuse } from '../wire/asked.ts';
import { askedIn, type Context } from './context.ts';
import { deviceNameOf, isReservation, MADE, reservationOf } from './held.ts';
import type { Port } from './port.ts';
import type { Task } from './session.ts';
import { own, tagsIn } from './tags.ts';

/** Whether strays are to be shown: all NICs of a cluster are asked for, or single ones. */
export function mayBeStrays({ ids, instance, tags = {} }: NicFilter): boolean {
  const isOfCluster = typeof tags[tagKeys.cluster] === 'string' && Object.keys(tags).length === 1;
  return instance === undefined && (ids !== undefined || isOfCluster);
}

/** Those among the listed ports. The NICs are looked for there, and then by name: one whose tags were changed by hand is still one. */
export async function straysAmong(listed: readonly Port[], context: Context, task: Task): Promise<CloudNic[]> {
  const known = new Set(listed.filter((port) => !isReservation(port)).map(deviceNameOf));
  const doubtful = listed.filter((port) => isReservation(port) && !known.has(port.device));
  const owned = await ownedOf(doubtful, context, task);
  const lost = doubtful.filter(({ device }) => !owned.has(device));
  const mtus = await context.mtus([...new Set(lost.map(({ network }) => network))], task);
  return lost.flatMap((port): CloudNic[] => {
    const [[first], found] = [port.fixed, reservationOf(port)];
    if (first === undefined || found === undefined) return [];
    const { id, mac, network, words, createdAt_ms } = port;
    const nic = { id, mac, subnet: first.subnet, mtu: mtus.get(network) ?? 1500, blocks: [found.block], securityGroups: [] };
    return [{ ...nic, tags: tagsIn(words), createdAt_ms }];
  });
}

/** Deletes one. @throws Failure cloudConflict when it has a NIC after all */
export async function dropStray(port: Port, context: Context, task: Task): Promise<void> {
  const owned = await ownedOf([port], context, task);
  if (owned.size > 0) throw refuse.conflict(askedIn(task), 'it is a reservation, and its NIC is there');
  await context.neutron.deletePort(port, task);
}

/** The devices of these reservations whose NIC is there. */
async function ownedOf(reservations: readonly Port[], { neutron }: Context, task: Task): Promise<Set<string>> {
  const devices = [...new Set(reservations.map(({ device }) => device))];
  const keys = devices.flatMap((device) => (device.startsWith(MADE) ? [`${own.key}${device.slice(MADE.length)}`] : []));
  const ids = devices.filter((device) => !device.startsWith(MADE));
  const made = keys.length === 0 ? [] : await neutron.ports({ anyWord: keys }, task);
  const others = ids.length === 0 ? [] : await neutron.ports({ ids }, task);
  return new Set([...made, ...others].filter((port) => !isReservation(port)).map(deviceNameOf));
}
