/**
 * Making and deleting NICs.
 *
 * Invariants
 * - a NIC, its tags and the reservations of what it is born with come to be in one request, all or none; a repeated token finds them and adds the pairs that are missing
 * - a token is one NIC, also of two controllers at the same instant: its Ethernet address is made of the token, and Neutron has each once in a network
 * - nothing that is on an instance, in a trunk or a trunk with branches is deleted; Neutron itself would
 */
import { createHash } from 'node:crypto';
import { isFailure } from '../../errors/failure.ts';
import { type Cidr, firstOf } from '../../net/cidr.ts';
import { familyOf, type Ip } from '../../net/address.ts';
import { type Mac, parseMac } from '../../net/mac.ts';
import type { CloudNic, CreateNic, NicId } from '../cloud.ts';
import { refuse, wantedOf } from '../wire/asked.ts';
import { askedIn, type Context, lengthsFor, subnetsOf } from './context.ts';
import { needsFresh } from './decide.ts';
import { found as nicsOf } from './find.ts';
import { deviceNameOf, heldBy, isPodPort, isReservation, pairsFor, hasPairs, reservationOf } from './held.ts';
import { dropAll } from './hold.ts';
import type { Port } from './port.ts';
import { fixedIn, isFixed, reservationBody } from './reserve.ts';
import { chosen, missingOf, ownAddresses, roomOf } from './room.ts';
import { deviceOwnerIn } from './service-types.ts';
import type { Task } from './session.ts';
import { allWordsOf, own, ownWord, ownWordOf } from './tags.ts';
import type { Subnet } from './subnet.ts';
import { isFinal, refusalOf } from './refusals.ts';
import { isBranch } from './plug.ts';
import { dropStray } from './strays.ts';

/** Rounds of choosing addresses that others take first. */
const ROUNDS = 5;
/** `device_owner` of a NIC until Nova writes its own, where its subnet has no service types. */
const NIC_OWNER = 'flatpod:nic';

/** See Cloud.createNic. */
export async function createNic(request: CreateNic, context: Context): Promise<CloudNic> {
  const task = context.begin('createNic', `a NIC in ${request.subnet}`, wantedOf(request.subnet, request.want, 1));
  const making = context.turn(`token ${request.clientToken}`, async () => {
    const before = await withToken(request, context, task);
    if (before !== undefined) return await finished(before, request, context, task);
    await mayTag(context, task);
    const subnets = await subnetsOf(request.subnet, context, task);
    const shunned: Cidr[] = [];
    let attempt = 0;
    let isDoubtful = false;
    for (let round = 0; round < ROUNDS; round++) {
      const mac = macOf(request.clientToken, attempt);
      const bodies = await bodiesFor(request, { subnets, shunned, mac, isDoubtful }, context, task);
      try {
        const made = await context.neutron.createPorts(bodies.ports, task);
        const nic = made.find((port) => !isReservation(port));
        if (nic === undefined) throw refuse.garbled(askedIn(task), 'no port was made');
        context.seen.made(subnets, [nic]);
        return await finished({ nic, reservations: made.filter(isReservation) }, request, context, task, true);
      } catch (error) {
        if (isMacInUse(error)) {
          const made = await withToken(request, context, task);
          if (made !== undefined) return await finished(made, request, context, task);
          if (!(await isAnothers(mac, subnets, context, task))) throw error;
          attempt++;
        } else if (!isFailure(error, 'cloudAddressTaken') || (bodies.isFresh && bodies.chosen.length === 0)) throw error;
        else if (bodies.isFresh) shunned.push(...bodies.chosen);
        isDoubtful = true;
      }
    }
    throw refuse.full(askedIn(task), `others took what was chosen, ${ROUNDS} times`);
  });
  return await making.finally(() => context.seen.over(task));
}

function isMacInUse(error: unknown): boolean {
  return isFailure(error, 'cloudConflict') && error.details.startsWith('MacAddressInUse:');
}

/** One of 2^40 that another token has as well. When nobody is seen to have it, a list lags: then the one with this very token may be there. */
async function isAnothers(mac: Mac, subnets: readonly Subnet[], { neutron }: Context, task: Task): Promise<boolean> {
  return (await neutron.ports({ mac }, task)).some(({ network }) => network === subnets[0]?.network);
}

interface Made {
  readonly nic: Port;
  readonly reservations: readonly Port[];
}

/** What an earlier call with the token made. @throws Failure cloudInvalid when that call asked for something else */
async function withToken(request: CreateNic, { neutron }: Context, task: Task): Promise<Made | undefined> {
  const key = keyOf(request.clientToken);
  const named = await neutron.ports({ words: [`${own.key}${key}`] }, task);
  const nic = named.find((port) => !isReservation(port));
  if (nic === undefined) return undefined;
  if (ownWord(nic.words, own.request) !== digestOf(request))
    throw refuse.invalid(askedIn(task), `the token ${request.clientToken} was used for another request: port ${nic.id}`);
  return { nic, reservations: await neutron.ports({ devices: [deviceNameOf(nic)] }, task) };
}

/** Adds what one request cannot bring: pairs and the trunk. `isFresh`: this very call made it. */
async function finished({ nic, reservations }: Made, request: CreateNic, context: Context, task: Task, isFresh = false): Promise<CloudNic> {
  const had = reservations.flatMap((port) => reservationOf(port) ?? []);
  let port = nic;
  try {
    if (heldBy(nic, had).pending.length > 0) {
      const isWhole = had.some((one) => isPodPort(one.port));
      const blocks = isWhole ? (await subnetsOf(request.subnet, context, task)).map(({ cidr }) => cidr) : had.map(({ block }) => block);
      port = await paired(nic, blocks, context, task);
    }
    if (request.isTrunk === true && nic.trunk === undefined) port = await asTrunk(port, context, task);
  } catch (error) {
    // What is refused for good must not stay: the next token makes another one. The refusal is what matters; the sweeper finds what could not be undone.
    if (isFresh && isFinal(error)) await undo(nic.id, context, task).catch(() => {});
    throw error;
  }
  const [made] = await nicsOf([port], had, context, task);
  if (made === undefined) throw refuse.garbled(askedIn(task), `port ${nic.id} is no NIC`);
  return made;
}

async function undo(id: NicId, context: Context, task: Task): Promise<void> {
  const [now] = await context.neutron.ports({ ids: [id] }, task);
  if (now !== undefined) await deleted(now, context, task);
}

async function paired(nic: Port, blocks: readonly Cidr[], context: Context, task: Task): Promise<Port> {
  let port: Port | undefined = nic;
  for (let round = 0; round < ROUNDS; round++) {
    const pairs = pairsFor(port, blocks, [], []);
    if (pairs.length > context.pairsPerNic)
      throw refuse.limit(askedIn(task), `${pairs.length} address pairs would be needed, and a NIC has at most ${context.pairsPerNic}`);
    if (hasPairs(port, pairs)) return port;
    const now = await context.neutron.updatePort(port, { allowed_address_pairs: pairs }, task);
    if (now !== undefined) return now;
    port = await context.neutron.port(nic.id, task);
  }
  throw refuse.conflict(askedIn(task), `it was changed by others ${ROUNDS} times`);
}

async function asTrunk(port: Port, { neutron }: Context, task: Task): Promise<Port> {
  const answer = await neutron.ask({ method: 'POST', path: '/trunks', body: { trunk: { port_id: port.id, name: port.name } } }, task);
  if (answer.status === 404) throw refuse.invalid(answer.asked, 'this Neutron has no trunks (the service plugin `trunk` is not loaded)');
  if (answer.status !== 201) throw refusalOf(answer);
  return await neutron.port(port.id, task);
}

interface Bodies {
  readonly ports: object[];
  /** What others would do as well for. */
  readonly chosen: readonly Cidr[];
  /** Chosen by a list that was read for it. */
  readonly isFresh: boolean;
}

/** By what the addresses are chosen. */
interface Choosing {
  readonly subnets: readonly Subnet[];
  readonly shunned: readonly Cidr[];
  readonly mac: Mac;
  /** Neutron refused what was chosen by an older list. */
  readonly isDoubtful: boolean;
}

/** The NIC first. Neutron chooses its address where it comes without others; else which one is its own must be known, and so it is chosen here. */
async function bodiesFor(
  request: CreateNic,
  { subnets, shunned, mac, isDoubtful }: Choosing,
  context: Context,
  task: Task,
): Promise<Bodies> {
  const { want = {} } = request;
  const { these = [], ...counts } = want;
  const addressing = context.addressing(subnets);
  const lengths = lengthsFor(addressing, want, task);
  const device = `flatpod-${keyOf(request.clientToken)}`;
  const asked = askedIn(task);
  const of = { subnets, mac, owner: deviceOwnerIn(subnets, NIC_OWNER, asked) };
  if (these.length + (counts.addresses4 ?? 0) + (counts.prefixes4 ?? 0) + (counts.prefixes6 ?? 0) === 0)
    return {
      ports: [nicBody(request, { ...of, fixed: subnets.map(({ id }) => ({ subnet_id: id })), words: [] })],
      chosen: [],
      isFresh: true,
    };
  const { decided, isFresh } = await context.seen.decide(
    subnets,
    { task, isFresh: isDoubtful || needsFresh(want) },
    ({ occupied, claimed, claimedByOthers }) => {
      const room = roomOf(subnets, occupied, { shunned: [...shunned, ...claimed], claimed: claimedByOthers });
      const by = missingOf(these, room, lengths, asked);
      const primaries = ownAddresses(room, by, asked);
      const counted = chosen(counts, room, [...by, ...primaries.map(hostOf)], [], asked);
      return { by, primaries, counted, takes: [...by, ...primaries.map(hostOf), ...counted] };
    },
  );
  const { by, primaries, counted } = decided;
  const all = [...by, ...counted];
  const fixed = [...primaries, ...all.filter((block) => isFixed(block, addressing)).map(firstOf)].map((ip) => fixedIn(subnets, ip));
  const words = primaries.map((ip) => ownWordOf(familyOf(ip) === 4 ? own.primary4 : own.primary6, ip));
  const network = subnets[0]?.network ?? '';
  const owner = { network, subnets, device, tags: request.tags, addressing };
  const reservations = all.filter((block) => !isFixed(block, addressing)).map((block) => reservationBody(block, owner, asked));
  return { ports: [nicBody(request, { ...of, fixed, words }), ...reservations], chosen: [...primaries.map(hostOf), ...counted], isFresh };
}

function hostOf(ip: Ip): Cidr {
  // The address alone, as hostCidr writes it.
  return `${ip}/${familyOf(ip) === 4 ? 32 : 128}` as Cidr;
}

function nicBody(
  request: CreateNic,
  of: {
    readonly subnets: readonly Subnet[];
    readonly mac: Mac;
    readonly owner: string;
    readonly fixed: readonly object[];
    readonly words: readonly string[];
  },
): object {
  const { clientToken, securityGroups, multiMac, tags, description } = request;
  const network = of.subnets[0]?.network ?? '';
  return {
    network_id: network,
    name: clientToken,
    description: description.slice(0, 255),
    device_owner: of.owner,
    mac_address: of.mac,
    fixed_ips: of.fixed,
    // Neutron takes no groups where it looks at nothing; left away otherwise they are the project's `default`, as the cloud's usual.
    ...(multiMac === true
      ? { port_security_enabled: false, security_groups: [] }
      : securityGroups.length > 0 && { security_groups: securityGroups }),
    tags: [...allWordsOf(tags), `${own.key}${keyOf(clientToken)}`, `${own.request}${digestOf(request)}`, ...of.words],
  };
}

function keyOf(token: string): string {
  return hashOf(token, 32);
}

/** Of one machine and locally administered (IEEE 802), as Neutron's own begin. */
function macOf(token: string, attempt: number): Mac {
  return parseMac(`fa${hashOf(`${token} ${attempt}`, 10)}`.replace(/..(?!$)/g, '$&:'));
}

function digestOf({ subnet, securityGroups, tags, multiMac = false, isTrunk = false, want = {} }: CreateNic): string {
  const { addresses4 = 0, prefixes4 = 0, prefixes6 = 0, these = [], within } = want;
  const sorted = Object.entries(tags).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return hashOf(
    JSON.stringify([subnet, securityGroups, sorted, multiMac, isTrunk, addresses4, prefixes4, prefixes6, these, ...(within ?? [])]),
    16,
  );
}

function hashOf(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}

/** Tags must come to be with their port, or a lost answer leaves a port that nobody finds. */
async function mayTag(context: Context, task: Task): Promise<void> {
  if (await context.hasExtension('tag-ports-during-bulk-creation', task)) return;
  throw refuse.invalid(
    askedIn(task),
    'this Neutron cannot tag ports as it makes them (extension tag-ports-during-bulk-creation, Ussuri and later)',
  );
}

/** See Cloud.deleteNic. */
export async function deleteNic(nic: NicId, context: Context): Promise<void> {
  const task = context.begin('deleteNic', nic);
  await context.turn(nic, async () => {
    const [port] = await context.neutron.ports({ ids: [nic] }, task);
    if (port === undefined) return;
    await (isReservation(port) ? dropStray : deleted)(port, context, task);
  });
}

/** Its pairs are of no use to anybody while it is on no instance: so first what it reserves, which is found by it, then itself. */
async function deleted(port: Port, context: Context, task: Task): Promise<void> {
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
