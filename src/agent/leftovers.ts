/**
 * Rules of ours that nobody wants: those of a Pod that ended while its record was lost, for one. Links, routes, addresses and neighbours cannot be left
 * over: they die with the Pod's namespace. What leads to a Pod that lives on without a record (orphans.ts) is no leftover, and neither is its link.
 */
import { planOf } from '../datapath/datapath.ts';
import { ruleKey } from '../kernel/snapshot.ts';
import { describe, host, nameOf, type RuleObject } from '../kernel/state.ts';
import { firstOf } from '../net/cidr.ts';
import type { NodeAgent } from './node-agent.ts';
import { orphansIn } from './orphans.ts';

/** Such rules in the kernel now. Needs a configuration: it says by which numbers our rules are known. */
export function leftovers(node: NodeAgent): RuleObject[] {
  if (node.cloud === undefined) return [];
  const { protocol, priorityToPod, priorityFromPod } = node.cloud.config.numbers;
  const attachments = node.attachments.list();
  const plans = [node.cloud.grants.plan, ...attachments.map((attachment) => planOf(attachment.interface))];
  const wanted = new Set(plans.flatMap((plan) => plan.filter((object) => object.kind === 'rule').map(keyOfRule)));
  const orphans = new Set(orphansIn(node.kernel, protocol, new Set(attachments.flatMap((attachment) => attachment.interface.addresses))));
  return node.kernel
    .owned(protocol)
    .rules.filter(({ priority }) => priority === priorityToPod || priority === priorityFromPod)
    .filter((rule) => !wanted.has(keyOfRule(rule)))
    .filter(({ to, from }) => ![to, from].some((cidr) => cidr !== undefined && orphans.has(firstOf(cidr))))
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
