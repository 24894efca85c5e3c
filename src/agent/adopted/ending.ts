/** The end of an interface that a former plugin made: what that plugin would take away now, were it still here, and what it would forget. */
import { planOf } from '../../datapath/datapath.ts';
import { type AdoptedInterface, type AttachedInterface, isAdopted } from '../../datapath/interface.ts';
import { isNetns } from '../../kernel/netns.ts';
import { host, inNetns, type KernelObject, type Plan } from '../../kernel/state.ts';
import type { NodeAgent } from '../node-agent.ts';
import { aboutThem, numbersOf } from './about.ts';

/** Everything the interface has in the kernel, to be removed: of one that a former plugin made also what has come since, such as rules it made twice. */
export function allOf(node: NodeAgent, attached: AttachedInterface): Plan {
  const plan = planOf(attached);
  if (!isAdopted(attached)) return plan;
  const { routes, rules } = aboutThem(node.kernel, numbersOf(node).protocol, attached.addresses);
  return [
    ...plan,
    ...vethOf(node, attached),
    ...addressesInPod(node, attached),
    ...routes.map((route): KernelObject => ({ kind: 'route', where: host, ...route })),
    ...rules.map((rule): KernelObject => ({ kind: 'rule', where: host, ...rule })),
  ];
}

/** The pair itself, known by name and MAC: a Pod of the same name that came later has another one. */
function vethOf({ kernel }: NodeAgent, { hostEnd, netns, ifname }: AdoptedInterface): KernelObject[] {
  if (hostEnd === undefined) return [];
  const { link: name, mac } = hostEnd;
  const found = kernel.links().find((link) => link.name === name && link.mac === mac);
  if (found === undefined) return [];
  const peer = { where: netns === '' ? host : inNetns(netns), name: ifname, mac };
  return [{ kind: 'veth', where: host, name, mac, mtu: found.mtu, owner: found.alias ?? name, ipv6: true, peer }];
}

/** Without a veth its interface stands on one of the host's: it may keep that one, but not the address. */
function addressesInPod({ kernel }: NodeAgent, { hostEnd, netns, addresses }: AdoptedInterface): KernelObject[] {
  if (hostEnd !== undefined || !isNetns(netns)) return [];
  const where = inNetns(netns);
  const { addresses: there, linkNames } = kernel.look(where);
  return there.flatMap(({ link: index, address, length }): KernelObject[] => {
    const link = linkNames.get(index);
    return link === undefined || !addresses.includes(address) ? [] : [{ kind: 'address', where, link, address, length }];
  });
}
