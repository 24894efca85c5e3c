/** CNI_ARGS: `KEY=VALUE;KEY=VALUE`, in any order (containerd's is random). Conventions: Kubernetes' K8S_POD_*, IP, GATEWAY, MAC. */
import { failure } from '../errors/failure.ts';
import { type Ip, tryParseIp } from '../net/address.ts';
import { splitPrefix } from '../net/cidr.ts';
import { type Mac, tryParseUnicastMac } from '../net/mac.ts';

/** Who the container belongs to. podman gives only a name; by hand there is nothing. */
export interface PodIdentity {
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
}

/** What CNI_ARGS said. */
export interface CniArgs {
  readonly pod: PodIdentity;
  /** Addresses asked for, in order. */
  readonly ips: readonly Ip[];
  /** The same with the lengths they came with, verbatim: for plugins that take them from here. */
  readonly prefixes: readonly string[];
  /** Gateways, verbatim; to the main plugin they are the datapath's own affair. */
  readonly gateways: readonly string[];
  readonly mac: Mac | undefined;
}

/** K8S_POD_INFRA_CONTAINER_ID repeats CNI_CONTAINERID. */
const known = new Set([
  'IgnoreUnknown',
  'K8S_POD_NAMESPACE',
  'K8S_POD_NAME',
  'K8S_POD_UID',
  'K8S_POD_INFRA_CONTAINER_ID',
  'IP',
  'GATEWAY',
  'MAC',
]);

/** Parses the variable. @throws Failure argumentsInvalid: a pair with no `=` or two, an unknown key without IgnoreUnknown, a bad address. */
export function parseArgs(args: string): CniArgs {
  const pairs = pairsOf(args);
  const strange = [...pairs.keys()].filter((key) => !known.has(key));
  if (strange.length > 0 && !ignoresUnknown(pairs.get('IgnoreUnknown'))) throw refused(`unknown: ${strange.join(', ').slice(0, 200)}`);
  const [namespace, name, uid] = [pairs.get('K8S_POD_NAMESPACE'), pairs.get('K8S_POD_NAME'), pairs.get('K8S_POD_UID')];
  return {
    pod: { ...(namespace && { namespace }), ...(name && { name }), ...(uid && { uid }) },
    ips: listIn(pairs.get('IP')).map(addressIn),
    prefixes: listIn(pairs.get('IP')),
    gateways: listIn(pairs.get('GATEWAY')),
    mac: macIn(pairs.get('MAC')),
  };
}

/** Members between commas, without blanks around them. */
function listIn(text = ''): string[] {
  return text
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
}

function pairsOf(args: string): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const pair of args.split(';')) {
    if (pair === '') continue;
    const [key = '', value, ...more] = pair.split('=');
    if (key === '' || value === undefined || more.length > 0) throw refused(`${JSON.stringify(pair.slice(0, 80))} is not KEY=VALUE`);
    pairs.set(key, value);
  }
  return pairs;
}

/** The words that libcni takes for a truth value. */
function ignoresUnknown(value: string | undefined): boolean {
  if (value === undefined || /^(0|false)$/i.test(value)) return false;
  if (/^(1|true)$/i.test(value)) return true;
  throw refused(`IgnoreUnknown=${value.slice(0, 40)} is neither 1 nor 0`);
}

/** `10.0.0.7` or `10.0.0.7/24`: the length is the subnet's affair. */
function addressIn(text: string): Ip {
  const found = tryParseIp(text) ?? splitPrefix(text)?.ip;
  if (found === undefined) throw refused(`IP=${text.slice(0, 80)} is not an address`);
  return found;
}

function macIn(text: string | undefined): Mac | undefined {
  if (!text) return undefined;
  const mac = tryParseUnicastMac(text);
  if (mac === undefined) throw refused(`MAC=${text.slice(0, 80)} is not a unicast Ethernet address`);
  return mac;
}

function refused(reason: string): Error {
  return failure('argumentsInvalid', { reason });
}
