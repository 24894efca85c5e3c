/** What the emulated VPC's refusals mean to us: one table by reason. */
import type { Failure } from '../../errors/failure.ts';
import { addressTaken, type Asked, type Refuse, refuse, refuseByStatus } from '../wire/asked.ts';
import { object, optional, text } from '../wire/shape.ts';

const { unavailable, throttled, limit, notFound, conflict, denied, invalid, full } = refuse;

/** Every reason of the API's document. A reused token is `invalid`, since the same call again can never succeed. */
const byReason: Readonly<Record<string, Refuse>> = {
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

/** The failure for an answer that is no success. @throws Mismatch when the body is not what the API's document promises. */
export function refusalOf(status: number, body: unknown, asked: Asked): Failure {
  const error = object(object(body, 'answer')['error'], 'answer.error');
  const reason = text(error['reason'], 'answer.error.reason');
  const words = `${reason}: ${text(error['message'], 'answer.error.message')}`;
  if (reason === 'AddressTaken') {
    const { address } = optional(error, 'address', text, 'answer.error');
    const { holder } = optional(error, 'holder', text, 'answer.error');
    return addressTaken(asked, words, address, holder);
  }
  const known = Object.hasOwn(byReason, reason) ? byReason[reason] : undefined;
  return (known ?? refuseByStatus(status))(asked, words);
}
