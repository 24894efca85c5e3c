/**
 * The plugin veth-to-host's own part of a network configuration: the keys of the published plugin and of the one it came from, and `viaHost`, which is
 * ours. docs/veth-to-host.md lists them. Unknown keys are ignored, slips are refused (strange-keys.ts).
 */
import type { Cidr } from '../net/cidr.ts';
import { cidrOf, splitPrefix } from '../net/cidr.ts';
import { type Fields, fieldsOf, list, raw, text, truth, whole, wrong } from './fields.ts';
import { acceptable, type IfName, tryIfName } from './names.ts';
import { strangeKeys } from './strange-keys.ts';

/** A network configuration of veth-to-host, checked. */
export interface VethToHostConfig {
  /** Name of the CNI network. */
  readonly name: string;
  /** The interface of the node whose addresses are "the host". */
  readonly hostInterface: IfName;
  /** Name of the helper in the Pod. */
  readonly containerInterface: IfName;
  /** Whether what leaves through the host, and not for the underlay, gets the host's address. */
  readonly ipMasq: boolean;
  /** Of the helper, bytes; absent: that of hostInterface, or of the main interface where that is smaller. */
  readonly mtu: number | undefined;
  /** The lowest routing table that may be taken. */
  readonly routeTableStart: number;
  /** What leaves the Pod by the helper; absent: everything but the underlay. */
  readonly viaHost: readonly Cidr[] | undefined;
  /** Keys that have no effect, for the log. */
  readonly ignored: readonly string[];
}

/** Read, but without effect: every port of the host is served, and told by connections, not by a mark of the operator's choice. */
const needless = ['nodePorts', 'nodePortMark'] as const;
const ours = ['hostInterface', 'containerInterface', 'ipMasq', 'mtu', 'routeTableStart', 'viaHost', ...needless] as const;
/** Below are the kernel's own (linux/rtnetlink.h, RT_TABLE_*). */
const [FIRST_TABLE, LAST_TABLE] = [256, 0xffff_ffff];

/** Reads our keys. @throws Failure configInvalid, configKeyUnknown. */
export function readVethToHostConfig(config: Record<string, unknown>, name: string): VethToHostConfig {
  const fields = fieldsOf(config, '');
  const ignored = strangeKeys(config, ours);
  const mtu = whole(fields, 'mtu', 0, 65535);
  text(fields, 'nodePorts', 'a range of ports such as 30000:32767', portRange);
  whole(fields, 'nodePortMark', 1, 0xffff_ffff);
  return {
    name,
    hostInterface: interfaceName(fields, 'hostInterface', "the name of the node's interface"),
    containerInterface: interfaceName(fields, 'containerInterface', 'a name for the helper interface in the Pod, such as veth0'),
    ipMasq: truth(fields, 'ipMasq') ?? false,
    // 0 means "whatever fits" in the reference plugins.
    mtu: mtu === 0 ? undefined : whole(fields, 'mtu', 576, 65535),
    routeTableStart: whole(fields, 'routeTableStart', FIRST_TABLE, LAST_TABLE) ?? FIRST_TABLE,
    viaHost: list(fields, 'viaHost', blockMember),
    ignored: [...ignored, ...needless.filter((key) => raw(fields, key) !== undefined)],
  };
}

function interfaceName(fields: Fields, key: string, what: string): IfName {
  const wanted = `${what} (${acceptable.ifname}; letters, digits, - _ . + = , @)`;
  const found = text(fields, key, wanted, (name) => (isPlain(name) ? tryIfName(name) : undefined));
  if (found === undefined) throw wrong(key, raw(fields, key), wanted);
  return found;
}

/** The name stands in the text of nftables rules, where a star is a wildcard and a quote ends it. */
export function isPlain(name: string): boolean {
  return /^[\w.+=,@-]+$/.test(name);
}

function portRange(found: string): string | undefined {
  const [first, last] = (/^(\d{1,5}):(\d{1,5})$/.exec(found)?.slice(1) ?? []).map(Number);
  return first !== undefined && last !== undefined && 1 <= first && first <= last && last <= 65535 ? found : undefined;
}

function blockMember(member: unknown, path: string): Cidr {
  const split = typeof member === 'string' ? splitPrefix(member) : undefined;
  if (split === undefined) throw wrong(path, member, 'an address block such as 10.96.0.0/12');
  return cidrOf(split.ip, split.length);
}
