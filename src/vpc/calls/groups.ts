/** Security groups: what may be sent and received by the NICs that carry them. Everything else is dropped. */
import * as z from 'zod';
import { parseCidr } from '../../net/cidr.ts';
import type { GroupId, Rule, SecurityGroup, State } from '../model/objects.ts';
import { notFound, Refusal } from '../model/refusal.ts';
import { type Call, change, pageOf, read } from './call.ts';
import * as inputs from './inputs.ts';
import { newId, once } from './token.ts';

const MOST_GROUPS = 500;
const DEFAULT = 'default';

const createGroup = z.strictObject({
  name: inputs.name,
  clientToken: inputs.clientToken.optional(),
  rules: inputs.rules.default([]),
  tags: inputs.tags.default({}),
});

/** The group that a NIC gets when none is named. */
export function defaultGroup(state: State): SecurityGroup {
  const group = [...state.group.values()].find(({ name }) => name === DEFAULT);
  if (group === undefined) throw new Error('the state has no default security group');
  return group;
}

/** What every VPC starts with: all out, and all in from the group itself. */
export function newDefaultGroup(): SecurityGroup {
  const id = newId<GroupId>('sg');
  const out = (text: string): Rule => ({ direction: 'egress', protocol: 'any', cidr: parseCidr(text) });
  return { id, name: DEFAULT, rules: [{ direction: 'ingress', protocol: 'any', group: id }, out('0.0.0.0/0'), out('::/0')], tags: {} };
}

/** @throws Refusal NotFound unless all groups exist. */
export function checkGroups(state: State, ids: readonly GroupId[]): void {
  for (const id of ids) groupOf(state, id);
}

/** The calls of this file. */
export const groupCalls: readonly Call[] = [
  read('ListSecurityGroups', '/v1/security-groups', inputs.idsAndNames, (state, { query }) => {
    const wanted = [...state.group.values()].filter(
      ({ id, name }) => (query.id?.includes(id) ?? true) && (query.name?.includes(name) ?? true),
    );
    return pageOf(wanted, query, (group) => group);
  }),
  change('CreateSecurityGroup', 'POST', '/v1/security-groups', createGroup, (transaction, { body }) => {
    const id = once(transaction, 'CreateSecurityGroup', body, 'group', () => {
      const groups = [...transaction.state.group.values()];
      if (groups.some(({ name }) => name === body.name))
        throw new Refusal('AlreadyExists', `a security group is called ${body.name} already`, 'choose another name', 'name');
      if (groups.length >= MOST_GROUPS)
        throw new Refusal('LimitExceeded', `the VPC has ${MOST_GROUPS} security groups, as many as it may`, 'delete groups nobody uses');
      const self = newId<GroupId>('sg');
      const rules = inputs.rulesOf(body.rules, self);
      checkPeers(transaction.state, rules, self);
      transaction.put('group', { id: self, name: body.name, rules, tags: body.tags });
      return self;
    });
    return { status: 201, body: groupOf(transaction.state, id) };
  }),
  change('DeleteSecurityGroup', 'DELETE', '/v1/security-groups/:id', undefined, (transaction, { id }) => {
    const { state } = transaction;
    const group = groupOf(state, id);
    const user =
      [...state.nic.values()].find(({ securityGroups }) => securityGroups.includes(group.id))?.id ??
      [...state.group.values()].find((other) => other.id !== id && other.rules.some((rule) => rule.group === id))?.id;
    if (group.name === DEFAULT) throw new Refusal('InUse', 'the group default cannot be deleted', 'take its rules away instead');
    if (user !== undefined) throw new Refusal('InUse', `${user} uses ${id}`, 'take the group away from it first');
    transaction.remove('group', id);
    return { status: 204 };
  }),
  change(
    'SetSecurityGroupRules',
    'PUT',
    '/v1/security-groups/:id/rules',
    z.strictObject({ rules: inputs.rules }),
    (transaction, { id, body }) => {
      const group = groupOf(transaction.state, id);
      const rules = inputs.rulesOf(body.rules, group.id);
      checkPeers(transaction.state, rules, group.id);
      transaction.put('group', { ...group, rules });
      return { status: 200, body: groupOf(transaction.state, id) };
    },
  ),
];

function groupOf(state: State, id: string): SecurityGroup {
  const group = state.group.get(id);
  if (group === undefined) throw notFound('security group', id);
  return group;
}

function checkPeers(state: State, rules: readonly Rule[], self: GroupId): void {
  for (const { group } of rules) if (group !== undefined && group !== self) groupOf(state, group);
}
