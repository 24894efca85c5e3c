/**
 * The guest's ends of VLANs on a trunk: a veth each and the same programs as the fabric's, which this machine's kernel has, instead of VLAN sub-interfaces,
 * which it may not have.
 */
import { decodeLink, dumpLinks } from '../../src/kernel/netlink/link.ts';
import { createNetns, deleteNetns, NAMED, openNetns } from '../../src/kernel/netns.ts';
import { carry } from '../../src/vpc/fabric/trunk.ts';
import { inside } from './site.ts';

/** What is behind a tag. */
export interface TaggedNic {
  readonly mac: string;
  readonly primary4: string;
  readonly primary6: string;
}

interface Guest extends Disposable {
  readonly netns: string;
}

let made = 0;

/** Namespaces as Pods would have them, one for each VLAN of the machine's eth1, with the Ethernet address and the addresses of that NIC. */
export async function guestsOf(
  machine: { readonly netns: string },
  vlans: readonly (readonly [number, TaggedNic])[],
  gateway4: string,
): Promise<Guest[]> {
  const guests: Guest[] = [];
  for (const [vlan, { mac, primary4, primary6 }] of vlans) {
    const name = `fpvt${process.pid % 1000}-${++made}`;
    createNetns(name, () => {});
    const guest = { netns: `${NAMED}/${name}`, [Symbol.dispose]: () => deleteNetns(name) };
    guests.push(guest);
    await inside(machine, `ip link add v${vlan} type veth peer name eth0 address ${mac} netns ${name}; ip link set v${vlan} up`);
    await inside(
      guest,
      `ip link set lo up; ip link set eth0 up; ip addr add ${primary4}/24 dev eth0; ip addr add ${primary6}/128 dev eth0 nodad`,
    );
    await inside(guest, `ip route add default via ${gateway4}; ip -6 route add default via fe80::1:1 dev eth0`);
  }
  using netns = openNetns(machine.netns);
  const socket = netns.socket();
  try {
    const links = new Map(socket.dump(dumpLinks(), decodeLink).map((link) => [link.name, link]));
    carry(socket, { port: 'eth1', branches: vlans.map(([vlan]) => ({ vlan, end: `v${vlan}` })) }, links);
  } finally {
    socket.close();
  }
  return guests;
}
