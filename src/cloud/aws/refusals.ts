/** What EC2's refusals mean to us: one table by code. Some mean different things in different calls; these the calls tell apart by reading back. */
import type { Failure } from '../../errors/failure.ts';
import { type Asked, overQuota, type Refuse, refuse, refuseByStatus } from '../wire/asked.ts';
import type { Refused } from './refused.ts';

const { unavailable, throttled, limit, notFound, conflict, denied, credentials, invalid, full } = refuse;

/** Addresses may be free, and no 16 of them in a row: more words than EC2's are needed to see what helps. */
const fragmented: Refuse = (asked, words, cause) => {
  const remedy = 'no aligned block is left in one piece: reserve a part of the subnet for prefixes (subnet CIDR reservation)';
  return full(asked, `${words}; ${remedy}, or use a PodSubnet with unit: address`, cause);
};

/** A quota of the account. What the type of an instance allows is `limit`. */
const quota = (which: string): Refuse => overQuota(`see ${which} in Service Quotas, and ask there for more`);

/** Codes of EC2 by meaning, as its error reference has them. A reused token is `invalid`, since the same call again can never succeed: another is used. */
export const byCode: Readonly<Record<string, Refuse>> = {
  RequestLimitExceeded: throttled,
  Throttling: throttled,
  ThrottlingException: throttled,
  EC2ThrottledException: throttled,
  InternalError: unavailable,
  InternalFailure: unavailable,
  ServiceUnavailable: unavailable,
  Unavailable: unavailable,
  InsufficientFreeAddressesInSubnet: full,
  InsufficientCidrBlocks: fragmented,
  AttachmentLimitExceeded: limit,
  NetworkInterfaceLimitExceeded: quota('the quota “Network interfaces per Region”'),
  PrivateIpAddressLimitExceeded: limit,
  SecurityGroupsPerInterfaceLimitExceeded: quota('the quota “Security groups per network interface”'),
  ResourceLimitExceeded: quota('which quota of EC2 or of the VPC is used up'),
  'InvalidNetworkInterfaceID.NotFound': notFound,
  'InvalidNetworkInterfaceId.NotFound': notFound,
  'InvalidInstanceID.NotFound': notFound,
  'InvalidSubnetID.NotFound': notFound,
  'InvalidSubnetId.NotFound': notFound,
  'InvalidVpcID.NotFound': notFound,
  'InvalidGroup.NotFound': notFound,
  'InvalidSecurityGroupID.NotFound': notFound,
  'InvalidAttachmentID.NotFound': notFound,
  'InvalidNetworkInterface.InUse': conflict,
  'InvalidIPAddress.InUse': conflict,
  IncorrectState: conflict,
  IncorrectInstanceState: conflict,
  DependencyViolation: conflict,
  UnauthorizedOperation: denied,
  OptInRequired: denied,
  PendingVerification: denied,
  Blocked: denied,
  AuthFailure: credentials,
  InvalidClientTokenId: credentials,
  MissingAuthenticationToken: credentials,
  IncompleteSignature: credentials,
  SignatureDoesNotMatch: credentials,
  RequestExpired: credentials,
  RequestTimeTooSkewed: credentials,
  ExpiredToken: credentials,
  ExpiredTokenException: credentials,
  OperationNotPermitted: invalid,
  IdempotentParameterMismatch: invalid,
  InvalidParameter: invalid,
  InvalidParameterValue: invalid,
  InvalidParameterCombination: invalid,
  InvalidParameterDependency: invalid,
  MissingParameter: invalid,
  UnknownParameter: invalid,
  InvalidAction: invalid,
  InvalidInstanceType: invalid,
  UnsupportedOperation: invalid,
  Unsupported: invalid,
  InvalidPaginationToken: invalid,
  InvalidTagKey: invalid,
  TagLimitExceeded: limit,
};

/** Families of codes, for those that are not in the table. */
const byShape: readonly (readonly [RegExp, Refuse])[] = [
  [/Throttl|^RequestLimit/, throttled],
  [/LimitExceeded$/, limit],
  [/\.NotFound$/, notFound],
  [/\.InUse$|IncorrectState/, conflict],
  [/\.Malformed$|^Invalid|^Missing|^Unsupported|^Unknown/, invalid],
  [/^Insufficient/, full],
];

/** The failure for a refusal. */
export function meaningOf({ code, status, words }: Refused, asked: Asked): Failure {
  const known = Object.hasOwn(byCode, code) ? byCode[code] : byShape.find(([shape]) => shape.test(code))?.[1];
  return (known ?? refuseByStatus(status))(asked, words);
}
