/** A refusal as a cloud words it: a stable reason to decide by, one sentence to read, and what to do. */
import type { NicId } from '../../cloud/cloud.ts';

/** Reasons and their HTTP status. Stable: clients decide by them. */
export const statusOf = {
  InvalidParameter: 400,
  BodyTooLarge: 413,
  UnknownCall: 404,
  NotFound: 404,
  InUse: 409,
  AlreadyExists: 409,
  TokenReusedDifferently: 409,
  CidrConflict: 409,
  SubnetFull: 409,
  NoAlignedPrefix: 409,
  AddressTaken: 409,
  NicLimit: 409,
  BranchLimit: 409,
  VlanTaken: 409,
  NoTrunk: 409,
  AddressSlotLimit: 409,
  Ipv6SlotLimit: 409,
  NoIpv6: 409,
  AlreadyAttached: 409,
  NotAttached: 409,
  DeviceIndexTaken: 409,
  WrongZone: 409,
  NotRunning: 409,
  PrimaryNic: 409,
  PublicPoolEmpty: 409,
  LimitExceeded: 409,
  AccessDenied: 403,
  Throttled: 429,
  Unavailable: 503,
  InternalError: 500,
} as const;

/** Why a call was refused. */
export type Reason = keyof typeof statusOf;
/** All reasons, for schemas. */
export const reasons = Object.keys(statusOf) as [Reason, ...Reason[]]; // the keys of a literal object

/** Which block was asked for by value and cannot be had, and the NIC that holds it or a part of it. */
export interface Taken {
  readonly address: string;
  readonly holder: NicId;
}

/** Thrown by a call that changes nothing. `field` is the dotted path of the offending parameter; `taken` goes with AddressTaken. */
export class Refusal extends Error {
  readonly reason: Reason;
  readonly remedy: string;
  readonly field: string | undefined;
  readonly taken: Taken | undefined;

  constructor(reason: Reason, message: string, remedy: string, field?: string, taken?: Taken) {
    super(message);
    this.name = 'Refusal';
    this.reason = reason;
    this.remedy = remedy;
    this.field = field;
    this.taken = taken;
  }
}

/** The refusal of an id nobody knows. */
export function notFound(what: string, id: string): Refusal {
  return new Refusal('NotFound', `there is no ${what} ${id}`, `list the ${what}s; an object created a moment ago may be listed late`);
}
