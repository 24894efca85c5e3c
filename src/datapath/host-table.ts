/** The host's nftables table: the text of host.nft with this node's numbers in it. Nothing in it changes with a Pod. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { host, type NftTableObject } from '../kernel/state.ts';
import { type Cidr, cidrFamily } from '../net/cidr.ts';
import type { NodeConfig } from '../store/node-config.ts';
import type { GrantedNic } from '../store/node-network.ts';
import { markOf } from './marks.ts';

/** The table's name, in family inet. */
export const hostTableName = 'flatpod';

const template = readFileSync(join(import.meta.dirname, 'host.nft'), 'utf8');

/** A NIC with the name its link has on this node. */
export interface NamedNic {
  readonly nic: GrantedNic;
  readonly link: string;
}

/** The table for these NICs and this VPC. */
export function hostTable(config: NodeConfig['spec'], nics: readonly NamedNic[], vpcCidrs: readonly Cidr[]): NftTableObject {
  const { markMask, snatMark, linkPrefix } = config.numbers;
  const marks = nics.map(({ nic, link }) => ({ link, mark: markOf(nic.deviceIndex, markMask) }));
  const first = nics.find(({ nic }) => nic.deviceIndex === 0)?.nic;
  const snat = config.snat.enabled && first?.primary4 !== undefined;
  const words: Record<string, string> = {
    VPC4_ELEMENTS: elements(vpcCidrs),
    EXCLUDED4_ELEMENTS: elements(config.snat.exclude),
    REMEMBER_NIC_RULES: marks
      .map(({ link, mark }) => `iifname "${link}" ct mark set ct mark and ${hex(~markMask)} or ${hex(mark)}`)
      .join('\n  '),
    LEAVE_VPC_RULE: snat ? `iifname "${linkPrefix}*" meta nfproto ipv4 ct state new jump leave_vpc` : '',
    LINK_PREFIX: linkPrefix,
    KEEP_CT_MARK: hex(~(markMask | snatMark)),
    FIRST_NIC_SNAT_MARK: hex(markOf(0, markMask) | snatMark),
    MARK_MASK: hex(markMask),
    MARK_CHAINS: marks.map(({ mark }) => `${hex(mark)} : goto nic_${mark}`).join(', '),
    MARK_CHAIN_DEFINITIONS: marks
      .map(({ link, mark }) => `# by ${link}\nchain nic_${mark} {\n  meta mark set meta mark and ${hex(~markMask)} or ${hex(mark)}\n}`)
      .join('\n\n'),
    SNAT_RULE: snat
      ? `meta nfproto ipv4 oifname != "${linkPrefix}*" ct mark and ${hex(snatMark)} == ${hex(snatMark)} snat ip to ${first.primary4} fully-random`
      : '',
  };
  const text = template.replace(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g, (word) => words[word] ?? word);
  // Without a NIC there is no mark to look up, and nft refuses an empty map.
  return { kind: 'nft-table', where: host, family: 'inet', table: hostTableName, text: marks.length === 0 ? '' : text };
}

function elements(cidrs: readonly Cidr[]): string {
  const v4 = cidrs.filter((cidr) => cidrFamily(cidr) === 4);
  return v4.length === 0 ? '' : `elements = { ${v4.join(', ')} }`;
}

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}
