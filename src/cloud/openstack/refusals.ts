/** What refusals of Neutron and Nova mean to us: tables by their types, never by their texts. docs/clouds/openstack.md has the same, with what is done about each. */
import { type Failure, isFailure } from '../../errors/failure.ts';
import { addressTaken, overQuota, refuse, refuseByStatus, type Refuse, understood } from '../wire/asked.ts';
import { Mismatch, object, text } from '../wire/shape.ts';
import type { Answered } from './session.ts';

const { unavailable, throttled, limit, notFound, conflict, denied, credentials, invalid, full } = refuse;
const taken: Refuse = (asked, words) => addressTaken(asked, words);
const quota = overQuota(
  'each interface and each reserved block is a port: an administrator sees the quota by `openstack quota show PROJECT` and raises it by `openstack quota set --ports N PROJECT`, that of floating IPs by --floating-ips N',
);

/** `NeutronError.type` (neutron_lib/exceptions, neutron/services/trunk/exceptions). */
export const neutronRefusals: Readonly<Record<string, Refuse>> = {
  IpAddressAlreadyAllocated: taken,
  IpAddressGenerationFailure: full,
  IpAddressGenerationFailureAllSubnets: full,
  IpAddressGenerationFailureNoMatchingSubnet: full,
  InvalidIpForNetwork: invalid,
  InvalidIpForSubnet: invalid,
  InvalidInput: invalid,
  HTTPBadRequest: invalid,
  OverQuota: quota,
  AllowedAddressPairExhausted: limit,
  AddressPairAndPortSecurityRequired: invalid,
  PortSecurityAndIPRequiredForSecurityGroups: invalid,
  PortSecurityPortHasSecurityGroup: invalid,
  PolicyNotAuthorized: denied,
  NotAuthorized: denied,
  AdminRequired: denied,
  PortNotFound: notFound,
  NetworkNotFound: notFound,
  SubnetNotFound: notFound,
  SecurityGroupNotFound: notFound,
  TrunkNotFound: notFound,
  SubPortNotFound: notFound,
  HTTPNotFound: notFound,
  RevisionNumberConstraintFailed: conflict,
  MacAddressInUse: conflict,
  PortInUse: conflict,
  PortInUseAsSubPort: conflict,
  PortInUseAsTrunkParent: conflict,
  TrunkPortInUse: conflict,
  TrunkInUse: conflict,
  DuplicateSubPort: conflict,
  // Neutron cannot do that for as long as the port is on a server: asking again is no use.
  ParentPortInUse: invalid,
  SubPortMtuGreaterThanTrunkPortMtu: invalid,
  ServiceUnavailable: unavailable,
  HTTPInternalServerError: unavailable,
};

/** The name of the one field of Nova's body (nova/api/openstack/wsgi.py, Fault._fault_names). */
export const novaRefusals: Readonly<Record<string, Refuse>> = {
  badRequest: invalid,
  unauthorized: credentials,
  forbidden: denied,
  itemNotFound: notFound,
  badMethod: invalid,
  notAcceptable: invalid,
  conflictingRequest: conflict,
  overLimit: throttled,
  computeFault: unavailable,
  notImplemented: invalid,
  serviceUnavailable: unavailable,
};

/** The failure for an answer that is no success. An answer in no words of theirs is a proxy's, and is judged by its status. */
export function refusalOf({ status, headers, body, asked, told }: Answered): Failure {
  if (told !== undefined) return denied(asked, told);
  const isBusy = status === 429 || (status === 503 && headers['retry-after'] !== undefined);
  const { type, words } = understood(body, saidIn, asked);
  const said = type === '' ? `status ${status}` : `${type}: ${words}`;
  if (isBusy) return throttled(asked, said);
  const known = [neutronRefusals, novaRefusals].find((table) => Object.hasOwn(table, type))?.[type];
  return (known ?? refuseByStatus(status))(asked, said);
}

/** `NeutronError.type` of a refusal; undefined for one of others. */
export function neutronTypeOf({ body }: Answered): string | undefined {
  if (typeof body !== 'object' || body === null || !('NeutronError' in body)) return undefined;
  const { NeutronError: error } = body;
  return typeof error === 'object' && error !== null && 'type' in error && typeof error.type === 'string' ? error.type : undefined;
}

function saidIn(body: unknown, at: string): { readonly type: string; readonly words: string } {
  if (body === undefined) return { type: '', words: '' };
  const from = object(body, at);
  const [[name, value] = ['', undefined]] = Object.entries(from);
  // Some services answer with a bare message, as Neutron itself does before it knows who asks.
  if (typeof value === 'string') return { type: '', words: value };
  const inner = object(value, `${at}.${name}`);
  const words = text(inner['message'], `${at}.${name}.message`);
  if (name === '') throw new Mismatch(`${at} says nothing`);
  return { type: name === 'NeutronError' ? text(inner['type'], `${at}.${name}.type`) : name, words };
}

/** Whether a refusal is for good: nothing was done, and the same again would be refused again. After any other, what was begun may still be ended. */
export function isFinal(error: unknown): boolean {
  return isFailure(error) && final.has(error.kind);
}

const final: ReadonlySet<string> = new Set([
  'cloudAddressTaken',
  'cloudSubnetFull',
  'cloudLimit',
  'cloudQuota',
  'cloudDenied',
  'cloudCredentials',
  'cloudInvalid',
  'cloudNotFound',
]);
