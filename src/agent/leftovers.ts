/**
 * Rules of ours that nobody wants: those of blocks that went to another NIC while no agent ran, for one; and addresses that the node answers for though no
 * Pod has them. Links, routes, addresses and neighbours cannot be left over: they die with the Pod's namespace. What serves a Pod that lives on without a
 * record (orphans.ts) is no leftover, and neither is its link.
 */
import { ruleKey } from '../kernel/snapshot.ts';
import { describe, host, nameOf, type ProxyObject, type RuleObject } from '../kernel/state.ts';
import { contains } from '../net/cidr.ts';
import type { NodeAgent } from './node-agent.ts';
import { orphansIn } from './orphans.ts';

/** What nobody wants, of what may be left over. */
type Leftover = RuleObject | ProxyObject;

/** Those in the kernel now. Needs a configuration: it says by which numbers what is ours is known. */
export function leftovers(node: NodeAgent): Leftover[] {
  if (node.cloud === undefined) return [];
  const { protocol, priorityToPod, priorityToServiceVeth, priorityFromPod } = node.cloud.config.numbers;
  const known = new Set(node.attachments.list().flatMap((attachment) => attachment.interface.addresses));
  const wanted = new Set(node.cloud.grants.plan.filter((object) => object.kind === 'rule').map(keyOfRule));
  const orphans = orphansIn(node.kernel, protocol, known);
  const owned = node.kernel.owned(protocol);
  const rules = owned.rules
    .filter(({ priority }) => [priorityToPod, priorityToServiceVeth, priorityFromPod].includes(priority))
    .filter((rule) => !wanted.has(keyOfRule(rule)))
    .filter(({ from }) => !orphans.some((ip) => from !== undefined && contains(from, ip)));
  const inUse = known.union(new Set(orphans));
  const proxies = owned.proxies.filter(({ address }) => !inUse.has(address));
  return [...rules.map((rule): RuleObject => ({ kind: 'rule', where: host, ...rule })), ...onTheirLinks(node, proxies)];
}

function onTheirLinks({ kernel }: NodeAgent, proxies: ReturnType<NodeAgent['kernel']['owned']>['proxies']): ProxyObject[] {
  if (proxies.length === 0) return [];
  const links = new Map(kernel.links().map((link) => [link.index, link]));
  return proxies.flatMap(({ link: index, address, protocol }): ProxyObject[] => {
    const { name, mac } = links.get(index) ?? {};
    return name === undefined || mac === undefined ? [] : [{ kind: 'proxy', where: host, link: name, linkMac: mac, address, protocol }];
  });
}

/** `rule 700: … in host: nobody's`, in the words of the other differences. */
export function sayLeftover(left: Leftover): string {
  return `${describe(left)} in ${nameOf(left.where)}: belongs to no Pod and no interface`;
}

/** Removes them; returns what they were. @throws Failure kernelRefused. */
export async function removeLeftovers(node: NodeAgent): Promise<Leftover[]> {
  const found = leftovers(node);
  await node.kernel.remove(found);
  for (const left of found) node.log.warn(`removed ${describe(left)}: it belonged to no Pod and no interface`);
  return found;
}

function keyOfRule(rule: Parameters<typeof ruleKey>[0] & { readonly table: number }): string {
  return `${ruleKey(rule)} ${rule.table}`;
}
