/** Which refusals are about what a claim's Pod wants, and hold up nobody else. */
import type { Failure } from '../errors/failure.ts';
import type { Action } from './action.ts';
import type { WantedAddresses } from './claims/claims.ts';

const ofAddress: readonly string[] = ['cloudAddressTaken', 'cloudInvalid', 'cloudSubnetFull'];
const ofBirth: readonly string[] = ['cloudAddressTaken', 'cloudConflict', 'cloudInvalid'];

type OfClaims<D extends Action['do']> = Extract<Action, { do: D }> & { readonly claims: readonly WantedAddresses[] };

/** A refusal that is about the address a claim wants, and about nothing else. */
export function isOfClaim(action: Action, { kind }: Failure): action is OfClaims<'assign'> {
  return action.do === 'assign' && action.claims !== undefined && ofAddress.includes(kind);
}

/** Perhaps what the interface was to be born with is the reason: it is made without next time. */
export function isOfBirth(action: Action, { kind }: Failure): action is OfClaims<'create'> {
  return action.do === 'create' && action.claims !== undefined && ofBirth.includes(kind);
}
