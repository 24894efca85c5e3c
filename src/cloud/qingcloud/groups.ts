/**
 * The security group of the nodes' instances: rules that let Pods' vxnets in, and its application, without which rules do nothing.
 *
 * Invariants
 * - no rule is added while lists may not show yet that an earlier call has added it
 * - the group is applied when what lets Pods in may not be in force: not because others have changed rules that they have not applied yet
 */
import { type Cidr, containsCidr } from '../../net/cidr.ts';
import type { Clock } from '../clock.ts';
import type { Step } from '../load-balancers.ts';
import type { SecurityGroup } from '../security-group.ts';
import { type Asked, refuse } from '../wire/asked.ts';
import { type GroupRecord, groupRecord, jobOf, type RuleRecord, ruleRecord } from './answers.ts';
import type { Api, ApiCall } from './call.ts';
import type { Jobs } from './jobs.ts';
import type { Patience } from './patience.ts';
import { allWell } from './reserve.ts';
import type { Parameters } from './signature.ts';
import { isUnclear } from './refusals.ts';

/** What this file works with. */
export interface GroupUse {
  readonly api: Api;
  readonly jobs: Jobs;
  readonly clock: Clock;
  readonly reading: () => Patience;
  readonly changing: () => Patience;
}

/** Lists are seldom older than that. */
const LAG_ms = 15_000;
/** What one call may name. */
const AT_ONCE = 20;
/** The smaller number comes first: 0 is left to whoever wants something kept out. */
const PRIORITY = 1;

/** The group of that id. */
export function securityGroupOf(use: GroupUse, id: string): SecurityGroup {
  const { api, jobs, clock } = use;
  const memory = noMemory();

  function addition(blocks: readonly Cidr[]): Step {
    const call: ApiCall = { action: 'AddSecurityGroupRules', about: id, parameters: addingParameters(id, blocks) };
    const send = async (): Promise<void> => {
      memory.mustApply = true;
      const note = (isDone: boolean): void => blocks.forEach((block) => memory.added.set(block, { at_ms: clock.now_ms(), isDone }));
      try {
        await api.call(call, () => undefined, use.changing());
        note(true);
      } catch (error) {
        if (isUnclear(error)) note(false);
        throw error;
      }
    };
    return { kind: 'assign', isRelease: false, text: `let ${blocks.join(', ')} in by security group ${id}`, send };
  }

  const application: Step = {
    kind: 'assign',
    isRelease: false,
    text: `apply security group ${id}`,
    async send() {
      memory.job = await api.call(applying(id), jobOf, use.changing());
    },
  };

  /** Nothing is decided while it is being applied: what is in force then nobody knows. */
  async function applied(): Promise<void> {
    const { job } = memory;
    if (job === undefined) return;
    // Nobody waits again for one that ended badly or that is not listed any more.
    const isOver = jobs.ended(job).then(() => (memory.job = undefined));
    await allWell({ api, jobs }, applying(id), [job], use.reading());
    await isOver;
    memory.mustApply = false;
    memory.appliedAt_ms = clock.now_ms();
  }

  return {
    name: 'qingcloud',
    async next(blocks) {
      await applied();
      const { group, rules } = await readGroup(api, id, use.reading());
      const now_ms = clock.now_ms();
      const lacking = blocks.filter((block) => !rules.some((rule) => letsIn(rule, block)));
      const lately = lacking.filter((block) => now_ms - (memory.added.get(block)?.at_ms ?? Number.NEGATIVE_INFINITY) < LAG_ms);
      const missing = lacking.filter((block) => !lately.includes(block));
      if (missing.length > 0) return addition(missing.slice(0, AT_ONCE));
      if (lately.some((block) => memory.added.get(block)?.isDone === false))
        throw refuse.unavailable(askedOf(api, id), 'an earlier call may have added a rule: lists are too old to tell');
      if (isInForce(memory, group, rules, blocks, now_ms)) return undefined;
      memory.appliedFor = blocks;
      return application;
    },
    perform: (step) => step.send(),
  };
}

/** What one driver remembers; whoever starts anew applies the group where it is not. */
interface Memory {
  /** Blocks for which rules were asked for, and when; whether there was an answer. */
  readonly added: Map<Cidr, { readonly at_ms: number; readonly isDone: boolean }>;
  /** By the rule's id, since when it is listed. */
  readonly since_ms: Map<string, number>;
  /** Rules that were listed for a while in a group that was applied. */
  readonly inForce: Set<string>;
  /** Rules were added, perhaps, and the group was not applied since. */
  mustApply: boolean;
  /** Which applies it. */
  job: string | undefined;
  /** When that was last seen to be done, and for which blocks. */
  appliedAt_ms: number;
  appliedFor: readonly Cidr[];
}

function noMemory(): Memory {
  return {
    added: new Map(),
    since_ms: new Map(),
    inForce: new Set(),
    mustApply: false,
    job: undefined,
    appliedAt_ms: Number.NEGATIVE_INFINITY,
    appliedFor: [],
  };
}

/** Whether each block is let in by a rule that is in force. */
function isInForce(memory: Memory, group: GroupRecord, rules: readonly RuleRecord[], blocks: readonly Cidr[], now_ms: number): boolean {
  if (memory.mustApply) return false;
  for (const { id } of rules) {
    const since_ms = memory.since_ms.get(id) ?? now_ms;
    memory.since_ms.set(id, since_ms);
    // What is said of the group may be older than the rule.
    if (group.isApplied && now_ms - since_ms >= LAG_ms) memory.inForce.add(id);
  }
  const isJustApplied = (block: Cidr): boolean => now_ms - memory.appliedAt_ms < LAG_ms && memory.appliedFor.includes(block);
  const isLetIn = (block: Cidr): boolean => rules.some((rule) => letsIn(rule, block) && memory.inForce.has(rule.id));
  return group.isApplied || blocks.every((block) => isJustApplied(block) || isLetIn(block));
}

/** Everything, from all of the block. */
function letsIn({ isIncoming, isAccepting, isEverything, from }: RuleRecord, block: Cidr): boolean {
  return isIncoming && isAccepting && isEverything && from !== undefined && containsCidr(from, block);
}

async function readGroup(api: Api, id: string, patience: Patience): Promise<{ group: GroupRecord; rules: RuleRecord[] }> {
  const groups = { action: 'DescribeSecurityGroups', about: id, parameters: { security_groups: [id] }, set: 'security_group_set' };
  const group = (await api.list({ ...groups, read: groupRecord, keyOf: (one) => one.id }, patience)).find((one) => one.id === id);
  if (group === undefined) throw refuse.notFound(askedOf(api, id), 'no such security group is listed: correct spec.cloud.securityGroup');
  const rules = { action: 'DescribeSecurityGroupRules', about: id, parameters: { security_group: id }, set: 'security_group_rule_set' };
  return { group, rules: await api.list({ ...rules, read: ruleRecord, keyOf: (one) => one.id }, patience) };
}

function askedOf(api: Api, id: string): Asked {
  return api.asked({ action: 'DescribeSecurityGroups', about: `security group ${id}`, parameters: {} });
}

/** What AddSecurityGroupRules is called with. */
export function addingParameters(id: string, blocks: readonly Cidr[]): Parameters {
  const rule = { security_group_rule_name: 'flatpod', action: 'accept', direction: 0, priority: PRIORITY, protocol: 'all' };
  return { security_group: id, rules: blocks.map((val3) => ({ ...rule, val3 })) };
}

function applying(id: string): ApiCall {
  return { action: 'ApplySecurityGroup', about: id, parameters: { security_group: id } };
}
