/** A refusal as EC2 words it: a code to decide by, an HTTP status, a sentence. Codes are those of "Error codes for the Amazon EC2 API". */
import { type Reason, Refusal } from '../model/refusal.ts';

/** Thrown by whatever refuses a request. */
export class Refused extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 400) {
    super(message);
    this.name = 'Refused';
    this.code = code;
    this.status = status;
  }
}

/** What a reason of the model is called, where an action does not know it better. */
const codes: Readonly<Record<Reason, readonly [code: string, status?: number]>> = {
  InvalidParameter: ['InvalidParameterValue'],
  BodyTooLarge: ['RequestEntityTooLarge', 413],
  UnknownCall: ['InvalidAction'],
  NotFound: ['InvalidParameterValue'],
  InUse: ['InvalidParameterValue'],
  AlreadyExists: ['InvalidParameterValue'],
  TokenReusedDifferently: ['IdempotentParameterMismatch'],
  CidrConflict: ['InvalidSubnet.Conflict'],
  SubnetFull: ['InsufficientFreeAddressesInSubnet'],
  NoAlignedPrefix: ['InsufficientCidrBlocks'],
  AddressTaken: ['InvalidParameterValue'],
  NicLimit: ['AttachmentLimitExceeded'],
  BranchLimit: ['AttachmentLimitExceeded'],
  VlanTaken: ['InvalidParameterValue'],
  NoTrunk: ['InvalidParameterValue'],
  AddressSlotLimit: ['PrivateIpAddressLimitExceeded'],
  Ipv6SlotLimit: ['PrivateIpAddressLimitExceeded'],
  NoIpv6: ['InvalidParameterValue'],
  AlreadyAttached: ['InvalidNetworkInterface.InUse'],
  NotAttached: ['IncorrectState'],
  DeviceIndexTaken: ['InvalidParameterValue'],
  WrongZone: ['InvalidParameterCombination'],
  NotRunning: ['IncorrectState'],
  PrimaryNic: ['OperationNotPermitted'],
  PublicPoolEmpty: ['InsufficientAddressCapacity'],
  LimitExceeded: ['NetworkInterfaceLimitExceeded'],
  AccessDenied: ['UnauthorizedOperation', 403],
  Throttled: ['RequestLimitExceeded', 503],
  Unavailable: ['Unavailable', 503],
  InternalError: ['InternalError', 500],
};

/** What an action calls a reason of the model. */
export type Codes = Partial<Readonly<Record<Reason, string>>>;

/** The model's refusal in EC2's words. */
export function worded(refusal: Refusal, own: Codes): Refused {
  const [code, status] = codes[refusal.reason];
  return new Refused(own[refusal.reason] ?? code, refusal.message.replace(/\bnic-(?=[0-9a-f]{17}\b)/g, 'eni-'), status);
}

/** A value that cannot be. */
export function invalid(message: string): Refused {
  return new Refused('InvalidParameterValue', message);
}

/** Values that cannot be together. */
export function notTogether(message: string): Refused {
  return new Refused('InvalidParameterCombination', message);
}
