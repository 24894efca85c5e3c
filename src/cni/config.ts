/**
 * The plugin's own part of a network configuration.
 *
 * Unknown keys: the specification lets a plugin ignore or refuse them, and runtimes, operators and later versions add keys freely, so Flatpod
 * ignores them, and says so once in `ignored`. One that resembles a key of ours is a slip that would put Pods into the wrong subnet: refused (code 2).
 */
import { failure } from '../errors/failure.ts';
import { type Fields, fieldsOf, inner, raw, text, whole } from './fields.ts';
import { describe } from './json.ts';
import { acceptable, type IfName, tryIfName } from './names.ts';
import { readDns } from './prev-result.ts';
import type { ResultDns } from './result.ts';
import { strangeKeys } from './strange-keys.ts';

/** A network configuration, checked. */
export interface NetworkConfig {
  /** Name of the CNI network. */
  readonly name: string;
  /** Name of the interface to make; absent: CNI_IFNAME. For a second interface out of one list, whose plugins are all called with the same CNI_IFNAME. */
  readonly interface: IfName | undefined;
  /** Name of a PodSubnet that all Pods of this network use; absent: the PodSubnets decide. */
  readonly subnet: string | undefined;
  /** Upper bound of the Pod's MTU, bytes. */
  readonly mtu: number | undefined;
  /** Resolver settings to put into the result. */
  readonly dns: ResultDns;
  /** Keys that have no effect, for the log. */
  readonly ignored: readonly string[];
}

const ours = ['subnet', 'interface', 'mtu', 'dns'] as const;

/** Reads our keys. @throws Failure configInvalid, configKeyUnknown, ipamRefused. */
export function readConfig(config: Record<string, unknown>, name: string): NetworkConfig {
  const fields = fieldsOf(config, '');
  refuseIpam(fields);
  const mtu = whole(fields, 'mtu', 0, 65535);
  return {
    name,
    interface: text(fields, 'interface', acceptable.ifname, tryIfName),
    subnet: text(fields, 'subnet', 'the name of a PodSubnet', podSubnetName),
    // 0 means "whatever fits" in the reference plugins.
    mtu: mtu === 0 ? undefined : whole(fields, 'mtu', 576, 65535),
    dns: readDns(inner(fields, 'dns')),
    ignored: strangeKeys(config, ours),
  };
}

/** Kubernetes' rule for names of cluster objects (RFC 1123 subdomain). */
function podSubnetName(found: string): string | undefined {
  return found.length <= 253 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(found) ? found : undefined;
}

/** Ignoring an ipam section would silently give Pods other addresses than its author wrote down. An empty one says nothing. */
function refuseIpam(fields: Fields): void {
  const ipam = raw(fields, 'ipam');
  if (ipam === undefined) return;
  const section = inner(fields, 'ipam');
  if (section === undefined || section.values.size === 0) return;
  const type = raw(section, 'type');
  throw failure('ipamRefused', { found: type === undefined ? describe(ipam) : `of type ${describe(type)}` });
}
