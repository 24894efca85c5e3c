/** Security groups as nft text: a chain per group and direction, one that combines the groups of a NIC, and a set of members for each group that is a peer. */
import { createHash } from 'node:crypto';
import { cidrFamily, lengthOf } from '../../net/cidr.ts';
import type { GroupId, Rule, State } from '../model/objects.ts';
import { pluggedNics } from './wanted.ts';

/** The bits of meta mark by which security.nft knows that a direction is allowed. */
const ALLOWED = { egress: '0x1', ingress: '0x2' } as const;

/** nft names have no "-". */
export function chainOf(what: 'in' | 'out' | 'members', id: string): string {
  return `${what}_${id.replaceAll('-', '_')}`;
}

/** The name of a list of groups. */
export function comboOf(groups: readonly GroupId[]): string {
  if (groups.length === 1 && groups[0] !== undefined) return groups[0];
  return `combo-${createHash('sha256')
    .update([...groups].sort().join(' '))
    .digest('hex')
    .slice(0, 16)}`;
}

/** Groups that are the peer of some rule. */
export function referencedGroups(state: State): Set<GroupId> {
  return new Set([...state.group.values()].flatMap(({ rules }) => rules.flatMap(({ group }) => (group === undefined ? [] : [group]))));
}

/** Chains and member sets that the state needs: name → what is in it, in nft's words. */
export function securityChains(state: State): { readonly sets: Map<string, string>; readonly chains: Map<string, string> } {
  const sets = new Map<string, string>();
  for (const group of referencedGroups(state)) {
    for (const [family, type] of [
      ['4', 'ipv4_addr'],
      ['6', 'ipv6_addr'],
    ] as const)
      sets.set(`${chainOf('members', group)}_${family}`, `type ${type}; flags interval;`);
  }
  const chains = new Map<string, string>();
  // Groups first: the combinations jump to them.
  for (const group of state.group.values()) {
    chains.set(chainOf('in', group.id), rulesText(group.rules, 'ingress'));
    chains.set(chainOf('out', group.id), rulesText(group.rules, 'egress'));
  }
  for (const { nic } of pluggedNics(state)) {
    if (nic.securityGroups.length === 1) continue;
    const combo = comboOf(nic.securityGroups);
    for (const way of ['in', 'out'] as const)
      chains.set(chainOf(way, combo), nic.securityGroups.map((id) => `jump ${chainOf(way, id)}`).join('\n'));
  }
  return { sets, chains };
}

function rulesText(rules: readonly Rule[], direction: Rule['direction']): string {
  return rules
    .filter((rule) => rule.direction === direction)
    .flatMap((rule) => peersOf(rule).map((peer) => `${peer} ${protocolOf(rule)} meta mark set meta mark | ${ALLOWED[direction]}`))
    .join('\n');
}

function peersOf({ direction, cidr, group }: Rule): string[] {
  const side = direction === 'ingress' ? 'saddr' : 'daddr';
  if (group !== undefined) return [`ip ${side} @${chainOf('members', group)}_4`, `ip6 ${side} @${chainOf('members', group)}_6`];
  if (cidr === undefined) return [];
  const family = cidrFamily(cidr);
  if (lengthOf(cidr) === 0) return [`meta nfproto ipv${family}`];
  return [`${family === 4 ? 'ip' : 'ip6'} ${side} ${cidr}`];
}

function protocolOf({ protocol, ports }: Rule): string {
  if (protocol === 'any') return '';
  if (protocol === 'icmp') return 'meta l4proto { icmp, ipv6-icmp }';
  return ports === undefined ? `meta l4proto ${protocol}` : `${protocol} dport ${ports.from}-${ports.to}`;
}
