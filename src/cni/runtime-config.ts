/**
 * runtimeConfig: what a runtime adds for the capabilities that the configuration declares. Keys in any case: containerd writes Go's field
 * names (`HostPort`), CRI-O, podman and multus camelCase.
 */
import { type Ip, tryParseIp } from '../net/address.ts';
import { splitPrefix } from '../net/cidr.ts';
import { type Mac, tryParseUnicastMac } from '../net/mac.ts';
import { type Fields, fieldsOf, inner, ip, list, raw, text, whole, wrong } from './fields.ts';

/** A port of the node that leads to one of the Pod. */
export interface PortMapping {
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Absent: every address of the node. */
  readonly hostIp: Ip | undefined;
}

/** A limit in one direction, bits per second and bits. */
export interface Rate {
  readonly rate: number;
  /** Absent: unlimited. */
  readonly burst: number | undefined;
}

/** What Flatpod reads of runtimeConfig. Everything else in there is left alone. */
export interface RuntimeConfig {
  readonly portMappings: readonly PortMapping[];
  /** To the Pod. */
  readonly ingress: Rate | undefined;
  /** From the Pod. */
  readonly egress: Rate | undefined;
  readonly ips: readonly Ip[];
  readonly mac: Mac | undefined;
  /** All annotations of the Pod; containerd alone sends them. */
  readonly annotations: ReadonlyMap<string, string>;
}

/** How runtimes write "no limit" into a burst (2³² − 1). */
const unlimited = 4_294_967_295;

/** Reads the section, absent or not. @throws Failure configInvalid. */
export function readRuntimeConfig(value: unknown): RuntimeConfig {
  const fields = fieldsOf(value ?? {}, 'runtimeConfig', true);
  const bandwidth = inner(fields, 'bandwidth');
  return {
    portMappings: list(fields, 'portMappings', portMapping) ?? [],
    ingress: rate(bandwidth, 'ingress'),
    egress: rate(bandwidth, 'egress'),
    ips: list(fields, 'ips', addressMember) ?? [],
    mac: text(fields, 'mac', 'a unicast Ethernet address', tryParseUnicastMac),
    annotations: annotations(inner(fields, 'io.kubernetes.cri.pod-annotations', false)),
  };
}

/** A member of a list of addresses, with a length or without: which length it has is the subnet's affair. @throws Failure configInvalid. */
export function addressMember(member: unknown, path: string): Ip {
  const found = typeof member === 'string' ? (tryParseIp(member) ?? splitPrefix(member)?.ip) : undefined;
  if (found === undefined) throw wrong(path, member, 'an IP address');
  return found;
}

function portMapping(member: unknown, path: string): PortMapping {
  const fields = fieldsOf(member, path, true);
  const port = (key: string): number => {
    const number = whole(fields, key, 1, 65535);
    if (number === undefined) throw wrong(`${path}.${key}`, raw(fields, key), 'a port from 1 to 65535');
    return number;
  };
  const protocol = text(fields, 'protocol', 'tcp, udp or sctp', (found) => protocols.find((name) => name === found.toLowerCase()));
  return { hostPort: port('hostPort'), containerPort: port('containerPort'), protocol: protocol ?? 'tcp', hostIp: ip(fields, 'hostIP') };
}
const protocols = ['tcp', 'udp', 'sctp'] as const;

/** undefined without a rate, or with rate 0, which means the same. */
function rate(bandwidth: Fields | undefined, direction: 'ingress' | 'egress'): Rate | undefined {
  if (bandwidth === undefined) return undefined;
  const number = (key: string): number | undefined => whole(bandwidth, key, 0, Number.MAX_SAFE_INTEGER) || undefined;
  const [bits, burst] = [number(`${direction}Rate`), number(`${direction}Burst`)];
  return bits === undefined ? undefined : { rate: bits, burst: burst === unlimited ? undefined : burst };
}

function annotations(fields: Fields | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of fields?.values ?? []) {
    if (typeof value !== 'string') throw wrong(`runtimeConfig.io.kubernetes.cri.pod-annotations.${key.slice(0, 80)}`, value, 'a text');
    found.set(key, value);
  }
  return found;
}
