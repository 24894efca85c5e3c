/** What the emulated VPC's refusals mean to us: one table by reason. */
import { type Failure, failure } from '../../errors/failure.ts';
import { object, optional, text } from './shape.ts';

/** What a refusal is about, for its sentence. */
export interface Asked {
  readonly cloud: string;
  readonly endpoint: string;
  /** The call's name in the API. */
  readonly call: string;
  /** The object the call was about, such as a NIC's id. */
  readonly object: string;
  /** The subnet and what was wanted of it, where addresses are asked for. */
  readonly wanted?: { readonly subnet: string; readonly what: string };
}

/** `error`: the body's, for what a reason tells beside its words. */
type Make = (asked: Asked, words: string, error: Readonly<Record<string, unknown>>) => Failure;

const unavailable: Make = ({ cloud, call, endpoint }, words) => failure('cloudUnavailable', { cloud, call, endpoint, text: words });
const throttled: Make = ({ cloud, call }, words) => failure('cloudThrottled', { cloud, call, text: words });
const limit: Make = ({ cloud, call }, words) => failure('cloudLimit', { cloud, call, text: words });
const notFound: Make = ({ cloud, object: about }, words) => failure('cloudNotFound', { cloud, object: about, text: words });
const conflict: Make = ({ cloud, call, object: about }, words) => failure('cloudConflict', { cloud, call, object: about, text: words });
const denied: Make = ({ cloud, call }, words) => failure('cloudDenied', { cloud, call, text: words });
const invalid: Make = ({ cloud, call }, words) => failure('cloudInvalid', { cloud, call, text: words });
const full: Make = ({ object: about, wanted }, words) =>
  failure('cloudSubnetFull', { subnet: wanted?.subnet ?? `of ${about}`, wanted: wanted?.what ?? 'what was asked', text: words });
const taken: Make = ({ cloud }, words, error) => {
  const { address = 'what was asked' } = optional(error, 'address', text, 'answer.error');
  const { holder = 'another interface' } = optional(error, 'holder', text, 'answer.error');
  return failure('cloudAddressTaken', { cloud, address, holder, text: words });
};

/** Every reason of the API's document. A reused token is `invalid`, since the same call again can never succeed. */
const byReason: Readonly<Record<string, Make>> = {
  InvalidParameter: invalid,
  BodyTooLarge: invalid,
  UnknownCall: invalid,
  NotFound: notFound,
  InUse: conflict,
  AlreadyExists: conflict,
  TokenReusedDifferently: invalid,
  CidrConflict: invalid,
  SubnetFull: full,
  NoAlignedPrefix: full,
  AddressTaken: taken,
  NicLimit: limit,
  BranchLimit: limit,
  VlanTaken: conflict,
  NoTrunk: invalid,
  AddressSlotLimit: limit,
  Ipv6SlotLimit: limit,
  NoIpv6: invalid,
  AlreadyAttached: conflict,
  NotAttached: conflict,
  DeviceIndexTaken: conflict,
  WrongZone: invalid,
  NotRunning: conflict,
  PrimaryNic: invalid,
  PublicPoolEmpty: limit,
  LimitExceeded: limit,
  AccessDenied: denied,
  Throttled: throttled,
  Unavailable: unavailable,
  // Also the answer to a batch of which part was done.
  InternalError: unavailable,
};

/** A reason we do not know, from a newer server: by the status. */
function byStatus(status: number): Make {
  if (status === 429) return throttled;
  if (status >= 500) return unavailable;
  if (status === 401 || status === 403) return denied;
  if (status === 404) return notFound;
  if (status === 409) return conflict;
  return invalid;
}

/** The failure for an answer that is no success. @throws Mismatch when the body is not what the API's document promises. */
export function refusalOf(status: number, body: unknown, asked: Asked): Failure {
  const error = object(object(body, 'answer')['error'], 'answer.error');
  const reason = text(error['reason'], 'answer.error.reason');
  const words = `${reason}: ${text(error['message'], 'answer.error.message')}`;
  const make = Object.hasOwn(byReason, reason) ? byReason[reason] : undefined;
  return (make ?? byStatus(status))(asked, words, error);
}
