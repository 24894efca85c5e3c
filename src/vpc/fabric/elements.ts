/** The elements of the packet filter's sets and maps for a state: pure. Keys are `<family> <table> <set>`, values nft elements. */
import { bitsOf, familyOf } from '../../net/address.ts';
import { type Cidr, cidrFamily, firstOf, lengthOf } from '../../net/cidr.ts';
import { blocksOf, blocksOn, gatewaysOf } from '../model/addresses.ts';
import { networkOf } from '../model/find.ts';
import { gateway6, type GroupId, type State, type Subnet } from '../model/objects.ts';
import { gatewayMac, isInterchangeable } from '../mac.ts';
import { addFloating } from './floating.ts';
import { portName, subnetMark } from './names.ts';
import { chainOf, comboOf, referencedGroups } from './security.ts';
import { type Plugged, pluggedNics } from './wanted.ts';

/** What each set should hold. */
export type Elements = Map<string, Set<string>>;

/** Sets in the router's namespace. */
export function fabricElements(state: State): Elements {
  const elements: Elements = new Map();
  const add = (table: 'ports' | 'security', set: string, ...items: string[]): void => {
    const key = `${table === 'ports' ? 'bridge' : 'inet'} ${table} ${set}`;
    const have = elements.get(key) ?? new Set();
    for (const item of items) have.add(item);
    elements.set(key, have);
  };
  for (const cidr of networkOf(state).cidrs) {
    add('ports', `vpc${cidrFamily(cidr)}`, cidr);
    add('security', `vpc${cidrFamily(cidr)}`, cidr);
  }
  for (const subnet of state.subnet.values()) addSubnet(add, subnet);
  const peers = referencedGroups(state);
  const bound = new Set([...state.public.values()].map(({ nic }) => nic));
  for (const plugged of pluggedNics(state)) {
    addNic(add, plugged, peers);
    if (bound.has(plugged.nic.id) && plugged.nic.primary4) add('security', 'public4', plugged.nic.primary4);
  }
  addFloating(add, state, peers);
  return elements;
}

/** Maps in the internet's namespace: the one-to-one translation. */
export function internetElements(state: State): Elements {
  const pairs = [...state.public.values()].flatMap(({ address, nic }) => {
    const inside = state.nic.get(nic);
    return inside?.primary4 && inside.attachment ? [[address, inside.primary4] as const] : [];
  });
  return new Map([
    ['ip gateway private_of', new Set(pairs.map(([outside, inside]) => `${outside} : ${inside}`))],
    ['ip gateway public_of', new Set(pairs.map(([outside, inside]) => `${inside} : ${outside}`))],
    ['ip gateway translated', new Set(pairs.map(([, inside]) => inside))],
  ]);
}

/** Adds elements to a set of a table. */
export type Add = (table: 'ports' | 'security', set: string, ...items: string[]) => void;

function addSubnet(add: Add, subnet: Subnet): void {
  const mark = subnetMark(subnet.id);
  add('ports', 'known_mac', `${mark} . ${gatewayMac}`);
  for (const cidr of blocksOn(subnet)) add('ports', `onlink${cidrFamily(cidr)}`, `${mark} . ${cidr}`);
  for (const gateway of gatewaysOf(subnet)) {
    if (gateway === gateway6) continue; // the same everywhere: the table knows it
    add('ports', `mac${familyOf(gateway)}`, `${gateway} : ${gatewayMac}`);
    add('ports', `taken${familyOf(gateway)}`, gateway);
  }
}

function addNic(add: Add, { nic, subnet }: Plugged, peers: ReadonlySet<GroupId>): void {
  const port = `"${portName(nic.id)}"`;
  const mark = subnetMark(subnet.id);
  add('ports', 'subnet_of', `${port} : ${mark}`);
  add('ports', 'nic_mac', `${port} . ${nic.mac}`);
  add('ports', 'known_mac', `${mark} . ${nic.mac}`);
  if (nic.multiMac === true) {
    add('ports', 'multi_mac', port);
    add('ports', 'own_mac', `${port} : ${nic.mac}`);
  }
  const combo = comboOf(nic.securityGroups);
  for (const block of blocksOf(nic)) {
    const family = cidrFamily(block);
    const text = shortest(block);
    add('ports', `owned${family}`, `${port} . ${text}`);
    // A neighbour advertisement cannot name an address of another checksum: such a NIC is reached by way of the router.
    add('ports', `mac${family}`, `${text} : ${family === 4 || isInterchangeable(nic.mac) ? nic.mac : gatewayMac}`);
    add('ports', `taken${family}`, text);
    add('security', `out${family}`, `${text} : jump ${chainOf('out', combo)}`);
    add('security', `in${family}`, `${text} : jump ${chainOf('in', combo)}`);
    for (const group of nic.securityGroups) if (peers.has(group)) add('security', `${chainOf('members', group)}_${family}`, text);
  }
}

/** A single address without its length. */
function shortest(block: Cidr): string {
  return lengthOf(block) === bitsOf(cidrFamily(block)) ? firstOf(block) : block;
}
