/** Security groups. Their rules are those of the model. */
import { cidrFamily } from '../../../net/cidr.ts';
import { networkOf } from '../../model/find.ts';
import type { Rule, SecurityGroup, State } from '../../model/objects.ts';
import { type Fields as Filterable, filtered, filtersOf } from '../filters.ts';
import { checkVpc, groupIdOf, groupIn } from '../ids.ts';
import { factsOf, noteFacts } from '../notes.ts';
import { paged, pageIn } from '../pages.ts';
import { Refused } from '../refused.ts';
import type { Shown } from '../xml.ts';
import { type Action, changes, done, type Fields, madeBy, ownCall, type Setting, tells } from './action.ts';
import { tagSet, tagSpecifications } from './tag-sets.ts';

/** The actions of this file. */
export const groupActions: readonly Action[] = [
  tells('DescribeSecurityGroups', 'ListSecurityGroups', (parameters) => {
    const ids = parameters.texts('GroupId').map(groupIdOf);
    const names = parameters.texts('GroupName');
    const filters = filtersOf(parameters);
    const page = pageIn(parameters, [...ids, ...names]);
    return (state, setting) => {
      const all = [...state.group.values()];
      const byName = names.map((name) => {
        const group = all.find((one) => one.name === name);
        if (group === undefined) throw new Refused('InvalidGroup.NotFound', `The security group '${name}' does not exist`);
        return group;
      });
      const named = [...ids.map((id) => groupIn(state, id)), ...byName];
      const { items, nextToken } = paged(filtered(named.length > 0 ? named : all, filters, groupFields(state)), page, filters);
      return { securityGroupInfo: items.map((group) => shown(state, group, setting)), nextToken };
    };
  }),
  changes(
    'CreateSecurityGroup',
    'CreateSecurityGroup',
    (parameters) => {
      const name = parameters.needed('GroupName');
      const description = parameters.needed('GroupDescription');
      const vpc = parameters.text('VpcId');
      const tags = tagSpecifications(parameters, 'security-group')['security-group'] ?? {};
      return (transaction, { region, account }) => {
        if (vpc !== undefined) checkVpc(transaction.state, vpc);
        // As on EC2 a new group lets everything out and nothing in.
        const rules = ['0.0.0.0/0', '::/0'].map((cidr) => ({ direction: 'egress', protocol: 'any', cidr }));
        const groupId = madeBy(ownCall('CreateSecurityGroup', transaction, '', { name, rules, tags }));
        noteFacts(transaction, groupId, { description });
        return { groupId, tagSet: tagSet(tags), securityGroupArn: `arn:aws:ec2:${region}:${account}:security-group/${groupId}` };
      };
    },
    { AlreadyExists: 'InvalidGroup.Duplicate', LimitExceeded: 'SecurityGroupLimitExceeded' },
  ),
  changes(
    'DeleteSecurityGroup',
    'DeleteSecurityGroup',
    (parameters) => {
      const id = groupIdOf(parameters.needed('GroupId'));
      return (transaction) => {
        groupIn(transaction.state, id);
        ownCall('DeleteSecurityGroup', transaction, id);
        return { ...done, groupId: id };
      };
    },
    { InUse: 'DependencyViolation' },
  ),
];

function groupFields(state: State): Filterable<SecurityGroup> {
  return {
    'group-id': ({ id }) => id,
    'group-name': ({ name }) => name,
    'vpc-id': () => networkOf(state).id,
    description: ({ id }) => factsOf(state, id).description,
  };
}

function shown(state: State, { id, name, rules, tags }: SecurityGroup, { account, region }: Setting): Fields {
  const of = (direction: Rule['direction']): Shown =>
    rules.filter((rule) => rule.direction === direction).map((rule) => permission(rule, account));
  return {
    groupId: id,
    groupName: name,
    groupDescription: factsOf(state, id).description ?? name,
    vpcId: networkOf(state).id,
    ownerId: account,
    securityGroupArn: `arn:aws:ec2:${region}:${account}:security-group/${id}`,
    ipPermissions: of('ingress'),
    ipPermissionsEgress: of('egress'),
    tagSet: tagSet(tags),
  };
}

function permission({ protocol, ports, cidr, group }: Rule, account: string): Fields {
  return {
    ipProtocol: protocol === 'any' ? '-1' : protocol,
    fromPort: ports?.from,
    toPort: ports?.to,
    groups: group === undefined ? [] : [{ userId: account, groupId: group }],
    ipRanges: cidr !== undefined && cidrFamily(cidr) === 4 ? [{ cidrIp: cidr }] : [],
    ipv6Ranges: cidr !== undefined && cidrFamily(cidr) === 6 ? [{ cidrIpv6: cidr }] : [],
    prefixListIds: [],
  };
}
