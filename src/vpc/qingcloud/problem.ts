/** Refusals as QingCloud words them: HTTP 200, and a `ret_code` by which clients decide. */
import { type Reason, Refusal } from '../model/refusal.ts';

/** The codes of the API's documentation ("Error codes"). */
const retCode = {
  malformed: 1100,
  notAuthentic: 1200,
  expired: 1300,
  denied: 1400,
  notFound: 2100,
  noBalance: 2400,
  quota: 2500,
  internal: 5000,
  busy: 5100,
} as const;

/** Why a call was refused. */
export type Cause = keyof typeof retCode;

const titles: Readonly<Record<Cause, string>> = {
  malformed: 'InvalidRequestParameter',
  notAuthentic: 'AuthFailure',
  expired: 'RequestHasExpired',
  denied: 'PermissionDenied',
  notFound: 'ResourceNotFound',
  noBalance: 'InsufficientBalance',
  quota: 'QuotasExceeded',
  internal: 'InternalError',
  busy: 'ServerBusy',
};

/** Thrown by an action that changes nothing. `code` may be one that a fault asked for. */
export class Problem extends Error {
  readonly code: number;

  constructor(cause: Cause | number, text: string) {
    super(typeof cause === 'number' ? text : `${titles[cause]}, ${text}`);
    this.name = 'Problem';
    this.code = typeof cause === 'number' ? cause : retCode[cause];
  }
}

/** The refusal of an id nobody knows. */
export function unknown(id: string): Problem {
  return new Problem('notFound', `resource [${id}] not found`);
}

/** What the model refuses, in this API's words. */
export function problemOf(refusal: Refusal): Problem {
  return new Problem(causeOf(refusal.reason), refusal.message);
}

function causeOf(reason: Reason): Cause {
  switch (reason) {
    case 'NotFound':
    case 'UnknownCall':
      return 'notFound';
    case 'SubnetFull':
    case 'NicLimit':
    case 'LimitExceeded':
    case 'Throttled':
      return 'quota';
    case 'Unavailable':
      return 'busy';
    case 'InternalError':
      return 'internal';
    default:
      return 'denied';
  }
}
