/**
 * What the VPC should hold for Neutron's books: pure.
 *
 * A network is a subnet of the VPC with one bridge, whatever the number of its own subnets; each port is a NIC of the same id; each server that a port is
 * attached to is an instance, whose namespace ends with the first eight digits of the server's id. A server's first NIC is its eth0, configured as
 * cloud-init would do; others are born down and bare. The fabric is one router: of two networks with the same addresses the second stays unwired.
 */
import type { InstanceId, NicId, SubnetId } from '../../cloud/cloud.ts';
import type { Ip } from '../../net/address.ts';
import { type Cidr, cidrFamily, contains, containsCidr, firstOf, hostCidr, lengthOf, overlaps } from '../../net/cidr.ts';
import { blocksOn } from '../model/addresses.ts';
import type { GroupId, Instance, Nic, SecurityGroup, State, Subnet } from '../model/objects.ts';
import type { BookedPort, Books } from './books.ts';
import { groupsOf, openGroup } from './groups.ts';
import { type Claim, shares } from './shares.ts';

/** The type that servers have in the VPC. */
export const SERVER_TYPE = 'nova.server';

/** See the head of this file. */
export interface Drawing {
  readonly subnet: readonly Subnet[];
  readonly group: readonly SecurityGroup[];
  readonly instance: readonly Instance[];
  readonly nic: readonly Nic[];
  /** What of Neutron's wishes the fabric does not fulfil, in sentences. */
  readonly problems: readonly string[];
}

/** Whether an object of the state is Neutron's: its ids are UUIDs, the VPC's own begin with what they are. */
export function isNeutrons(id: string): boolean {
  return id === openGroup || /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id);
}

/** `before`: places and first addresses that were given are kept. */
export function drawingOf(books: Books, before: State, now_ms: number): Drawing {
  const problems: string[] = [];
  const subnets = subnetsOf(books, before, problems);
  const places = placesOf(books, before);
  const given = shares(claimsOf(books, subnets, places), gatewaysIn(subnets, before));
  const nics = [...books.port.values()].flatMap((port): Nic[] => {
    const subnet = subnets.get(port.network_id);
    return subnet === undefined ? [] : [nicOf(port, subnet, books, places, given.get(port.id), before, now_ms)];
  });
  const servers = new Set([...places.values()].map(({ instance }) => instance));
  const instance = [...servers].map((id): Instance => before.instance.get(id) ?? serverOf(id, now_ms));
  return { subnet: [...subnets.values()], group: groupsOf(books, problems), instance, nic: nics, problems };
}

/** Networks that have a subnet the fabric can wire. Those that were wired before stay so. */
function subnetsOf(books: Books, before: State, problems: string[]): Map<string, Subnet> {
  const wired = (network: string): boolean => before.subnet.has(network);
  const taken = [...before.subnet.values()].filter(({ id }) => !isNeutrons(id)).flatMap(blocksOn);
  const drawn = new Map<string, Subnet>();
  for (const network of [...books.network.values()].toSorted((a, b) => Number(wired(b.id)) - Number(wired(a.id)))) {
    const own = [...books.subnet.values()].filter((subnet) => subnet.network_id === network.id);
    const fit = own.filter(({ id, cidr }) => {
      const other = taken.find((block) => overlaps(block, cidr));
      if (other !== undefined) problems.push(`subnet ${id} is not wired: its ${cidr} overlaps ${other} of another network`);
      return other === undefined;
    });
    if (fit.length === 0) continue;
    taken.push(...fit.map(({ cidr }) => cidr));
    const last = before.subnet.get(network.id);
    const [cidr4, cidr6] = ([4, 6] as const).map((family) => {
      const all = fit.map(({ cidr }) => cidr).filter((cidr) => cidrFamily(cidr) === family);
      return all.find((cidr) => cidr === last?.cidr4 || cidr === last?.cidr6) ?? all[0];
    });
    drawn.set(network.id, {
      id: network.id as SubnetId, // the VPC's subnet has the id of Neutron's network
      name: network.name || network.id,
      zone: 'nova',
      ...(cidr4 && { cidr4 }),
      ...(cidr6 && { cidr6 }),
      further: fit.map(({ cidr }) => cidr).filter((cidr) => cidr !== cidr4 && cidr !== cidr6),
      gateways: fit.flatMap(({ gateway_ip }) => gateway_ip ?? []),
      mtu: network.mtu,
      tags: {},
    });
  }
  return drawn;
}

/** The routers' addresses are nobody else's, whoever asks for them. */
function gatewaysIn(subnets: ReadonlyMap<string, Subnet>, before: State): Cidr[] {
  const others = [...before.subnet.values()].filter(({ id }) => !isNeutrons(id)).flatMap(blocksOn);
  return [...[...subnets.values()].flatMap(({ gateways = [] }) => gateways).map(hostCidr), ...others];
}

interface Place {
  readonly instance: InstanceId;
  readonly deviceIndex: number;
}

/** Where attached ports are plugged in; who was plugged in before keeps the place. */
function placesOf(books: Books, before: State): Map<string, Place> {
  const attached = [...books.port.values()].filter(isAttached);
  const places = new Map<string, Place>();
  const newcomers: BookedPort[] = [];
  for (const port of attached) {
    const last = before.nic.get(port.id)?.attachment;
    if (last?.instance === port.device_id) places.set(port.id, { instance: last.instance, deviceIndex: last.deviceIndex });
    else newcomers.push(port);
  }
  for (const { id, device_id } of newcomers) {
    const used = new Set([...places.values()].filter(({ instance }) => instance === device_id).map(({ deviceIndex }) => deviceIndex));
    let deviceIndex = 0;
    while (used.has(deviceIndex)) deviceIndex++;
    places.set(id, { instance: device_id as InstanceId, deviceIndex }); // the VPC's instance has the id of Nova's server
  }
  return places;
}

/** As Nova leaves a port when it has plugged it in. A port that could not be bound is `binding_failed`. */
function isAttached(port: BookedPort): boolean {
  return port.device_owner.startsWith('compute:') && isNeutrons(port.device_id) && port['binding:vif_type'] === 'ovs';
}

/** What the ports that are plugged in may use, within what is wired. */
function claimsOf(books: Books, subnets: ReadonlyMap<string, Subnet>, places: ReadonlyMap<string, Place>): Claim[] {
  const plugged = [...books.port.values()].filter(({ id }) => places.has(id) || places.has(parentOf(books, id) ?? ''));
  return plugged.flatMap((port): Claim[] => {
    const subnet = subnets.get(port.network_id);
    if (subnet === undefined || !port.admin_state_up) return [];
    const claim = (block: Cidr, isFixed: boolean): Claim => ({ port: port.id, block, isFixed, since_ms: port.pairsSince_ms });
    const pairs = (port.allowed_address_pairs ?? []).flatMap(({ ip_address }) => withinReach(ip_address, subnet, subnets));
    return [
      ...[port, ...recordsOf(port, books)].flatMap((one) => fixedOf(one, subnet)).map((ip) => claim(hostCidr(ip), true)),
      ...[...new Set(pairs)].map((block) => claim(block, false)),
    ];
  });
}

function fixedOf({ fixed_ips }: BookedPort, subnet: Subnet): Ip[] {
  return fixed_ips.map(({ ip_address }) => ip_address).filter((ip) => blocksOn(subnet).some((block) => contains(block, ip)));
}

/**
 * Behind a port without port security any address may be. By the books: those of ports that nobody plugged in and that have it as their device, by its id,
 * its server's, or the name that a tag of it gives (`…=KEY` for `flatpod-KEY`: our driver reserves addresses for a port before that has an id).
 */
function recordsOf(port: BookedPort, { port: all }: Books): BookedPort[] {
  if (port.port_security_enabled !== false) return [];
  const names = [port.id, port.device_id, ...(port.tags ?? []).map((tag) => `flatpod-${tag.replace(/^.*=/, '')}`)].filter(
    (name) => name !== '',
  );
  return [...all.values()].filter(
    (other) => other.network_id === port.network_id && other['binding:vif_type'] === 'unbound' && names.includes(other.device_id),
  );
}

/** The part of a pair in the port's network; all of it when it is in nobody's, and not just "everything" (up to /8, or /32 of IPv6). */
function withinReach(block: Cidr, own: Subnet, subnets: ReadonlyMap<string, Subnet>): Cidr[] {
  const inside = blocksOn(own).flatMap((cidr) => (containsCidr(cidr, block) ? [block] : containsCidr(block, cidr) ? [cidr] : []));
  if (inside.length > 0) return inside;
  const isNobodys = ![...subnets.values()].flatMap(blocksOn).some((cidr) => overlaps(cidr, block));
  return isNobodys && lengthOf(block) >= (cidrFamily(block) === 4 ? 8 : 32) ? [block] : [];
}

function parentOf(books: Books, port: string): string | undefined {
  return books.trunk.get(books.subport.get(port)?.trunk ?? '')?.port;
}

function nicOf(
  port: BookedPort,
  subnet: Subnet,
  books: Books,
  places: ReadonlyMap<string, Place>,
  given: readonly Cidr[] | undefined,
  before: State,
  now_ms: number,
): Nic {
  const last = before.nic.get(port.id);
  const blocks = given ?? (port.admin_state_up ? fixedOf(port, subnet).map(hostCidr) : []);
  // Neutron's list has no order: the first address stays what it was.
  const own = fixedOf(port, subnet).filter((ip) => blocks.includes(hostCidr(ip)));
  const [primary4, primary6] = ([4, 6] as const).map((family) => {
    const candidates = own.filter((ip) => cidrFamily(hostCidr(ip)) === family);
    return candidates.find((ip) => ip === last?.primary4 || ip === last?.primary6) ?? candidates[0];
  });
  const primaries = [primary4, primary6].flatMap((ip) => (ip === undefined ? [] : [hostCidr(ip)]));
  const parent = parentOf(books, port.id);
  const place = places.get(port.id);
  const vlan = books.subport.get(port.id)?.vlan;
  const isSecured = port.port_security_enabled !== false;
  const hasOtherMacs = (port.allowed_address_pairs ?? []).some(({ mac_address }) => mac_address !== port.mac_address);
  return {
    id: port.id as NicId, // the VPC's NIC has the id of Neutron's port
    mac: port.mac_address,
    subnet: subnet.id,
    ...(primary4 && { primary4 }),
    ...(primary6 && { primary6 }),
    blocks: blocks.filter((block) => !primaries.includes(block)).toSorted((a, b) => (firstOf(a) < firstOf(b) ? -1 : 1)),
    securityGroups: isSecured ? port.security_groups.map((id) => id as GroupId) : [openGroup], // a group's id
    tags: {},
    description: port.name,
    ...((!isSecured || hasOtherMacs) && { multiMac: true }),
    ...([...books.trunk.values()].some((trunk) => trunk.port === port.id) && { isTrunk: true }),
    ...(parent !== undefined && vlan !== undefined && { branch: { trunk: parent as NicId, vlan } }), // a port's id
    ...(place && { attachment: { ...place, state: 'attached' } }),
    createdAt_ms: last?.createdAt_ms ?? now_ms,
  };
}

function serverOf(id: InstanceId, now_ms: number): Instance {
  return {
    id,
    name: id.slice(0, 8),
    kind: 'vm',
    zone: 'nova',
    type: SERVER_TYPE,
    state: 'running',
    tags: {},
    launchedAt_ms: now_ms,
    outside: [],
  };
}
