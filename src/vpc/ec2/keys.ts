/** The access keys that the front knows, and what they may do. */
import { timingSafeEqual } from 'node:crypto';
import { Refused } from './refused.ts';
import { type Authorization, authorizationOf, type SignedRequest, signatureOf } from './signature.ts';

/** An access key. A denied action is refused as UnauthorizedOperation. */
export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  /** A temporary key is used with its token, and until it expires. */
  readonly sessionToken?: string;
  readonly expiresAt_ms?: number;
  readonly denied?: readonly string[];
}

/** How far the caller's clock may be off. */
const MOST_SKEW_ms = 15 * 60_000;
const NOT_VALIDATED = 'AWS was not able to validate the provided access credentials';

/**
 * The key with which the request was signed: Signature Version 4 over method, path, query, signed headers and body, for that region and service.
 * @throws Refused MissingAuthenticationToken, IncompleteSignature, AuthFailure, RequestExpired.
 */
export function keyOf(request: SignedRequest, keys: readonly AccessKey[], region: string, now_ms: number): AccessKey {
  const authorization = authorizationOf(request.headers);
  checkScope(authorization, region);
  const skew = Math.abs(now_ms - authorization.at_ms);
  const key = keys.find(({ id }) => id === authorization.keyId);
  if (key === undefined) throw failed();
  const wanted = Buffer.from(signatureOf(request, authorization, key.secret), 'hex');
  const given = Buffer.from(authorization.signature, 'hex');
  if (wanted.length !== given.length || !timingSafeEqual(wanted, given)) throw failed();
  if (skew > MOST_SKEW_ms) throw expired();
  if (key.sessionToken !== authorization.sessionToken) throw failed();
  if (key.expiresAt_ms !== undefined && key.expiresAt_ms <= now_ms) throw expired();
  return key;
}

function checkScope({ region: given, service }: Authorization, region: string): void {
  if (service !== 'ec2') throw new Refused('AuthFailure', `Credential should be scoped to correct service: 'ec2'.`, 401);
  if (given !== region) throw new Refused('AuthFailure', `Credential should be scoped to a valid region, not '${given}'.`, 401);
}

function failed(): Refused {
  return new Refused('AuthFailure', NOT_VALIDATED, 401);
}

function expired(): Refused {
  return new Refused('RequestExpired', 'Request has expired.');
}
