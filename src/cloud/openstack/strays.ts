/**
 * Reservations that nobody ends: their NIC is gone, deleted by hand or with the server whose own it was; or it is there and does not let them through, since
 * an unassign that had taken the pairs away died before the reservations, and the NIC was never changed again. Nobody uses their addresses, and nobody
 * finds them but by their tags. Each is shown as a detached NIC of its cluster, so that the sweep, which is careful, deletes it like any other.
 *
 * Invariants
 * - only among all of a cluster is one found, or by its own id; and what is shown lacked its NIC, or its pair, in a second list, which began after the first
 *   had ended
 * - its NIC is looked at once more right before it is deleted, in that NIC's turn: no assign can be about to use what it began with
 */
import type { CloudNic, NicFilter } from '../cloud.ts';
import { tagKeys } from '../tag-keys.ts';
import { refuse } from '../wire/asked.ts';
import { askedIn, type Context } from './context.ts';
import { deviceNameOf, heldBy, isReservation, MADE, reservationOf } from './held.ts';
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
  const known = nicsByDevice(listed);
  const doubtful = listed.filter((port) => isReservation(port) && !isLetThrough(port, known.get(port.device)));
  const owners = await ownersOf(doubtful, context, task);
  const lost = doubtful.filter((port) => !isLetThrough(port, owners.get(port.device)));
  const mtus = await context.mtus([...new Set(lost.map(({ network }) => network))], task);
  return lost.flatMap((port): CloudNic[] => {
    const [[first], found] = [port.fixed, reservationOf(port)];
    if (first === undefined || found === undefined) return [];
    const { id, mac, network, words, createdAt_ms } = port;
    const nic = { id, mac, subnet: first.subnet, mtu: mtus.get(network) ?? 1500, blocks: [found.block], securityGroups: [] };
    return [{ ...nic, tags: tagsIn(words), createdAt_ms }];
  });
}

/** Deletes one. @throws Failure cloudConflict when its NIC lets it through after all */
export async function dropStray(port: Port, context: Context, task: Task): Promise<void> {
  const owner = (await ownersOf([port], context, task)).get(port.device);
  if (owner === undefined) return await context.neutron.deletePort(port, task);
  await context.turn(owner.id, async () => {
    const now = (await ownersOf([port], context, task)).get(port.device);
    if (isLetThrough(port, now)) throw refuse.conflict(askedIn(task), 'it is a reservation, and its NIC is there');
    await context.neutron.deletePort(port, task);
  });
}

/** Whether that NIC, where there is one, lets the reserved block through. */
function isLetThrough(port: Port, nic: Port | undefined): boolean {
  const found = reservationOf(port);
  return nic !== undefined && found !== undefined && heldBy(nic, [found]).pending.length === 0;
}

/** The NICs of these reservations, by their devices. */
async function ownersOf(reservations: readonly Port[], { neutron }: Context, task: Task): Promise<Map<string, Port>> {
  const devices = [...new Set(reservations.map(({ device }) => device))];
  const keys = devices.flatMap((device) => (device.startsWith(MADE) ? [`${own.key}${device.slice(MADE.length)}`] : []));
  const ids = devices.filter((device) => !device.startsWith(MADE));
  const made = keys.length === 0 ? [] : await neutron.ports({ anyWord: keys }, task);
  const others = ids.length === 0 ? [] : await neutron.ports({ ids }, task);
  return nicsByDevice([...made, ...others]);
}

function nicsByDevice(ports: readonly Port[]): Map<string, Port> {
  return new Map(ports.filter((port) => !isReservation(port)).map((port) => [deviceNameOf(port), port]));
}
