/** Which addresses are "the host" to a Pod with a helper. */
import { type ChainedVeth, familiesOf } from '../../datapath/veth-to-host.ts';
import type { Snapshot } from '../../kernel/snapshot.ts';
import { type Family, familyOf, type Ip } from '../../net/address.ts';
import { contains, parseCidr } from '../../net/cidr.ts';

/** Of the link or the host alone: nobody else reaches them. */
const notForOthers = ['127.0.0.0/8', '169.254.0.0/16', '::1/128', 'fe80::/10'].map(parseCidr);
const families: readonly Family[] = [4, 6];

/** What of a record says which they are. */
export type HostQuestion = Pick<ChainedVeth, 'hostInterface' | 'hostAddresses' | 'underlay' | 'mainRoutes'>;

/**
 * Those of hostInterface, and those of its other interfaces that lie within the underlay: the Pod would look for them by its main interface, by which a
 * child of the host's own link does not reach it. A gateway that the main interface uses is reached by it, and stays so.
 * The gateway of a family stays first as long as it is there; a family that the host has no address of keeps what it had: one that is replaced is gone for
 * a moment.
 */
export function hostAddressesOf(question: HostQuestion, host: Snapshot): Ip[] {
  const { hostInterface, hostAddresses, underlay, mainRoutes } = question;
  const index = host.links.get(hostInterface)?.index;
  const reachable = host.addresses.filter(({ address }) => !notForOthers.some((cidr) => contains(cidr, address)));
  const own = reachable.filter(({ link }) => link === index).map(({ address }) => address);
  const gateways = new Set(mainRoutes.map(({ via }) => via));
  const inUnderlay = reachable
    .filter(({ link, address }) => link !== index && !gateways.has(address) && underlay.some((cidr) => contains(cidr, address)))
    .map(({ address }) => address);
  return families.flatMap((family) => {
    const of = (ips: readonly Ip[]): Ip[] => ips.filter((ip) => familyOf(ip) === family);
    const [now, before] = [of(own), of(hostAddresses)];
    if (now.length === 0) return before;
    const first = before.find((ip) => now.includes(ip)) ?? now[0];
    return [...new Set([...(first === undefined ? [] : [first]), ...now, ...of(inUnderlay).toSorted()])];
  });
}

/** The record with the host's addresses as they are now; the same record when they are as it says. */
export function withHostAddresses(veth: ChainedVeth, host: Snapshot): ChainedVeth {
  const hostAddresses = hostAddressesOf(veth, host);
  const isSame = hostAddresses.length === veth.hostAddresses.length && hostAddresses.every((ip, i) => ip === veth.hostAddresses[i]);
  return isSame ? veth : { ...veth, hostAddresses };
}

/** Whether any family of the Pod is served. */
export function servesAny(veth: Pick<ChainedVeth, 'addresses' | 'hostAddresses'>): boolean {
  return familiesOf(veth).length > 0;
}
