/**
 * NICs made.
 *
 * Invariants
 * - a NIC, its tags and the reservations of what it is born with come to be in one request, all or none; a repeated token finds them and adds the pairs that are missing
 * - a token is one NIC, also of two controllers at the same instant: its Ethernet address is made of the token, and Neutron has each once in a network
 */
import { isFailure } from '../../errors/failure.ts';
import type { Cidr } from '../../net/cidr.ts';
import type { Mac } from '../../net/mac.ts';
import type { CloudNic, CreateNic, NicId } from '../cloud.ts';
import { refuse, wantedOf } from '../wire/asked.ts';
import { askedIn, type Context, subnetsOf } from './context.ts';
import { deleted } from './delete-nic.ts';
import { found as nicsOf } from './find.ts';
import { digestOf, keyOf, macOf } from './from-token.ts';
import { deviceNameOf, hasPairs, heldBy, isPodPort, isReservation, pairsFor, reservationOf } from './held.ts';
import { bodiesFor } from './nic-bodies.ts';
import type { Port } from './port.ts';
import { isFinal, refusalOf } from './refusals.ts';
import type { Task } from './session.ts';
import { checkPairs } from './slots.ts';
import type { Subnet } from './subnet.ts';
import { own, ownWord } from './tags.ts';

/** Rounds of choosing addresses that others take first. */
const ROUNDS = 5;

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
    checkPairs(pairs, context, task);
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

/** Tags must come to be with their port, or a lost answer leaves a port that nobody finds. */
async function mayTag(context: Context, task: Task): Promise<void> {
  if (await context.hasExtension('tag-ports-during-bulk-creation', task)) return;
  throw refuse.invalid(
    askedIn(task),
    'this Neutron does not tag ports as it makes them: an administrator adds tag_ports_during_bulk_creation to [ml2] extension_drivers, and restarts its server',
  );
}
