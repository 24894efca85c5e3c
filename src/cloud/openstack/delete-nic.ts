/** NICs deleted. Nothing that is on an instance, in a trunk or a trunk with branches is: Neutron itself would. */
import type { NicId } from '../cloud.ts';
import { refuse } from '../wire/asked.ts';
import { askedIn, type Context } from './context.ts';
import { deviceNameOf, isReservation } from './held.ts';
import { dropAll } from './hold.ts';
import { isBranch } from './plug.ts';
import type { Port } from './port.ts';
import { refusalOf } from './refusals.ts';
import type { Task } from './session.ts';
import { dropStray } from './strays.ts';

/** See Cloud.deleteNic. */
export async function deleteNic(nic: NicId, context: Context): Promise<void> {
  const task = context.begin('deleteNic', nic);
  await context.turn(nic, async () => {
    const [port] = await context.neutron.ports({ ids: [nic] }, task);
    if (port === undefined) return;
    await (isReservation(port) ? dropStray : deleted)(port, context, task);
  });
}

/**
 * Its pairs are of no use to anybody while it is on no instance: so first what it reserves, which is found by it, then itself.
 * @throws Failure cloudConflict when it is attached, or a branch, or has branches
 */
export async function deleted(port: Port, context: Context, task: Task): Promise<void> {
  const { neutron } = context;
  const asked = askedIn(task);
  if (port.device !== '') throw refuse.conflict(asked, `it is attached to ${port.device}`);
  if (isBranch(port)) throw refuse.conflict(asked, 'it is a branch of a trunk');
  if (port.trunk !== undefined && port.trunk.subports.length > 0)
    throw refuse.conflict(asked, `${port.trunk.subports.length} branches are on it`);
  const reservations = await neutron.ports({ devices: [deviceNameOf(port)] }, task);
  await dropAll(
    reservations.flatMap((one) => (isReservation(one) ? { port: one } : [])),
    context,
    task,
  );
  if (port.trunk === undefined) return await neutron.deletePort(port, task);
  const answer = await neutron.ask({ method: 'DELETE', path: `/trunks/${encodeURIComponent(port.trunk.id)}` }, task);
  if (answer.status !== 204 && answer.status !== 404) throw refusalOf(answer);
  // Deleting the trunk moved its revision.
  const now = await neutron.port(port.id, task);
  if (now.device !== '') throw refuse.conflict(asked, `it is attached to ${now.device}`);
  await neutron.deletePort(now, task);
}
