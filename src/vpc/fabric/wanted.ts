/** What the network should be for a state of the VPC: pure, and complete. */
import { familyOf, type Ip } from '../../net/address.ts';
import { addressAt, type Cidr, cidrFamily, contains, hostCidr, lengthOf } from '../../net/cidr.ts';
import type { Mac } from '../../net/mac.ts';
import { blocksOf, blocksOn, gatewaysOf } from '../model/addresses.ts';
import { type Attachment, gateway6, type Instance, type Nic, type State, type Subnet } from '../model/objects.ts';
import { internet4 } from '../outside.ts';
import { branchEnd, bridgeName, fabricNetns, instanceNetns, internetNetns, outsidePort, portName } from './names.ts';

/** A subnet's bridge, which is its gateway too. */
export interface Bridge {
  readonly name: string;
  readonly addresses: readonly Ip[];
}

/** A NIC plugged into an instance, or the line of an internet host. */
export interface Port {
  /** In the router's namespace. */
  readonly name: string;
  readonly bridge: string | undefined;
  /** Who is at the other end: when it changes, the NIC is plugged anew. */
  readonly end: { readonly netns: string; readonly name: string; readonly mac: Mac | undefined };
  /** The Ethernet address for which frames go to this port; a port of a router has none. */
  readonly mac: Mac | undefined;
  /** Of a branch: the port of its trunk, which carries it under that tag. */
  readonly branch: { readonly trunk: string; readonly vlan: number } | undefined;
  readonly mtu: number;
  /** Addresses of the router on this port; a bridge has its own. */
  readonly near: readonly Ip[];
  /** What cloud-init would do; absent for further NICs, which are born down and unconfigured. */
  readonly configure: { readonly addresses: readonly Cidr[]; readonly gateways: readonly Ip[] } | undefined;
}

/** A trunk's port, and the ends of its branches' ports by VLAN. */
export interface Trunk {
  readonly port: string;
  readonly branches: readonly { readonly vlan: number; readonly end: string }[];
}

/** A route of a router: on the link, or through an address that is. */
export interface WantedRoute {
  readonly dst: Cidr;
  readonly link: string;
  readonly via?: Ip;
}

/** A permanent neighbour entry of a router. */
export interface WantedNeighbour {
  readonly link: string;
  readonly address: Ip;
  readonly mac: Mac;
}

/** One router: the fabric itself, or the internet's. */
export interface Router {
  readonly bridges: readonly Bridge[];
  readonly ports: readonly Port[];
  readonly trunks: readonly Trunk[];
  readonly routes: readonly WantedRoute[];
  readonly neighbours: readonly WantedNeighbour[];
}

/** The whole network as it should be. */
export interface Wanted {
  /** Namespaces of running instances. */
  readonly instances: readonly string[];
  readonly fabric: Router;
  readonly internet: Router;
}

/** A NIC that is plugged: attached to a running instance, itself or by its trunk, whose attachment is a branch's. */
export interface Plugged {
  readonly nic: Nic;
  readonly attachment: Attachment;
  readonly instance: Instance;
  readonly subnet: Subnet;
}

/** All NICs that are plugged, detaching ones included. */
export function pluggedNics(state: State): Plugged[] {
  return [...state.nic.values()].flatMap((nic) => {
    const attachment = nic.branch === undefined ? nic.attachment : state.nic.get(nic.branch.trunk)?.attachment;
    const instance = attachment && state.instance.get(attachment.instance);
    const subnet = state.subnet.get(nic.subnet);
    return attachment && subnet && instance?.state === 'running' ? [{ nic, attachment, instance, subnet }] : [];
  });
}

/** Everything but the packet filter's elements (elements.ts). */
export function wantedFor(vpc: string, mtu: number, state: State): Wanted {
  const plugged = pluggedNics(state);
  const running = [...state.instance.values()].filter((instance) => instance.state === 'running');
  const outside = running.filter(({ kind }) => kind === 'internet');
  return {
    instances: running.map(({ name }) => instanceNetns(vpc, name)),
    fabric: {
      bridges: [...state.subnet.values()].map(bridgeOf),
      // A trunk is plugged in before its branches.
      ports: plugged
        .toSorted((a, b) => Number(a.nic.branch !== undefined) - Number(b.nic.branch !== undefined))
        .map((one) => portOf(vpc, mtu, one)),
      trunks: plugged.filter(({ nic }) => nic.isTrunk === true).map(({ nic }) => trunkOf(nic, plugged)),
      routes: [...plugged.flatMap(routesTo), ...floatingRoutes(state)],
      neighbours: plugged.flatMap(({ nic, subnet }) =>
        primariesOf(nic).map((address) => ({ link: bridgeName(subnet.id), address, mac: nic.mac })),
      ),
    },
    internet: {
      bridges: [],
      ports: outside.map((instance) => outsidePortOf(vpc, instance)),
      trunks: [],
      routes: outside.flatMap((instance) => instance.outside.map((ip) => ({ dst: hostCidr(ip), link: outsidePort(instance.id) }))),
      neighbours: [],
    },
  };
}

/** The names of all namespaces of the VPC. */
export function namespacesOf(vpc: string, wanted: Wanted): string[] {
  return [fabricNetns(vpc), internetNetns(vpc), ...wanted.instances];
}

/** The internet's router, on every line to a host. */
const outsideGateways: readonly Ip[] = [addressAt(internet4, 1), gateway6];

function bridgeOf(subnet: Subnet): Bridge {
  return {
    name: bridgeName(subnet.id),
    addresses: gatewaysOf(subnet),
  };
}

function portOf(vpc: string, mtu: number, { nic, attachment, instance, subnet }: Plugged): Port {
  const branch = nic.branch && { trunk: portName(nic.branch.trunk), vlan: nic.branch.vlan };
  const port = { name: portName(nic.id), bridge: bridgeName(subnet.id), mac: nic.mac, branch, mtu: subnet.mtu ?? mtu, near: [] };
  if (branch !== undefined)
    return { ...port, end: { netns: fabricNetns(vpc), name: branchEnd(nic.id), mac: undefined }, configure: undefined };
  const first = attachment.deviceIndex === 0;
  return {
    ...port,
    end: { netns: instanceNetns(vpc, instance.name), name: `eth${attachment.deviceIndex}`, mac: nic.mac },
    configure: first ? configurationOf(nic, subnet) : undefined,
  };
}

function trunkOf(trunk: Nic, plugged: readonly Plugged[]): Trunk {
  const branches = plugged.flatMap(({ nic: { id, branch } }) =>
    branch?.trunk === trunk.id ? [{ vlan: branch.vlan, end: branchEnd(id) }] : [],
  );
  return { port: portName(trunk.id), branches };
}

/** IPv4 with the subnet's length, so neighbours are on the link; IPv6 as a host address, as DHCPv6 gives it: all goes through the gateway. */
function configurationOf({ primary4, primary6 }: Nic, subnet: Subnet): NonNullable<Port['configure']> {
  const block4 = primary4 && blocksOn(subnet).find((block) => contains(block, primary4));
  // An interface address keeps its host bits, so it is no block; apply.ts splits it again.
  const four = block4 ? [`${primary4}/${lengthOf(block4)}` as Cidr] : [];
  const gateways = gatewaysOf(subnet).filter((gateway) =>
    familyOf(gateway) === 6 ? gateway === gateway6 : block4 && contains(block4, gateway),
  );
  return { addresses: [...four, ...(primary6 ? [hostCidr(primary6)] : [])], gateways };
}

function outsidePortOf(vpc: string, instance: Instance): Port {
  return {
    name: outsidePort(instance.id),
    bridge: undefined,
    end: { netns: instanceNetns(vpc, instance.name), name: 'eth0', mac: undefined },
    mac: undefined,
    branch: undefined,
    mtu: 1500,
    near: outsideGateways,
    configure: { addresses: instance.outside.map(hostCidr), gateways: outsideGateways },
  };
}

function primariesOf(nic: Nic): Ip[] {
  return [nic.primary4, nic.primary6].filter((ip) => ip !== undefined);
}

/** Whoever has them is asked on their subnet's link. */
function floatingRoutes(state: State): WantedRoute[] {
  return [...state.nic.values()].flatMap(({ floating, subnet, blocks }) =>
    floating === undefined || floating === 'by no NIC' ? [] : blocks.map((dst) => ({ dst, link: bridgeName(subnet) })),
  );
}

/** Primaries on the link, everything else through the primary of its family: one neighbour a family, whatever the NIC holds. */
function routesTo({ nic, subnet }: Plugged): WantedRoute[] {
  const link = bridgeName(subnet.id);
  const primaries = primariesOf(nic).map(hostCidr);
  return blocksOf(nic).map((dst) => {
    const via = cidrFamily(dst) === 4 ? nic.primary4 : nic.primary6;
    return primaries.includes(dst) || via === undefined ? { dst, link } : { dst, link, via };
  });
}
