/** The host's nftables table: the text of host.nft with this node's numbers in it. Nothing in it changes with a Pod. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Link } from '../kernel/netlink/link.ts';
import { host, type NftTableObject } from '../kernel/state.ts';
import { type Cidr, cidrFamily } from '../net/cidr.ts';
import type { NodeConfig } from '../store/node-config.ts';
import type { GrantedNic } from '../store/node-network.ts';
import { markOf } from './marks.ts';
import { fillIn, hex } from './nft-text.ts';

/** The table's name, in family inet. */
export const hostTableName = 'flatpod';

const template = readFileSync(join(import.meta.dirname, 'host.nft'), 'utf8');

/** A NIC with the name its link has on this node. */
export interface NamedNic {
  readonly nic: GrantedNic;
  readonly link: string;
  /** The link itself as it was seen last; absent: a Pod has taken it along. */
  readonly device?: Pick<Link, 'index' | 'mac'>;
}

/** The table for these NICs and this VPC. */
export function hostTable(config: NodeConfig['spec'], nics: readonly NamedNic[], vpcCidrs: readonly Cidr[]): NftTableObject {
  const { markMask, snatMark, linkPrefix } = config.numbers;
  const marks = nics.filter(({ nic }) => staysOnNode(nic)).map(({ nic, link }) => ({ link, mark: markOf(nic.deviceIndex, markMask) }));
  const first = nics.find(({ nic }) => nic.deviceIndex === 0)?.nic;
  const snat = config.snat.enabled && first?.primary4 !== undefined;
  const chains = marks.map(({ mark }) => `${hex(mark)} : goto nic_${mark}`).join(', ');
  const words: Record<string, string> = {
    VPC4_ELEMENTS: elements(vpcCidrs),
    EXCLUDED4_ELEMENTS: elements(config.snat.exclude),
    REMEMBER_NIC_RULES: marks
      .map(({ link, mark }) => `iifname "${link}" ct mark set ct mark and ${hex(~markMask)} or ${hex(mark)}`)
      .join('\n  '),
    LEAVE_VPC_RULE: snat ? `iifname "${linkPrefix}*" meta nfproto ipv4 ct state new jump leave_vpc` : '',
    LINK_PREFIX: linkPrefix,
    SERVICE_PREFIX: servicePrefix(linkPrefix),
    KEEP_CT_MARK: hex(~(markMask | snatMark)),
    FIRST_NIC_SNAT_MARK: hex(markOf(0, markMask) | snatMark),
    // Without a NIC there is no mark to look up, and nft refuses an empty map.
    LEAVE_BY_MARK_RULES:
      marks.length === 0
        ? ''
        : // What Pods asked for comes back to them, whichever way their requests left.
          [`iifname "${linkPrefix}*"`, `ct direction reply ct mark and ${hex(snatMark)} == 0`]
            .map((which) => `${which} ct mark and ${hex(markMask)} vmap { ${chains} }`)
            .join('\n  '),
    MARK_CHAIN_DEFINITIONS: marks
      .map(({ link, mark }) => `# by ${link}\nchain nic_${mark} {\n  meta mark set meta mark and ${hex(~markMask)} or ${hex(mark)}\n}`)
      .join('\n\n'),
    SNAT_RULES: ([4, 6] as const)
      .map((family) => {
        const [own, ip] = family === 4 ? [first?.primary4, 'ip'] : [first?.primary6, 'ip6'];
        const how = own === undefined ? 'masquerade' : `snat ${ip} to ${own}`;
        return `meta nfproto ipv${family} oifname != "${linkPrefix}*" ct mark and ${hex(snatMark)} == ${hex(snatMark)} ${how} fully-random`;
      })
      .join('\n  '),
  };
  const text = fillIn(template, words);
  return { kind: 'nft-table', where: host, family: 'inet', table: hostTableName, text };
}

/** First letters of host ends of underlay: no hexadecimal digit follows the prefix, as it does in all others. */
export function servicePrefix(linkPrefix: string): string {
  return `${linkPrefix}n`;
}

/** Whether the node's own routing goes by it: not by one that is a Pod's, or that is the node's own business anyway. */
export function staysOnNode({ use, trunk, parent }: GrantedNic): boolean {
  return use === undefined && trunk === undefined && parent === undefined;
}

function elements(cidrs: readonly Cidr[]): string {
  const v4 = cidrs.filter((cidr) => cidrFamily(cidr) === 4);
  return v4.length === 0 ? '' : `elements = { ${v4.join(', ')} }`;
}
