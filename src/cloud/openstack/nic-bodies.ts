/** The ports of the one request that makes a NIC with all it is born with: their bodies, and which addresses are chosen for them. */
import { familyOf } from '../../net/address.ts';
import { type Cidr, firstOf, hostCidr } from '../../net/cidr.ts';
import type { Mac } from '../../net/mac.ts';
import type { CreateNic } from '../cloud.ts';
import { askedIn, type Context, lengthsFor } from './context.ts';
import { needsFresh } from './decide.ts';
import { digestOf, keyOf } from './from-token.ts';
import { MADE } from './held.ts';
import { fixedIn, isFixed, reservationBody } from './reserve.ts';
import { chosen, missingOf, ownAddresses, roomOf } from './room.ts';
import { deviceOwnerIn } from './service-types.ts';
import type { Task } from './session.ts';
import type { Subnet } from './subnet.ts';
import { allWordsOf, own, ownWordOf } from './tags.ts';

/** `device_owner` of a NIC until Nova writes its own, where its subnet has no service types. */
const NIC_OWNER = 'flatpod:nic';

/** The one request that makes a NIC. */
export interface Bodies {
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

/**
 * The NIC first. Neutron chooses its address where it comes without others; else which one is its own must be known, and so it is chosen here.
 * @throws Failure cloudInvalid, cloudAddressTaken, cloudConflict, cloudSubnetFull
 */
export async function bodiesFor(
  request: CreateNic,
  { subnets, shunned, mac, isDoubtful }: Choosing,
  context: Context,
  task: Task,
): Promise<Bodies> {
  const { want = {} } = request;
  const { these = [], ...counts } = want;
  const addressing = context.addressing(subnets);
  const lengths = lengthsFor(addressing, want, task);
  const device = `${MADE}${keyOf(request.clientToken)}`;
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
      const counted = chosen(counts, room, [...by, ...primaries.map(hostCidr)], [], asked);
      return { by, primaries, counted, takes: [...by, ...primaries.map(hostCidr), ...counted] };
    },
  );
  const { by, primaries, counted } = decided;
  const all = [...by, ...counted];
  const fixed = [...primaries, ...all.filter((block) => isFixed(block, addressing)).map(firstOf)].map((ip) => fixedIn(subnets, ip));
  const words = primaries.map((ip) => ownWordOf(familyOf(ip) === 4 ? own.primary4 : own.primary6, ip));
  const network = subnets[0]?.network ?? '';
  const owner = { network, subnets, device, tags: request.tags, addressing };
  const reservations = all.filter((block) => !isFixed(block, addressing)).map((block) => reservationBody(block, owner, asked));
  return { ports: [nicBody(request, { ...of, fixed, words }), ...reservations], chosen: [...primaries.map(hostCidr), ...counted], isFresh };
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
