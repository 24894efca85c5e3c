/** Reading the packet filter's counters as sentences. */
import type { NicId } from '../../cloud/cloud.ts';
import { listNft } from '../../kernel/nft.ts';
import type { Netns } from '../../kernel/netns.ts';
import { tryParseIp } from '../../net/address.ts';
import { contains } from '../../net/cidr.ts';
import { blocksOf } from '../model/addresses.ts';
import type { State } from '../model/objects.ts';
import type { Drop, DropReason } from './fabric.ts';
import { portName } from './names.ts';

/** A counter: the set it is in, what it is keyed by, and packets. */
interface Counted {
  readonly set: string;
  readonly key: readonly string[];
  readonly packets: number;
}

/** Which NIC the key speaks of: the port in front, or the owner of the address at that place. */
interface Meaning {
  readonly reason: DropReason;
  readonly nic: 'port' | 'first' | 'second';
  readonly text: (key: readonly string[]) => string;
}

const meanings: Readonly<Record<string, Meaning>> = {
  source_mac: { reason: 'SourceMac', nic: 'port', text: ([, mac]) => `source Ethernet address ${mac} is not that of this interface` },
  source4: { reason: 'SourceAddress', nic: 'port', text: ([, ip]) => `address ${ip} is not assigned to this interface` },
  source6: { reason: 'SourceAddress', nic: 'port', text: ([, ip]) => `address ${ip} is not assigned to this interface` },
  arp_spoof: { reason: 'ArpSpoof', nic: 'port', text: ([, ip]) => `ARP speaks for ${ip}, which is not assigned to this interface` },
  nd_spoof: { reason: 'NdSpoof', nic: 'port', text: ([, ip]) => `neighbour discovery speaks for ${ip}: only the fabric does` },
  unknown_mac: { reason: 'UnknownMac', nic: 'port', text: ([, mac]) => `no interface in the subnet has the Ethernet address ${mac}` },
  nobody4: { reason: 'NobodyHasAddress', nic: 'port', text: (key) => `nobody has the address ${key.at(-1)}` },
  nobody6: { reason: 'NobodyHasAddress', nic: 'port', text: (key) => `nobody has the address ${key.at(-1)}` },
  not_assigned4: { reason: 'NotAssigned', nic: 'port', text: ([, ip]) => `${ip} is not assigned to the interface it was sent to` },
  not_assigned6: { reason: 'NotAssigned', nic: 'port', text: ([, ip]) => `${ip} is not assigned to the interface it was sent to` },
  unknown_vlan: { reason: 'UnknownVlan', nic: 'port', text: ([, vlan]) => `no branch has the VLAN tag ${vlan} on this interface` },
  not_carried: {
    reason: 'NotCarried',
    nic: 'port',
    text: ([, type]) => `the VPC carries no broadcast, multicast or foreign protocol (${type})`,
  },
  egress4: { reason: 'SecurityGroupEgress', nic: 'first', text: refusedWay('leave') },
  egress6: { reason: 'SecurityGroupEgress', nic: 'first', text: refusedWay('leave') },
  ingress4: { reason: 'SecurityGroupIngress', nic: 'second', text: refusedWay('enter') },
  ingress6: { reason: 'SecurityGroupIngress', nic: 'second', text: refusedWay('enter') },
  no_public4: { reason: 'NoPublicAddress', nic: 'first', text: ([ip]) => `${ip} has no public address and cannot reach the internet` },
  invalid4: { reason: 'InvalidState', nic: 'first', text: ([from, to]) => `a packet from ${from} to ${to} belongs to no connection` },
  invalid6: { reason: 'InvalidState', nic: 'first', text: ([from, to]) => `a packet from ${from} to ${to} belongs to no connection` },
};

/** All that the filter of the router's namespace has dropped. */
export function dropsIn(netns: Netns, state: State): Drop[] {
  const ports = new Map([...state.nic.values()].map(({ id }) => [portName(id), id]));
  return ['bridge ports', 'inet security'].flatMap((table) => countersOf(netns, table)).flatMap((counted) => dropOf(counted, ports, state));
}

function dropOf({ set, key, packets }: Counted, ports: ReadonlyMap<string, NicId>, state: State): Drop[] {
  const meaning = meanings[set];
  if (meaning === undefined) return [];
  const nic = meaning.nic === 'port' ? ports.get(key[0] ?? '') : ownerOf(state, key[meaning.nic === 'first' ? 0 : 1]);
  const address = meaning.nic === 'port' ? key.at(-1) : key[meaning.nic === 'first' ? 0 : 1];
  const text = `${nic === undefined ? '' : `${nic}: `}${meaning.text(key)}: dropped, ${packets} ${packets === 1 ? 'packet' : 'packets'}`;
  return [{ reason: meaning.reason, ...(nic && { nic }), ...(address !== undefined && { address }), packets, text }];
}

function refusedWay(way: 'leave' | 'enter'): Meaning['text'] {
  const whose = way === 'leave' ? 'sender' : 'receiver';
  return ([from, to, protocol]) => `no rule of the ${whose}'s security groups lets ${protocol} from ${from} to ${to} ${way}`;
}

function ownerOf(state: State, text: string | undefined): NicId | undefined {
  const ip = tryParseIp(text ?? '');
  return ip === undefined ? undefined : [...state.nic.values()].find((nic) => blocksOf(nic).some((block) => contains(block, ip)))?.id;
}

/** Elements of sets with counters: libnftables-json(5), `elem` with `val` and `counter`. */
function countersOf(netns: Netns, table: string): Counted[] {
  // Not the table: nftables 1.0.6 complains on stderr about rules that fill maps.
  const listed = listNft(netns, `sets table ${table}`) as { nftables: { set?: ListedSet }[] };
  return listed.nftables.flatMap(({ set }) => (set === undefined ? [] : (set.elem ?? []).flatMap((one) => countedIn(set.name, one))));
}

interface ListedSet {
  readonly name: string;
  readonly elem?: readonly ListedElement[];
}
type ListedElement = string | { readonly elem?: { readonly val: unknown; readonly counter?: { readonly packets: number } } };

function countedIn(set: string, element: ListedElement): Counted[] {
  if (typeof element === 'string' || element.elem?.counter === undefined || element.elem.counter.packets === 0) return [];
  const { val, counter } = element.elem;
  const parts: readonly unknown[] =
    typeof val === 'object' && val !== null && 'concat' in val && Array.isArray(val.concat) ? val.concat : [val];
  return [{ set, key: parts.map(String), packets: counter.packets }];
}
