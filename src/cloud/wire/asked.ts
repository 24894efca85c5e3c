/**
 * What was asked of a cloud, and the failures that can come of it: each driver has a table from its cloud's own codes to these.
 * What to do about each is the controller's (src/controller/refusal-table.ts).
 */
import { type Failure, failure, isFailure } from '../../errors/failure.ts';
import type { Wanted } from '../cloud.ts';
import { Unreadable, Untrusted } from './http.ts';
import { Mismatch } from './shape.ts';

/** One call, for the sentence of its refusal. */
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

/** Makes the failure; `words`: the cloud's own, its code first. */
export type Refuse = (asked: Asked, words: string, cause?: unknown) => Failure;

type Meaning =
  | 'unavailable'
  | 'untrusted'
  | 'throttled'
  | 'limit'
  | 'notFound'
  | 'conflict'
  | 'denied'
  | 'credentials'
  | 'invalid'
  | 'garbled'
  | 'full';

/** The failures by what they mean. */
export const refuse: Readonly<Record<Meaning, Refuse>> = {
  unavailable: ({ cloud, call, endpoint }, words, cause) => failure('cloudUnavailable', { cloud, call, endpoint, text: words }, cause),
  untrusted: ({ cloud, endpoint }, words, cause) => failure('cloudUntrusted', { cloud, endpoint, text: words }, cause),
  throttled: ({ cloud, call }, words, cause) => failure('cloudThrottled', { cloud, call, text: words }, cause),
  limit: ({ cloud, call }, words, cause) => failure('cloudLimit', { cloud, call, text: words }, cause),
  notFound: ({ cloud, object }, words, cause) => failure('cloudNotFound', { cloud, object, text: words }, cause),
  conflict: ({ cloud, call, object }, words, cause) => failure('cloudConflict', { cloud, call, object, text: words }, cause),
  denied: ({ cloud, call }, words, cause) => failure('cloudDenied', { cloud, call, text: words }, cause),
  credentials: ({ cloud, call }, words, cause) => failure('cloudCredentials', { cloud, call, text: words }, cause),
  invalid: ({ cloud, call }, words, cause) => failure('cloudInvalid', { cloud, call, text: words }, cause),
  garbled: ({ cloud, call, endpoint }, words, cause) => failure('cloudGarbled', { cloud, call, endpoint, text: words }, cause),
  full: ({ object, wanted }, words, cause) =>
    failure('cloudSubnetFull', { subnet: wanted?.subnet ?? `of ${object}`, wanted: wanted?.what ?? 'what was asked', text: words }, cause),
};

/** An address of another holder. What the cloud does not tell of the two stays general. */
export function addressTaken({ cloud }: Asked, words: string, address = 'what was asked', holder = 'another interface'): Failure {
  return failure('cloudAddressTaken', { cloud, address, holder, text: words });
}

/** A quota of the account's. `remedy`: how this cloud has it raised; the cloud's words say which it is. */
export function overQuota(remedy: string): Refuse {
  return ({ cloud, call }, words, cause) => failure('cloudQuota', { cloud, call, text: words, remedy }, cause);
}

/** A refusal by its status alone, where its code is one that we do not know. */
export function refuseByStatus(status: number): Refuse {
  if (status === 429) return refuse.throttled;
  if (status >= 500) return refuse.unavailable;
  if (status === 401) return refuse.credentials;
  if (status === 403) return refuse.denied;
  if (status === 404) return refuse.notFound;
  if (status === 409) return refuse.conflict;
  return refuse.invalid;
}

/** Waits for the exchange. @throws Failure cloudGarbled for an answer that cannot be read, cloudUntrusted for a server that cannot be known, cloudUnavailable for no answer; a failure goes through. */
export async function reached<T>(exchange: Promise<T>, asked: Asked): Promise<T> {
  try {
    return await exchange;
  } catch (error) {
    if (isFailure(error)) throw error;
    if (error instanceof Unreadable) throw refuse.garbled(asked, error.message, error);
    if (error instanceof Untrusted) throw refuse.untrusted(asked, error.message, error);
    throw refuse.unavailable(asked, error instanceof Error ? error.message : String(error), error);
  }
}

/** Reads an answer. @throws Failure cloudGarbled when it is not what was promised. */
export function understood<V, T>(value: V, read: (value: V, at: string) => T, asked: Asked): T {
  try {
    return read(value, 'answer');
  } catch (error) {
    if (error instanceof Mismatch || error instanceof Unreadable) throw refuse.garbled(asked, error.message, error);
    throw error;
  }
}

/** What is wanted of a subnet, in words. `primaries`: addresses that the interfaces themselves take. */
export function wantedOf(subnet: string, want: Wanted | undefined, primaries: number): NonNullable<Asked['wanted']> {
  const { addresses4 = 0, prefixes4 = 0, prefixes6 = 0, these = [], within } = want ?? {};
  const parts = [
    these.length > 3 ? `${these.length} given blocks` : these.join(', '),
    addresses4 + primaries > 0 ? `${addresses4 + primaries} addresses` : '',
    prefixes4 > 0 ? `${prefixes4} /28 prefixes` : '',
    prefixes6 > 0 ? `${prefixes6} /80 prefixes` : '',
  ];
  const what = parts.filter((part) => part !== '').join(' and ');
  return {
    subnet,
    what: within === undefined ? what : `${what} within ${within.length > 3 ? `${within.length} given blocks` : within.join(', ')}`,
  };
}
