/**
 * Rules of ours that nobody wants: those of blocks that went to another NIC while no agent ran, for one. Links, routes, addresses and neighbours cannot be
 * left over: they die with the Pod's namespace. A rule for a Pod that lives on without a record (orphans.ts) is no leftover, and neither is its link.
 */
import { ruleKey } from '../kernel/snapshot.ts';
import { describe, host, nameOf, type RuleObject } from '../kernel/state.ts';
import { contains } from '../net/cidr.ts';
import type { NodeAgent } from './node-agent.ts';
import { orphansIn } from './orphans.ts';

/** Such rules in the kernel now. Needs a configuration: it says by which numbers our rules are known. */
export function leftovers(node: NodeAgent): RuleObject[] {
  if (node.cloud === undefined) return [];
  const { protocol, priorityToPod, priorityToServiceVeth, priorityFromPod } = node.cloud.config.numbers;
  const attachments = node.attachments.list();
  const wanted = new Set(node.cloud.grants.plan.filter((object) => object.kind === 'rule').map(keyOfRule));
  const orphans = orphansIn(node.kernel, protocol, new Set(attachments.flatMap((attachment) => attachment.interface.addresses)));
  return node.kernel
    .owned(protocol)
    .rules.filter(({ priority }) => [priorityToPod, priorityToServiceVeth, priorityFromPod].includes(priority))
    .filter((rule) => !wanted.has(keyOfRule(rule)))
    .filter(({ from }) => !orphans.some((ip) => from !== undefined && contains(from, ip)))
    .map((rule) => ({ kind: 'rule', where: host, ...rule }));
}

/** `rule 700: … in host: nobody's`, in the words of the other differences. */
export function sayLeftover(rule: RuleObject): string {
  return `${describe(rule)} in ${nameOf(rule.where)}: belongs to no Pod and no interface`;
}

/** Removes them; returns what they were. @throws Failure kernelRefused. */
export async function removeLeftovers(node: NodeAgent): Promise<RuleObject[]> {
  const found = leftovers(node);
  await node.kernel.remove(found);
  for (const rule of found) node.log.warn(`removed ${describe(rule)}: it belonged to no Pod and no interface`);
  return found;
}

function keyOfRule(rule: Parameters<typeof ruleKey>[0] & { readonly table: number }): string {
  return `${ruleKey(rule)} ${rule.table}`;
}
