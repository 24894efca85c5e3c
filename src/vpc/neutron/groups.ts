/** Neutron's security groups in the words of the VPC's. */
import { type Cidr, parseCidr } from '../../net/cidr.ts';
import type { GroupId, Rule, SecurityGroup } from '../model/objects.ts';
import type { Books } from './books.ts';
import type { NeutronRule } from './event.ts';

/** What a port without port security carries: everything passes. */
export const openGroup: GroupId = 'neutron-open' as GroupId; // no UUID, so none of Neutron's

const everywhere: Readonly<Record<4 | 6, Cidr>> = { 4: parseCidr('0.0.0.0/0'), 6: parseCidr('::/0') };
const all = (direction: Rule['direction']): Rule[] =>
  ([4, 6] as const).map((family) => ({ direction, protocol: 'any', cidr: everywhere[family] }));

/**
 * All groups, also those that are only spoken of: one that was made before anybody listened is taken for what Neutron makes of a new `default`,
 * everything out and in what comes from the group itself. `problems` gets a sentence for each rule that has no equal here.
 */
export function groupsOf({ group, rule, port }: Books, problems: string[]): SecurityGroup[] {
  const rules = [...rule.values()];
  const spokenOf = [
    ...[...port.values()].flatMap(({ security_groups }) => security_groups),
    ...rules.flatMap((one) => one.remote_group_id ?? []),
  ];
  const known = [...group.values()].map(({ id, name }): SecurityGroup => {
    const own = rules.filter((one) => one.security_group_id === id);
    return groupWith(
      id,
      name,
      own.flatMap((one) => ruleOf(one, problems)),
    );
  });
  const unknown = [...new Set(spokenOf)]
    .filter((id) => !group.has(id))
    .map((id) => groupWith(id, id, [...all('egress'), { direction: 'ingress', protocol: 'any', group: id as GroupId }])); // a group's id
  return [...known, ...unknown, groupWith(openGroup, openGroup, [...all('egress'), ...all('ingress')])];
}

function groupWith(id: string, name: string, rules: readonly Rule[]): SecurityGroup {
  return { id: id as GroupId, name, rules, tags: {} }; // a group's id
}

/** By name, or by number as Neutron takes them too. */
const protocols: Readonly<Record<string, Rule['protocol']>> = {
  tcp: 'tcp',
  '6': 'tcp',
  udp: 'udp',
  '17': 'udp',
  icmp: 'icmp',
  '1': 'icmp',
  icmpv6: 'icmp',
  'ipv6-icmp': 'icmp',
  '58': 'icmp',
  any: 'any',
  '0': 'any',
};

/** A remote group counts for both families here; ICMP's types are not told apart. */
function ruleOf(one: NeutronRule, problems: string[]): Rule[] {
  const protocol = protocols[one.protocol ?? 'any'];
  if (protocol === undefined) {
    problems.push(
      `rule ${one.id} of security group ${one.security_group_id} lets nothing pass: the fabric does not know protocol ${one.protocol}`,
    );
    return [];
  }
  const { port_range_min: from, port_range_max: to, remote_group_id: group, remote_ip_prefix: prefix, direction } = one;
  const hasPorts = (protocol === 'tcp' || protocol === 'udp') && from !== undefined && to !== undefined;
  const peer = group === undefined ? { cidr: prefix ?? everywhere[one.ethertype === 'IPv4' ? 4 : 6] } : { group: group as GroupId }; // a group's id
  return [{ direction, protocol, ...(hasPorts && { ports: { from, to } }), ...peer }];
}
