/** Which addresses are "the host" to a Pod with a helper. */
import { type ChainedVeth, familiesOf } from '../../datapath/veth-to-host.ts';
import type { LinkAddress } from '../../kernel/netlink/address.ts';
import type { Snapshot } from '../../kernel/snapshot.ts';
import { compareIps, type Family, familyOf, type Ip } from '../../net/address.ts';
import { contains, parseCidr } from '../../net/cidr.ts';

/** Of the link or the host alone: nobody else reaches them. */
const notForOthers = ['127.0.0.0/8', '169.254.0.0/16', '::1/128', 'fe80::/10'].map(parseCidr);
const families: readonly Family[] = [4, 6];

/** What of a record says which they are. */
export type HostQuestion = Pick<ChainedVeth, 'hostInterface' | 'hostAddresses' | 'hostLinks' | 'underlay' | 'mainRoutes'>;
/** The answer, as it stands in a record. */
export type HostAnswer = Pick<ChainedVeth, 'hostAddresses' | 'hostLinks'>;

/**
 * Those of hostInterface, and those of its other interfaces that lie within the underlay: the Pod would look for them by its main interface, by which a
 * child of the host's own link does not reach it. A gateway that the main interface uses is reached by it, and stays so.
 * The gateway of a family stays first as long as it is there; a family that the host has no address of keeps what it had: one that is replaced is gone for
 * a moment.
 */
export function hostAnswer(question: HostQuestion, host: Snapshot): HostAnswer {
  const { hostInterface, hostAddresses, hostLinks, underlay, mainRoutes } = question;
  const index = host.links.get(hostInterface)?.index;
  const reachable = reachableOf(host);
  const own = reachable.filter(({ link }) => link === index);
  const gateways = new Set(mainRoutes.map(({ via }) => via));
  const beside = reachable
    .filter(({ link, address }) => link !== index && !gateways.has(address) && underlay.some((cidr) => contains(cidr, address)))
    .toSorted((a, b) => compareIps(a.address, b.address));
  const links = new Set([...own, ...beside].map(({ link }) => host.linkNames.get(link) ?? ''));
  const found = families.map((family) => {
    const of = (ips: readonly Ip[]): Ip[] => ips.filter((ip) => familyOf(ip) === family);
    const [now, before] = [of(own.map(({ address }) => address)), of(hostAddresses)];
    if (now.length === 0) return { kept: before.length > 0, ips: before };
    const first = before.find((ip) => now.includes(ip)) ?? now[0];
    return {
      kept: false,
      ips: [...new Set([...(first === undefined ? [] : [first]), ...now, ...of(beside.map(({ address }) => address))])],
    };
  });
  const kept = found.some((one) => one.kept) ? hostLinks.filter((name) => host.links.has(name)) : [];
  return { hostAddresses: found.flatMap(({ ips }) => ips), hostLinks: [...new Set([...links, ...kept])].toSorted() };
}

function reachableOf({ addresses }: Snapshot): readonly LinkAddress[] {
  return addresses.filter(({ address }) => !notForOthers.some((cidr) => contains(cidr, address)));
}

/** The record with the host as it is now; the same record when it is as that says. */
export function withHostNow(veth: ChainedVeth, host: Snapshot): ChainedVeth {
  const now = hostAnswer(veth, host);
  const isSame = String(now.hostAddresses) === String(veth.hostAddresses) && String(now.hostLinks) === String(veth.hostLinks);
  return isSame ? veth : { ...veth, ...now };
}

/** What is wrong between a host as it is now and a Pod that knows it as the record says; each in words. */
export function hostDifferences(veth: ChainedVeth, host: Snapshot): string[] {
  const { hostInterface } = veth;
  const index = host.links.get(hostInterface)?.index;
  if (index === undefined) return [`this node has no interface ${hostInterface}`];
  const had = new Set(
    reachableOf(host)
      .filter(({ link }) => link === index)
      .map(({ address }) => familyOf(address)),
  );
  const lost = familiesOf(veth).filter((family) => !had.has(family));
  const now = withHostNow(veth, host);
  return [
    ...lost.map((family) => `${hostInterface} of this node has no IPv${family} address any more`),
    ...(String(now.hostAddresses) === String(veth.hostAddresses)
      ? []
      : [`the host's addresses are ${now.hostAddresses.join(', ')}, to the Pod they are ${veth.hostAddresses.join(', ')}`]),
  ];
}
