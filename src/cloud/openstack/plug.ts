/**
 * Attaching and detaching: to servers by Nova, to trunks by Neutron.
 *
 * Invariants
 * - a NIC's place on its instance is written on it before Nova is asked: whatever becomes of the answer, it is known
 * - what happens on one instance happens one at a time (Nova does so too)
 */
import type { InstanceId, NicId } from '../cloud.ts';
import { familyOf } from '../../net/address.ts';
import { refuse } from '../wire/asked.ts';
import { askedIn, type Context, subnetsOf } from './context.ts';
import { placesOf, writtenPlace } from './find.ts';
import type { Port } from './port.ts';
import { neutronTypeOf, refusalOf } from './refusals.ts';
import { deviceOwnerIn } from './service-types.ts';
import type { Task } from './session.ts';
import { nameOf } from './subnet.ts';
import { own, ownText, ownWordOf } from './tags.ts';

/** Whether a port is in a trunk that is on a server. */
export function isBranch(port: Port): boolean {
  return port.owner === 'trunk:subport';
}

/** See Cloud.attachNic. */
export async function attachNic(nic: NicId, instance: InstanceId, place: number, context: Context): Promise<void> {
  const task = context.begin('attachNic', nic);
  await context.turn(`on ${instance}`, async () => {
    const port = await context.neutron.port(nic, task);
    const asked = askedIn(task);
    if (port.device === instance && writtenPlace(port) === place) return;
    if (port.device === instance) throw refuse.conflict(asked, `it is on ${instance} already, in another place`);
    if (port.device !== '') throw refuse.conflict(asked, `it is attached to ${port.device}`);
    if (isBranch(port)) throw refuse.conflict(asked, 'it is a branch of a trunk');
    const there = await context.neutron.ports({ devices: [instance] }, task);
    const places = await placesOf(there, context, task, true);
    const { nics } = await context.limits(instance, task);
    if (place >= nics) throw refuse.limit(asked, `${instance} may have ${nics} NICs, so there is no place ${place}`);
    const other = [...places].find(([, taken]) => taken === place);
    if (other !== undefined) throw refuse.conflict(asked, `place ${place} of ${instance} is taken by ${other[0]}`);
    if (there.length >= nics) throw refuse.limit(asked, `${instance} has ${there.length} NICs and may have ${nics}`);
    if (writtenPlace(port) !== place) await context.neutron.setWords(nic, [...wordsWithout(port, own.index), `${own.index}${place}`], task);
    await withOwner(port, context, task);
    context.notes.write(nic, 'attaching');
    await context.nova.attach(instance, nic, task);
  });
}

/** Nova empties `device_owner` when it detaches; and Neutron binds nothing that has addresses of a subnet for others' ports. */
async function withOwner(port: Port, context: Context, task: Task): Promise<void> {
  const [first] = port.fixed;
  if (port.owner !== '' || first === undefined) return;
  const owner = deviceOwnerIn(
    await subnetsOf(nameOf(port.fixed.map(({ subnet, ip }) => ({ subnet, family: familyOf(ip) }))), context, task),
    '',
    askedIn(task),
  );
  if (owner === '') return;
  // The words were written a moment ago, which moved its revision.
  const now = await context.neutron.port(port.id, task);
  if (now.device !== '' || (await context.neutron.updatePort(now, { device_owner: owner }, task)) === undefined)
    throw refuse.conflict(askedIn(task), 'it was changed meanwhile');
}

/** See Cloud.detachNic. */
export async function detachNic(nic: NicId, context: Context): Promise<void> {
  const task = context.begin('detachNic', nic);
  const port = await context.neutron.port(nic, task);
  const asked = askedIn(task);
  if (isBranch(port)) return await leaveTrunk(port, context, task);
  if (port.device === '') return;
  if (port.trunk !== undefined && port.trunk.subports.length > 0)
    throw refuse.conflict(asked, `${port.trunk.subports.length} branches are on it`);
  const places = await placesOf([port], context, task);
  if (places.get(nic) === 0) throw refuse.invalid(asked, `it is the first NIC of ${port.device}`);
  // What a port is on, when it is no branch.
  const instance = port.device as InstanceId;
  await context.turn(`on ${instance}`, async () => {
    // Without an attachment it is done, unless the server ended while Nova plugged it in: then nobody but us takes its name off the port.
    if ((await context.nova.detach(instance, nic, task)) || (await context.nova.server(instance, task)) !== undefined) return;
    await freed(nic, instance, context, task);
  });
  context.notes.write(nic, 'detaching');
}

/** @throws Failure cloudConflict when somebody changed the port at the same time */
async function freed(nic: NicId, instance: InstanceId, context: Context, task: Task): Promise<void> {
  const [now] = await context.neutron.ports({ ids: [nic] }, task);
  if (now?.device !== instance) return;
  if ((await context.neutron.updatePort(now, { device_id: '', device_owner: '' }, task)) === undefined)
    throw refuse.conflict(askedIn(task), 'it was changed meanwhile');
}

function wordsWithout(port: Port, kind: string): string[] {
  return port.words.filter((word) => !word.startsWith(kind));
}

/** See Cloud.attachBranch. */
export async function attachBranch(nic: NicId, trunk: NicId, vlan: number, context: Context): Promise<void> {
  const task = context.begin('attachBranch', nic);
  await context.turn(`trunk ${trunk}`, async () => {
    const [port, parent] = await Promise.all([context.neutron.port(nic, task), context.neutron.port(trunk, task)]);
    const asked = askedIn(task);
    if (parent.trunk === undefined) throw refuse.invalid(asked, `${trunk} is no trunk`);
    const there = parent.trunk.subports.find((one) => one.port === nic);
    if (there?.vlan === vlan) return;
    if (there !== undefined) throw refuse.conflict(asked, `it is a branch of ${trunk} already, with VLAN ${there.vlan}`);
    if (port.device !== '') throw refuse.conflict(asked, `it is attached to ${port.device}`);
    if (isBranch(port)) throw refuse.conflict(asked, 'it is a branch of another trunk');
    if (parent.device === '') throw refuse.conflict(asked, `${trunk} is attached to no instance`);
    if (parent.trunk.subports.some((one) => one.vlan === vlan)) throw refuse.conflict(asked, `VLAN ${vlan} of ${trunk} is taken`);
    await checkBranches(parent, context, task);
    const words = [...wordsWithout(port, own.trunk), ownWordOf(own.trunk, trunk)];
    if (ownText(port.words, own.trunk) !== trunk) await context.neutron.setWords(nic, words, task);
    const sub_ports = [{ port_id: nic, segmentation_type: 'vlan', segmentation_id: vlan }];
    const path = `/trunks/${encodeURIComponent(parent.trunk.id)}/add_subports`;
    await context.neutron.send({ method: 'PUT', path, body: { sub_ports } }, task);
  });
}

/** Neutron has no limit of its own. */
async function checkBranches(parent: Port, context: Context, task: Task): Promise<void> {
  // What a port is on, when it is a trunk.
  const { branches = 0 } = await context.limits(parent.device as InstanceId, task);
  const there = await context.neutron.ports({ devices: [parent.device] }, task);
  const now = there.reduce((sum, { trunk }) => sum + (trunk?.subports.length ?? 0), 0);
  if (now >= branches) throw refuse.limit(askedIn(task), `${parent.device} has ${now} branches and may have ${branches}`);
}

async function leaveTrunk(port: Port, context: Context, task: Task): Promise<void> {
  const named = ownText(port.words, own.trunk);
  const parents = named === undefined ? [] : await context.neutron.ports({ ids: [named] }, task);
  const trunk = parents.find((one) => one.trunk?.subports.some((sub) => sub.port === port.id))?.trunk?.id;
  if (trunk === undefined) throw refuse.conflict(askedIn(task), 'it is a branch of a trunk that somebody else put it in');
  const body = { sub_ports: [{ port_id: port.id }] };
  const answer = await context.neutron.ask({ method: 'PUT', path: `/trunks/${encodeURIComponent(trunk)}/remove_subports`, body }, task);
  if (answer.status !== 200 && neutronTypeOf(answer) !== 'SubPortNotFound') throw refusalOf(answer);
}
