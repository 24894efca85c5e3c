/** Neutron's ports, as `openstack port list --long -f json` or the API itself shows them: those of Pods, by their owner. */
import { type Ip, tryParseIp } from '../../../net/address.ts';
import { type Account, below, membersOf, type Setting } from '../../../import/account.ts';
import { wordOf } from '../../../import/values.ts';

/** The owner of rubble's ports. */
const OWNER = 'network:secondary';

/** A port that rubble made for a Pod. */
export interface PodPort {
  readonly id: string;
  readonly tags: string;
  readonly addresses: readonly { readonly address: Ip; readonly subnet: string }[];
  readonly setting: Setting;
}

/** The list, when the document is one. */
export function portList(object: Setting): Setting | undefined {
  const inner = below(object, 'ports');
  const list = Array.isArray(object.value) ? object : inner;
  const first: unknown = Array.isArray(list.value) ? list.value[0] : undefined;
  const isPort = typeof first === 'object' && first !== null && ('ID' in first || 'id' in first);
  return Array.isArray(list.value) && (isPort || (list.value.length === 0 && list === inner)) ? list : undefined;
}

/** Those of rubble; how many others there are is told. */
export function podPorts(list: Setting, account: Account): PodPort[] {
  const members = membersOf(account, list);
  const ours = members.flatMap((port) => readPort(port, account) ?? []);
  const others = members.length - ours.length;
  if (others > 0)
    account.equal(
      { ...list, name: `${others} other ports`, value: undefined },
      `nothing: their owner is not ${OWNER}, so they are not of Pods`,
    );
  return ours;
}

function readPort(port: Setting, account: Account): PodPort | undefined {
  const id = wordOf(eitherOf(port, 'ID', 'id').value);
  const owner = eitherOf(port, 'Device Owner', 'device_owner');
  const setting = { ...eitherOf(port, 'ID', 'id'), name: 'port' };
  if (owner.value === undefined) {
    account.wrong(setting, 'is shown without its owner', `make the list again with --long, or with --device-owner ${OWNER} --long`);
    return undefined;
  }
  if (owner.value !== OWNER) return undefined;
  const fixed = eitherOf(port, 'Fixed IP Addresses', 'fixed_ips');
  const addresses = fixedIn(fixed.value);
  if (addresses === undefined) {
    account.wrong({ ...fixed, name: `port ${id} fixed IPs` }, 'cannot be read', 'make the list again as JSON (-f json)');
    return undefined;
  }
  const { value: tags } = eitherOf(port, 'Tags', 'tags');
  return { id, tags: Array.isArray(tags) ? tags.map(wordOf).join(', ') : typeof tags === 'string' ? tags : '', addresses, setting };
}

/** A list of objects, or their text: `ip_address='10.0.0.5', subnet_id='…'`. */
function fixedIn(value: unknown): PodPort['addresses'] | undefined {
  const pairs = Array.isArray(value) ? value.map(pairIn) : typeof value === 'string' ? pairsInText(value) : [undefined];
  return pairs.some((pair) => pair === undefined) ? undefined : pairs.flatMap((pair) => pair ?? []);
}

function pairIn(value: unknown): { address: Ip; subnet: string } | undefined {
  if (typeof value !== 'object' || value === null || !('ip_address' in value) || !('subnet_id' in value)) return undefined;
  const address = tryParseIp(wordOf(value.ip_address));
  const subnet = wordOf(value.subnet_id);
  return address === undefined || subnet === '' ? undefined : { address, subnet };
}

function pairsInText(text: string): ReturnType<typeof pairIn>[] {
  const found = [...text.matchAll(/ip_address='([^']*)',\s*subnet_id='([^']*)'/g)];
  return found.length === 0 ? [undefined] : found.map(([, ip_address, subnet_id]) => pairIn({ ip_address, subnet_id }));
}

/** By the command's heading, or by the API's name. */
function eitherOf(port: Setting, heading: string, field: string): Setting {
  const found = below(port, heading);
  return found.value === undefined ? below(port, field) : found;
}
