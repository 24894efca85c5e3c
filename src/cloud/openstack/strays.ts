/**
 * Reservations that outlived their NIC, which somebody deleted by hand: nobody uses their addresses, and nobody finds them but by their tags.
 *
 * Invariants
 * - what is called a stray lacked its NIC in two lists, the second of which began after the first had ended
 * - it is looked for once more right before it is deleted, at the revision that was seen then
 */
import type { Cidr } from '../../net/cidr.ts';
import type { NicId, Tags } from '../cloud.ts';
import { refuse } from '../wire/asked.ts';
import { askedIn, type Context } from './context.ts';
import { deviceNameOf, isReservation, reservationOf } from './held.ts';
import type { Port } from './port.ts';
import type { Task } from './session.ts';
import { allWordsOf, own } from './tags.ts';

/** A reservation without a NIC. */
export interface Stray {
  readonly port: NicId;
  readonly block: Cidr;
  /** Milliseconds since the epoch. */
  readonly createdAt_ms: number;
}

/** Those with all of these tags. The NICs are looked for by their tags, and then one by one: a NIC whose tags were changed by hand is still one. */
export async function straysOf(tags: Tags, context: Context, task: Task): Promise<Stray[]> {
  const ports = await context.neutron.ports({ words: allWordsOf(tags) }, task);
  const known = new Set(ports.filter((port) => !isReservation(port)).map(deviceNameOf));
  const doubtful = ports.filter((port) => isReservation(port) && !known.has(port.device));
  const lost: Stray[] = [];
  for (const port of doubtful) {
    const found = reservationOf(port);
    if (found !== undefined && !(await hasNic(port, context, task)))
      lost.push({ port: port.id, block: found.block, createdAt_ms: port.createdAt_ms });
  }
  return lost;
}

/** Deletes one. Also when it is gone. @throws Failure cloudConflict when it has a NIC after all, or is no reservation */
export async function dropStray(id: NicId, context: Context, task: Task): Promise<void> {
  const [port] = await context.neutron.ports({ ids: [id] }, task);
  if (port === undefined) return;
  if (!isReservation(port)) throw refuse.conflict(askedIn(task), 'it is no reservation');
  if (await hasNic(port, context, task)) throw refuse.conflict(askedIn(task), 'its NIC is there');
  await context.neutron.deletePort(port, task);
}

async function hasNic({ device }: Port, { neutron }: Context, task: Task): Promise<boolean> {
  const key = device.startsWith('flatpod-') ? device.slice('flatpod-'.length) : undefined;
  const found = await neutron.ports(key === undefined ? { ids: [device] } : { words: [`${own.key}${key}`] }, task);
  return found.some((port) => !isReservation(port));
}
