/**
 * A request from its bytes to a caller and parameters. Strict: what a client sends is what it has signed.
 *
 * A query must come sorted and encoded as it was signed. A form is decoded and put in order first, as QingCloud's own clients send it: in any order, with
 * `+` for a space.
 */
import type { Caller, Keys } from './account.ts';
import { Problem } from './problem.ts';
import { canonical, isMethod, isSame, type Pair, signatureOf } from './signature.ts';

/** `time_stamp` may be off by that much. */
const SKEW_ms = 60_000;
/** Parameters of every request; what is left belongs to the action. */
const shared = [
  'action',
  'zone',
  'access_key_id',
  'signature_method',
  'signature_version',
  'time_stamp',
  'version',
  'token',
  'signature',
  'expires',
  'req_id',
];

/** What came in by HTTP. */
export interface Received {
  readonly verb: string;
  readonly path: string;
  /** What follows `?` in the URL, or the form. Raw. */
  readonly text: string;
}

/** A request whose signature is right. */
export interface Authentic {
  readonly caller: Caller;
  readonly action: string;
  readonly zone: string | undefined;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Reads parameters and checks who signed them. @throws Problem 1100, 1200, 1300. */
export function authenticated(received: Received, keys: Keys, now_ms: number): Authentic {
  const pairs = pairsOf(received);
  const all = new Map(pairs);
  const caller = callerOf(received, pairs, all, keys, now_ms);
  checkTime(all.get('time_stamp'), now_ms);
  const action = all.get('action');
  if (action === undefined || action === '') throw missing('action');
  const parameters = new Map(pairs.filter(([key]) => !shared.includes(key)));
  return { caller, action, zone: all.get('zone'), parameters };
}

function pairsOf({ verb, text }: Received): Pair[] {
  if (text === '') return [];
  const pairs = text.split('&').map((part): Pair => {
    const at = part.indexOf('=');
    if (at < 1) throw new Problem('malformed', `[${part.slice(0, 60)}] is no parameter`);
    const [key, value] = [part.slice(0, at), part.slice(at + 1)];
    return verb === 'POST' ? [decoded(key.replaceAll('+', ' ')), decoded(value.replaceAll('+', ' '))] : [decoded(key), decoded(value)];
  });
  const seen = new Set<string>();
  for (const [key] of pairs) {
    if (seen.has(key)) throw new Problem('malformed', `parameter [${key}] is given twice`);
    seen.add(key);
  }
  return pairs;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Problem('malformed', `[${text.slice(0, 60)}] is not percent-encoded UTF-8`);
  }
}

function callerOf(received: Received, pairs: readonly Pair[], all: ReadonlyMap<string, string>, keys: Keys, now_ms: number): Caller {
  const [id, method, signature] = [all.get('access_key_id'), all.get('signature_method'), all.get('signature')];
  if (id === undefined) throw missing('access_key_id');
  if (signature === undefined) throw missing('signature');
  if (!isMethod(method)) throw new Problem('malformed', 'signature_method is neither HmacSHA256 nor HmacSHA1');
  if (all.get('signature_version') !== '1') throw new Problem('malformed', 'signature_version is not 1');
  const caller = keys.find(id, now_ms);
  if (caller === undefined) throw new Problem('notAuthentic', `access key [${id}] is not known`);
  if (caller === 'expired') throw new Problem('notAuthentic', `access key [${id}] has expired`);
  const signed = canonical(pairs.filter(([key]) => key !== 'signature'));
  const expected = signatureOf(caller.account.secretAccessKey, method, received.verb, received.path, signed);
  if (!isSame(signature, expected)) throw new Problem('notAuthentic', 'signature does not match');
  if (received.verb === 'GET' && withoutSignature(received.text) !== signed)
    throw new Problem('notAuthentic', 'the query is not in the order and encoding that was signed');
  if (caller.token !== undefined && all.get('token') !== caller.token) throw new Problem('notAuthentic', 'token does not match');
  if (caller.token === undefined && all.has('token')) throw new Problem('notAuthentic', `access key [${id}] has no token`);
  return caller;
}

function withoutSignature(query: string): string {
  return query
    .split('&')
    .filter((part) => !part.startsWith('signature='))
    .join('&');
}

function checkTime(text: string | undefined, now_ms: number): void {
  if (text === undefined) throw missing('time_stamp');
  const at_ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at_ms)) throw new Problem('malformed', `time_stamp [${text.slice(0, 40)}] is not like 2013-08-27T14:30:10Z`);
  if (Math.abs(now_ms - at_ms) > SKEW_ms) throw new Problem('expired', `time_stamp [${text}] is more than 60 seconds off`);
}

function missing(name: string): Problem {
  return new Problem('malformed', `parameter [${name}] is missing`);
}
