/** From a request and what the kernel holds to the record that a plan is made from. Names and MACs are derived: the same helper has the same ones again. */
import { createHash } from 'node:crypto';
import type { VethToHostAttachment } from '../../cni/veth-to-host-request.ts';
import { type ChainedVeth, familiesOf, type MainRoute } from '../../datapath/veth-to-host.ts';
import { chainedProtocol, hostEndPrefix } from '../../datapath/veth-to-host-numbers.ts';
import { failure } from '../../errors/failure.ts';
import type { Link } from '../../kernel/netlink/link.ts';
import { MAIN_TABLE } from '../../kernel/netlink/route.ts';
import { routeKey, type Snapshot } from '../../kernel/snapshot.ts';
import { familyOf, type Ip } from '../../net/address.ts';
import { aggregate, type Cidr, containsCidr, hostCidr, lengthOf, parseCidr } from '../../net/cidr.ts';
import { localMac } from '../../net/mac.ts';
import { hostAnswer } from './host-addresses.ts';

/** IFNAMSIZ less the NUL (linux/if.h). */
const NAME_LENGTH = 15;
const IPV6_MINIMUM_MTU = 1280;
/** Every link has them. */
const ofEachLink = ['fe80::/10', 'ff00::/8', '224.0.0.0/4'].map(parseCidr);
const anyDestination = ['0.0.0.0/0', '::/0'].map(parseCidr);

/** The names of the host's end of a helper: it has one of them, by whether the Pod is masqueraded. */
export function hostEndsOf(helper: {
  readonly container: string;
  readonly ifname: string;
  readonly name: string;
}): Record<keyof typeof hostEndPrefix, string> {
  const digest = digestOf(helper).toString('hex');
  const named = (prefix: string): string => prefix + digest.slice(0, NAME_LENGTH - prefix.length);
  return { masqueraded: named(hostEndPrefix.masqueraded), plain: named(hostEndPrefix.plain) };
}

/** The host end's alias, by which it is known to be ours. */
export function ownerOf({
  container,
  ifname,
  name,
}: {
  readonly container: string;
  readonly ifname: string;
  readonly name: string;
}): string {
  return `flatpod:veth-to-host:${container}:${ifname}:${name}`.slice(0, 255);
}

/**
 * The record, but for what is chosen among those of others.
 * @throws Failure underlayAddressMissing, hostInterfaceMissing, hostAddressMissing, configInvalid (an MTU that is too small for IPv6).
 */
export function recordOf(request: VethToHostAttachment, host: Snapshot, pod: Snapshot): Omit<ChainedVeth, 'table' | 'rank'> {
  const { container, ifname, netns, config } = request;
  demandAddresses(request, pod);
  const addresses = request.addresses.map(({ ip }) => ip);
  const mainRoutes = mainRoutesOf(ifname, pod);
  const reached = mainRoutes.map(({ dst }) => dst).filter((dst) => lengthOf(dst) > 0);
  const underlay = aggregate([...request.addresses.map(({ subnet }) => subnet), ...request.further, ...reached]);
  const { hostInterface } = config;
  const hostLink = host.links.get(hostInterface);
  if (hostLink === undefined)
    throw failure('hostInterfaceMissing', { hostInterface, found: [...host.links.keys()].slice(0, 16).join(', ') });
  const answer = hostAnswer({ hostInterface, hostAddresses: [], hostLinks: [], underlay, mainRoutes }, host);
  if (familiesOf({ addresses, ...answer }).length === 0)
    throw failure('hostAddressMissing', { hostInterface, family: [...new Set(addresses.map((ip) => `IPv${familyOf(ip)}`))].join(' or ') });
  // What the host sends back in leaves by the main interface.
  const mtu = config.mtu ?? Math.min(hostLink.mtu, pod.links.get(ifname)?.mtu ?? hostLink.mtu);
  if (mtu < IPV6_MINIMUM_MTU && addresses.some((ip) => familyOf(ip) === 6)) {
    const wanted = `${IPV6_MINIMUM_MTU} or more, since the Pod has an IPv6 address,`;
    throw failure('configInvalid', { key: 'mtu', found: `the number ${mtu}`, wanted });
  }
  const helper = { container, ifname, name: config.containerInterface };
  const digest = digestOf(helper);
  return {
    netns,
    ifname,
    helper: config.containerInterface,
    mac: localMac(digest.subarray(8, 14)),
    hostEnd: hostEndsOf(helper)[config.ipMasq ? 'masqueraded' : 'plain'],
    hostMac: localMac(digest.subarray(16, 22)),
    mtu,
    owner: ownerOf(helper),
    addresses,
    hostInterface,
    ...answer,
    underlay,
    mainRoutes,
    isMainSeen: isSeen(pod.links.get(ifname)),
    viaHost: config.viaHost ?? anyDestination,
    displaced: addresses.flatMap((address) => waysTo(address, host)),
  };
}

function isSeen(main: Link | undefined): boolean {
  const IPVLAN_MODE_L3S = 2; // linux/if_link.h
  return main?.kind !== 'ipvlan' || main.variant !== IPVLAN_MODE_L3S;
}

/** Routes of others to the Pod alone, by links that are there. */
function waysTo(address: Ip, host: Snapshot): ChainedVeth['displaced'] {
  const routes = host.routes.get(routeKey(hostCidr(address), MAIN_TABLE)) ?? [];
  return routes.flatMap((route) => {
    const link = host.linkNames.get(route.link ?? 0);
    return link === undefined || route.via !== undefined || route.protocol === chainedProtocol ? [] : [{ address, link }];
  });
}

/** A list that was put together wrongly shows here, not as a refusal of the kernel to some route. */
function demandAddresses({ ifname, netns, addresses }: VethToHostAttachment, pod: Snapshot): void {
  const link = pod.links.get(ifname)?.index;
  const own = pod.addresses.filter((one) => one.link === link).map(({ address }) => address);
  for (const { ip } of addresses)
    if (!own.includes(ip))
      throw failure('underlayAddressMissing', {
        ifname,
        netns,
        address: ip,
        found: link === undefined ? 'no such interface' : own.join(', ') || 'none',
      });
}

/** Its routes of the main table; those to it first that others lead through. */
function mainRoutesOf(ifname: string, pod: Snapshot): MainRoute[] {
  const link = pod.links.get(ifname)?.index;
  const routes = [...pod.routes.values()]
    .flat()
    .filter((route) => route.link === link && !ofEachLink.some((cidr) => containsCidr(cidr, route.dst)));
  const seen = new Set<Cidr>();
  return routes
    .toSorted((a, b) => Number(a.via !== undefined) - Number(b.via !== undefined) || (a.metric ?? 0) - (b.metric ?? 0))
    .flatMap(({ dst, via, src }) => {
      // Of several to one destination the kernel follows the one with the lowest metric.
      if (seen.has(dst)) return [];
      seen.add(dst);
      return [{ dst, ...(via !== undefined && { via }), ...(src !== undefined && { src }) }];
    });
}

function digestOf({ container, ifname, name }: { readonly container: string; readonly ifname: string; readonly name: string }): Buffer {
  return createHash('sha256').update(`veth-to-host/${container}/${ifname}/${name}`).digest();
}
