/** Security groups. Rules do nothing until ApplySecurityGroup. */
import * as z from 'zod';
import { tryParseCidr } from '../../net/cidr.ts';
import { newId } from '../calls/token.ts';
import type { Transaction } from '../model/model.ts';
import type { GroupId, Rule, SecurityGroup, State } from '../model/objects.ts';
import { type Action, type Asking, change, checkOwner, ownerOf, read, timeOf } from './action.ts';
import { countFailures } from './attach.ts';
import { freshId, groupBy, groupId, instanceBy, instanceId, interfaces } from './ids.ts';
import { created_ms, type Facts, type Keyed, noteOf, notesOf, putNote, removeNote } from './notes.ts';
import { int, list, page, paged, some, text } from './parameters.ts';
import { Problem, unknown } from './problem.ts';

const DEFAULT = 'default';
const MOST_RULES = 60;
const everywhere = tryParseCidr('0.0.0.0/0');

const rule = z.strictObject({
  action: z.enum(['accept', 'drop'], 'is neither accept nor drop'),
  direction: z.enum(['0', '1'], 'is neither 0 nor 1').default('0'),
  priority: int.refine((value) => value <= 100, 'is above 100'),
  protocol: z.enum(['tcp', 'udp', 'icmp', 'all'], 'is none of tcp, udp, icmp, all'),
  security_group_rule_name: text.optional(),
  val1: z.string().max(5).optional(),
  val2: z.string().max(5).optional(),
  val3: z.string().max(50).optional(),
});
type NewRule = z.output<typeof rule>;
const rulesQuery = z.strictObject({
  ...page,
  security_group: some.optional(),
  security_group_rules: list.optional(),
  direction: int.optional(),
});

/** The actions of this file. */
export const groupActions: readonly Action[] = [
  read(
    ['DescribeSecurityGroups', 'ListSecurityGroups'],
    z.strictObject({ ...page, security_groups: list.optional() }),
    (state, wanted, asking) => {
      const found = [...state.group.values()].filter(
        ({ id }) =>
          (wanted.security_groups?.includes(groupId(id)) ?? true) &&
          (wanted.owner === undefined || wanted.owner === ownerOf(noteOf(state, 'group', id), asking)),
      );
      return paged('security_group_set', found, wanted, (group) => shown(state, group, asking));
    },
  ),
  change(
    ['CreateSecurityGroup'],
    z.strictObject({ security_group_name: text.optional() }),
    (transaction, { security_group_name = '' }, { account }) => {
      const id = newId<GroupId>('sg');
      transaction.put('group', { id, name: id, rules: modelRules([]), tags: {} });
      const facts = { name: security_group_name, owner: account.owner, applied: '1', created_ms: String(transaction.now_ms) };
      putNote(transaction, 'group', id, facts);
      return { security_group_id: groupId(id) };
    },
  ),
  change(['DeleteSecurityGroups'], z.strictObject({ security_groups: list }), (transaction, { security_groups }, changing) => {
    for (const one of security_groups) {
      const group = groupBy(transaction.state, one);
      checkOwner(transaction.state, 'group', group.id, one, changing);
      const user = [...transaction.state.nic.values()].find((nic) => nic.securityGroups.includes(group.id));
      if (group.name === DEFAULT || user !== undefined) throw new Problem('denied', `security group [${one}] is in use`);
      transaction.remove('group', group.id);
      removeNote(transaction, 'group', group.id);
      for (const { key } of rulesOf(transaction.state, one)) removeNote(transaction, 'rule', key);
    }
    return { security_groups };
  }),
  change(
    ['AddSecurityGroupRules'],
    z.strictObject({ security_group: some, rules: z.array(rule).min(1, 'is empty') }),
    (transaction, wanted, changing) => {
      const group = groupBy(transaction.state, wanted.security_group);
      checkOwner(transaction.state, 'group', group.id, wanted.security_group, changing);
      if (rulesOf(transaction.state, wanted.security_group).length + wanted.rules.length > MOST_RULES)
        throw new Problem('quota', `security group [${wanted.security_group}] would have more than ${MOST_RULES} rules`);
      for (const one of wanted.rules) modelRule(one);
      const ids = wanted.rules.map((one) => {
        const id = freshId('sgr');
        const facts = { group: wanted.security_group, rule: JSON.stringify(one), created_ms: String(transaction.now_ms) };
        putNote(transaction, 'rule', id, facts);
        return id;
      });
      setApplied(transaction, group, false);
      return { security_group_rules: ids };
    },
  ),
  change(['DeleteSecurityGroupRules'], z.strictObject({ security_group_rules: list }), (transaction, { security_group_rules }) => {
    for (const id of security_group_rules) {
      const facts = noteOf(transaction.state, 'rule', id);
      if (facts === undefined) throw unknown(id);
      removeNote(transaction, 'rule', id);
      setApplied(transaction, groupBy(transaction.state, facts['group'] ?? ''), false);
    }
    return { security_group_rules };
  }),
  read(['DescribeSecurityGroupRules'], rulesQuery, (state, wanted) => {
    const found = notesOf(state, 'rule').filter(
      ({ key, facts }) =>
        (wanted.security_group === undefined || wanted.security_group === facts['group']) &&
        (wanted.security_group_rules?.includes(key) ?? true) &&
        (wanted.direction === undefined || wanted.direction === Number(ruleOf(facts).direction)),
    );
    return paged('security_group_rule_set', found, wanted, ({ key, facts }) => {
      const { direction, ...rest } = ruleOf(facts);
      return { security_group_rule_id: key, security_group_id: facts['group'] ?? '', direction: Number(direction), ...rest };
    });
  }),
  change(
    ['ApplySecurityGroup', 'SetSecurityGroupRules'],
    z.strictObject({ security_group: some, instances: list.optional() }),
    (transaction, wanted, changing) => {
      const group = groupBy(transaction.state, wanted.security_group);
      checkOwner(transaction.state, 'group', group.id, wanted.security_group, changing);
      const { instances = [] } = wanted;
      for (const id of instances) instanceBy(transaction.state, id);
      const work = { kind: 'applyGroup', group: wanted.security_group, of: [wanted.security_group, ...instances] } as const;
      return { job_id: changing.start(transaction, work.of, work).id };
    },
  ),
];

/** The group's rules come into force; the instances' NICs carry it from now on. */
export function applyGroupNow(transaction: Transaction, id: string, done: readonly string[]): number {
  return countFailures(done, (one) => {
    const group = groupBy(transaction.state, id);
    if (one === id) {
      transaction.put('group', { ...group, rules: modelRules(rulesOf(transaction.state, id).map(({ facts }) => ruleOf(facts))) });
      setApplied(transaction, group, true);
      return;
    }
    const instance = instanceBy(transaction.state, one);
    for (const nic of interfaces(transaction.state))
      if (nic.attachment?.instance === instance.id) transaction.put('nic', { ...nic, securityGroups: [group.id] });
  });
}

function shown(state: State, group: SecurityGroup, asking: Asking): object {
  const facts = noteOf(state, 'group', group.id);
  const users = interfaces(state).flatMap(({ attachment, securityGroups }) =>
    attachment !== undefined && securityGroups.includes(group.id) ? [instanceId(attachment.instance)] : [],
  );
  return {
    security_group_id: groupId(group.id),
    security_group_name: facts?.['name'] ?? group.name,
    is_applied: facts?.['applied'] === '0' ? 0 : 1,
    is_default: group.name === DEFAULT ? 1 : 0,
    resources: [...new Set(users)].map((id) => ({ resource_id: id, resource_type: 'instance', resource_name: '' })),
    owner: ownerOf(facts, asking),
    create_time: timeOf(created_ms({ key: '', facts: facts ?? {} })),
  };
}

function rulesOf(state: State, group: string): Keyed[] {
  return notesOf(state, 'rule').filter(({ facts }) => facts['group'] === group);
}

function ruleOf(facts: Facts): NewRule {
  return JSON.parse(facts['rule'] ?? '') as NewRule; // what AddSecurityGroupRules wrote
}

function setApplied(transaction: Transaction, { id, name }: SecurityGroup, applied: boolean): void {
  const before = noteOf(transaction.state, 'group', id) ?? { name };
  putNote(transaction, 'group', id, { ...before, applied: applied ? '1' : '0' });
}

/** The model has rules that let through alone: those that a drop of smaller number comes before are left out, and without one for leaving, all may leave. */
function modelRules(rules: readonly NewRule[]): Rule[] {
  const ordered = rules.toSorted((a, b) => a.priority - b.priority);
  const open = ordered.filter((one, at) => one.action === 'accept' && !ordered.slice(0, at).some((other) => covers(other, one)));
  const made = open.map(modelRule);
  const leaving: Rule[] = everywhere === undefined ? [] : [{ direction: 'egress', protocol: 'any', cidr: everywhere }];
  return made.some(({ direction }) => direction === 'egress') ? made : [...made, ...leaving];
}

function covers(drop: NewRule, accept: NewRule): boolean {
  if (drop.action !== 'drop' || drop.direction !== accept.direction) return false;
  const same = (key: 'val1' | 'val2' | 'val3'): boolean => (drop[key] ?? '') === '' || drop[key] === accept[key];
  return (drop.protocol === 'all' || drop.protocol === accept.protocol) && same('val1') && same('val2') && same('val3');
}

/** @throws Problem 1100. */
function modelRule({ direction, protocol, val1 = '', val2 = '', val3 = '' }: NewRule): Rule {
  const cidr = val3 === '' ? everywhere : tryParseCidr(val3.includes('/') ? val3 : `${val3}/32`);
  if (cidr === undefined) throw new Problem('malformed', `[${val3}] is no network`);
  const way = direction === '0' ? 'ingress' : 'egress';
  if (protocol === 'all') return { direction: way, protocol: 'any', cidr };
  if (protocol === 'icmp' || val1 === '') return { direction: way, protocol, cidr };
  const [from, to] = [Number(val1), Number(val2 === '' ? val1 : val2)];
  if (!(from >= 0 && from <= to && to <= 65_535)) throw new Problem('malformed', `[${val1}-${val2}] is no range of ports`);
  return { direction: way, protocol, ports: { from, to }, cidr };
}
