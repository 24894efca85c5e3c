/** What the kernel tells of a Pod that a former plugin made. */
import type { AdoptedInterface, NodeLink } from '../../datapath/interface.ts';
import { MAIN_TABLE } from '../../kernel/netlink/route.ts';
import { bitsOf, familyOf, type Ip } from '../../net/address.ts';
import { firstOf, lengthOf } from '../../net/cidr.ts';
import type { NodeAgent } from '../node-agent.ts';
import { aboutThem, type OurNumbers } from './about.ts';
import type { FormerPod, TakeoverAsked } from './request.ts';
import { waysTo } from './ways.ts';

/** Where Pods of a former plugin are looked for. */
export interface Sought {
  readonly kernel: NodeAgent['kernel'];
  readonly madeBy: AdoptedInterface['madeBy'];
  /** Of what is ours in the kernel. */
  readonly numbers: OurNumbers;
  /** Where their addresses were found. */
  readonly namespaces: ReadonlyMap<Ip, string>;
}

/** What is in the kernel of the Pod now, if anything. */
export function recordOf({ kernel, madeBy, numbers, namespaces }: Sought, { ifname, addresses }: FormerPod): AdoptedInterface {
  const { routes, rules } = aboutThem(kernel, numbers.protocol, addresses);
  const netns = addresses.map((address) => namespaces.get(address)).find((path) => path !== undefined) ?? '';
  const hostEnd = hostEndOf(kernel, new Set(routes.map(({ link }) => link)));
  const found = { netns, ifname, ...(hostEnd !== undefined && { hostEnd }), routes };
  return { datapath: 'adopted', madeBy, ...found, addresses, rules, ways: waysTo({ kernel }, numbers, found) };
}

/** The veth that a route of its leads to. */
function hostEndOf(kernel: NodeAgent['kernel'], named: ReadonlySet<string>): NodeLink | undefined {
  const found = kernel.links().find(({ name, kind }) => kind === 'veth' && named.has(name));
  return found?.mac === undefined ? undefined : { link: found.name, mac: found.mac };
}

/** Pods behind links of the former plugin that its records do not name: by their routes, each under the name of its link in place of a container's id. */
export function unnamedPods({ kernel, attachments }: NodeAgent, { vethPrefix, pods }: TakeoverAsked): FormerPod[] {
  if (vethPrefix === undefined) return [];
  const named = new Set([...pods.flatMap(({ addresses }) => addresses), ...attachments.list().flatMap((one) => one.interface.addresses)]);
  const links = new Map(
    kernel.links().flatMap(({ index, name, kind }) => (kind === 'veth' && name.startsWith(vethPrefix) ? [[index, name]] : [])),
  );
  const byLink = Map.groupBy(
    kernel.routes(MAIN_TABLE).filter(({ dst, via, link = 0 }) => {
      const address = firstOf(dst);
      return via === undefined && links.has(link) && lengthOf(dst) === bitsOf(familyOf(address)) && !named.has(address);
    }),
    ({ link = 0 }) => links.get(link) ?? '',
  );
  return [...byLink].map(([name, routes]) => ({
    container: name,
    ifname: 'eth0',
    pod: {},
    addresses: routes.map(({ dst }) => firstOf(dst)),
  }));
}
