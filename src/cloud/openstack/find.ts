/** NICs as the rest of Flatpod sees them, put together from ports, reservations, trunks and networks. */
import { failure } from '../../errors/failure.ts';
import type { CloudNic, InstanceId, NicFilter, NicId } from '../cloud.ts';
import { selects, severalOf } from '../selected.ts';
import { id as idOf, object, type Read } from '../wire/shape.ts';
import type { Context } from './context.ts';
import { deviceNameOf, heldBy, isReservation, reservationOf, type Reservation, subnetOf } from './held.ts';
import type { PortQuery } from './neutron.ts';
import { type Port, type Subport, subportsOf } from './port.ts';
import type { Task } from './session.ts';
import { mayBeStrays, straysAmong } from './strays.ts';
import { own, ownText, ownWord, tagsIn, wordsOf } from './tags.ts';

/** See Cloud.nics. */
export async function nics(filter: NicFilter, context: Context): Promise<CloudNic[]> {
  const query = queryOf(filter);
  if (filter.ids?.length === 0 || query.devices?.length === 0) return [];
  if (query.ids === undefined && query.devices === undefined && query.words === undefined && query.anyWord === undefined)
    throw failure('cloudInvalid', { cloud: 'openstack', call: 'nics', text: 'a filter without conditions' });
  const task = context.begin('nics', wordsFor(filter));
  const ports = await context.neutron.ports(query, task);
  const real = ports.filter((port) => !isReservation(port));
  // A list by tags has the reservations too: they carry the tags of their NICs.
  const isByTags = query.ids === undefined && query.devices === undefined;
  const others = isByTags ? ports : await reservationsOf(real, context, task);
  const reservations = others.flatMap((port) => reservationOf(port) ?? []);
  const isWhole = query.devices !== undefined && Object.keys(query).length === 1;
  const strays = mayBeStrays(filter) ? await straysAmong(ports, context, task) : [];
  return [...(await found(real, reservations, context, task, isWhole)), ...strays].filter(selects(filter));
}

async function reservationsOf(ports: readonly Port[], { neutron }: Context, task: Task): Promise<Port[]> {
  return ports.length === 0 ? [] : await neutron.ports({ devices: ports.map(deviceNameOf) }, task);
}

/**
 * One key with several values goes as `tags-any`, and then alone: together with `tags` Neutron answers 500 (its query joins the tags twice). What came too
 * much by that, and by words that stand for a part of a value, is left out afterwards.
 */
function queryOf({ ids, instance, tags = {} }: NicFilter): PortQuery {
  const several = Object.entries(tags).filter(([, values]) => typeof values !== 'string');
  const words = Object.entries(tags).flatMap(([key, value]) => (typeof value === 'string' ? wordsOf(key, value) : []));
  const [[key, values] = ['', []]] = several;
  const anyWord = severalOf(values).flatMap((value) => wordsOf(key, value));
  return {
    ...(ids !== undefined && { ids }),
    ...(instance !== undefined && { devices: severalOf(instance) }),
    ...(anyWord.length > 0 ? { anyWord } : words.length > 0 && { words }),
  };
}

function wordsFor({ ids = [], instance, tags = {} }: NicFilter): string {
  const conditions = [
    ...ids,
    ...severalOf(instance),
    ...Object.entries(tags).map(([key, values]) => `${key}=${severalOf(values).join('|')}`),
  ];
  return conditions.slice(0, 3).join(', ') + (conditions.length > 3 ? ` and ${conditions.length - 3} more` : '');
}

/** The ports as NICs; `reservations` has theirs, and may have others. `isWhole`: of each server that a port is on, all ports are there. */
export async function found(
  ports: readonly Port[],
  reservations: readonly Reservation[],
  context: Context,
  task: Task,
  isWhole = false,
): Promise<CloudNic[]> {
  const byDevice = Map.groupBy(reservations, ({ port }) => port.device);
  const [mtus, places, branches] = await Promise.all([
    context.mtus([...new Set(ports.map(({ network }) => network))], task),
    placesOf(ports, context, task, isWhole),
    branchesOf(ports, context, task),
  ]);
  return ports.map((port): CloudNic => {
    const held = heldBy(port, byDevice.get(deviceNameOf(port)) ?? []);
    const { primary4, primary6, blocks } = held;
    const branch = branches.get(port.id);
    const attachment = attachmentOf(port, places, context);
    return {
      id: port.id,
      mac: port.mac,
      subnet: subnetOf(port, held),
      mtu: mtus.get(port.network) ?? 1500,
      ...(primary4 !== undefined && { primary4: primary4.ip }),
      ...(primary6 !== undefined && { primary6: primary6.ip }),
      blocks,
      securityGroups: port.groups,
      tags: tagsIn(port.words),
      ...(!port.isGuarded && { multiMac: true }),
      // Neutron's networks learn from the wire who has what is not a port's own.
      nodeAnswers: true,
      ...(port.trunk !== undefined && { isTrunk: true }),
      ...(branch !== undefined && { branch }),
      ...(attachment !== undefined && { attachment }),
      createdAt_ms: port.createdAt_ms,
    };
  });
}

function attachmentOf(port: Port, places: ReadonlyMap<NicId, number>, { notes }: Context): CloudNic['attachment'] {
  const deviceIndex = places.get(port.id);
  if (port.device === '' || deviceIndex === undefined) return undefined;
  const note = notes.read(port.id);
  // Status ACTIVE comes after Nova's answer; later it may come and go with the agent on the host, which says nothing of the NIC.
  const state = note === 'attaching' && port.status === 'ACTIVE' ? 'attached' : (note ?? 'attached');
  // What a port is on, when it is no reservation.
  return { instance: port.device as InstanceId, deviceIndex, state };
}

/**
 * The places of NICs on their instances: those we attached have theirs written on them. Of the others, which came with the server or by hand, the first made
 * has place 0 and the rest the lowest that are free. `isWhole`: see above.
 */
export async function placesOf(ports: readonly Port[], { neutron }: Context, task: Task, isWhole = false): Promise<Map<NicId, number>> {
  const attached = ports.filter(({ device }) => device !== '');
  // Who is first cannot be told from one of them.
  const unknown = isWhole ? [] : [...new Set(attached.filter((port) => writtenPlace(port) === undefined).map(({ device }) => device))];
  const all = unknown.length === 0 ? [] : await neutron.ports({ devices: unknown }, task);
  const byDevice = Map.groupBy([...new Map([...all, ...attached].map((port) => [port.id, port])).values()], ({ device }) => device);
  return new Map([...byDevice.values()].flatMap((together) => [...placesOn(together)]));
}

function placesOn(together: readonly Port[]): Map<NicId, number> {
  const places = new Map<NicId, number>();
  for (const port of together) {
    const place = writtenPlace(port);
    if (place !== undefined) places.set(port.id, place);
  }
  const rest = together.filter(({ id }) => !places.has(id)).toSorted((a, b) => a.createdAt_ms - b.createdAt_ms || (a.id < b.id ? -1 : 1));
  const taken = new Set(places.values());
  let next = 0;
  for (const { id } of rest) {
    while (taken.has(next)) next++;
    places.set(id, next);
    taken.add(next);
  }
  return places;
}

/** The place that we wrote on it when we attached it. */
export function writtenPlace(port: Port): number | undefined {
  const word = ownWord(port.words, own.index);
  return word !== undefined && /^\d{1,3}$/.test(word) ? Number(word) : undefined;
}

/** Whether it is, or was last, in a trunk. */
function mayBeBranch(port: Port): boolean {
  return port.owner === 'trunk:subport' || ownWord(port.words, own.trunk) !== undefined;
}

/** Which trunks the ports are branches of: from the trunks in the list, else from those that the branches name, else from all. */
async function branchesOf(ports: readonly Port[], context: Context, task: Task): Promise<Map<NicId, { trunk: NicId; vlan: number }>> {
  const branches = new Map<NicId, { trunk: NicId; vlan: number }>();
  const add = (parent: NicId, subports: readonly Subport[]): void => {
    for (const { port, vlan } of subports) branches.set(port, { trunk: parent, vlan });
  };
  for (const { id: parent, trunk } of ports) add(parent, trunk?.subports ?? []);
  const looked = new Set<string>(ports.flatMap((port) => (port.trunk === undefined ? [] : [port.id])));
  const open = (): Port[] => ports.filter((port) => mayBeBranch(port) && !branches.has(port.id));
  const named = new Set(open().flatMap((port) => ownText(port.words, own.trunk) ?? [])).difference(looked);
  if (named.size > 0)
    for (const { parent, subports } of await context.neutron.list('trunks', [], parentOf, task, { key: 'port_id', values: [...named] }))
      add(parent, subports);
  if (open().some(({ owner }) => owner === 'trunk:subport'))
    for (const { parent, subports } of await context.neutron.list('trunks', [], parentOf, task)) add(parent, subports);
  return branches;
}

const parentOf: Read<{ parent: NicId; subports: Subport[] }> = (value, at) => {
  const from = object(value, at);
  return { parent: idOf<NicId>(from['port_id'], `${at}.port_id`), subports: subportsOf(from['sub_ports'], `${at}.sub_ports`) };
};
