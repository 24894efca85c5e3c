/**
 * Calls to EC2: signed, with a deadline, read by the caller's reader.
 *
 * Invariants
 * - a call is sent once; twice only when EC2 refused the signature and we then had another time or other keys: then it was not done
 * - an answer is believed only when the reader can read it
 */
import type { Failure } from '../../errors/failure.ts';
import { type Asked, reached, refuse, understood } from '../wire/asked.ts';
import { type Connections, type HttpAnswer, Unreadable } from '../wire/http.ts';
import type { Read } from '../wire/shape.ts';
import { clockAhead_ms, clockWords } from '../wire/skew.ts';
import type { Keyring } from './credentials/chain.ts';
import type { Place } from './place.ts';
import { formOf, type Parameters } from './query.ts';
import { meaningOf } from './refusals.ts';
import { errorOf, Refused } from './refused.ts';
import { type Credentials, signed } from './sigv4.ts';
import { type XmlValue, xmlOf } from './xml.ts';

/** The version of the API, which AWS has not changed since. */
const version = '2016-11-15';
/** A server that always has another page must not keep us for ever. */
const mostPages = 100;

/** What one call is for. */
export interface Call<T> {
  readonly action: string;
  readonly parameters: Parameters;
  /** The object it is about. */
  readonly object: string;
  readonly wanted?: NonNullable<Asked['wanted']>;
  readonly read: Read<T>;
}

/** A call as its refusal tells of it. */
type About = Pick<Call<unknown>, 'action' | 'object' | 'wanted'>;

/** How long there is, in milliseconds from now; a change of several calls has one deadline for all. */
export type Left = () => number;

/** EC2 as the driver asks it. */
export interface Ec2 {
  /** The answer, or what EC2 refused. @throws Failure cloudUnavailable, cloudGarbled, and cloud* where there are no keys */
  ask<T>(call: Call<T>, left: Left): Promise<T | Refused>;
  /** The answer. @throws Failure cloud* */
  done<T>(call: Call<T>, left: Left): Promise<T>;
  /** All pages of a list, within `left`, or each with a deadline of its own. @throws Failure cloud* */
  list<T>(call: Call<Page<T>>, pageSize: number, left?: Left): Promise<T[]>;
  /** The failure that a refusal of the call is. */
  failure(refused: Refused, call: About): Failure;
  /** A deadline that begins now. */
  deadline(): Left;
}

/** One page; `next` says where the following one begins. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | undefined;
}

/** `place` and `keys` are asked for at each call. `now_ms`: the wall clock, which signatures have in them. */
export function ec2Of(
  kept: Connections,
  keys: Keyring,
  place: () => Promise<Place>,
  { deadline_ms, now_ms }: { readonly deadline_ms: number; readonly now_ms: () => number },
): Ec2 {
  let ahead_ms = 0;
  let endpoint = 'ec2';
  const askedOf = (call: About): Asked => ({ cloud: 'aws', endpoint, call: call.action, ...about(call) });

  async function send(call: Call<unknown>, where: Place, credentials: Credentials, left: Left): Promise<Sent> {
    const asked = askedOf(call);
    const body = formOf(call.action, version, call.parameters);
    const { host, path } = target(where.ec2);
    const plain = { host, 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
    const request = { path, headers: plain, body, region: where.region, service: 'ec2', now_ms: now_ms() + ahead_ms } as const;
    const used = { credentials, ahead_ms };
    const headers = signed(request, credentials);
    const left_ms = left();
    if (left_ms <= 0) throw refuse.unavailable(asked, 'not sent: there was no time left for it');
    const exchange = kept.exchange({ method: 'POST', endpoint: where.ec2, path: '/', headers, body }, left_ms);
    return { answer: await reached(exchange, asked), ...used };
  }

  /** Keys with which the same call may be accepted now, for they are others, or the time is another. */
  async function mended({ answer, credentials: used, ahead_ms: then_ms }: Sent, left: Left): Promise<Credentials | undefined> {
    const further_ms = clockAhead_ms(answer, now_ms() + then_ms);
    if (further_ms !== undefined) {
      ahead_ms = then_ms + further_ms;
      return used;
    }
    keys.drop(used);
    const others = await keys.current(left());
    const same = others.keyId === used.keyId && others.secret() === used.secret() && others.token() === used.token();
    return same ? undefined : others;
  }

  function refusedOf(answer: HttpAnswer, call: About): Refused {
    const refused = errorOf(answer, askedOf(call));
    return ofSignature.has(refused.code) ? refused.saying(clockWords(answer, now_ms())) : refused;
  }

  async function ask<T>(call: Call<T>, left: Left): Promise<T | Refused> {
    const where = await place();
    endpoint = where.ec2;
    let sent = await send(call, where, await keys.current(left()), left);
    if (!isSuccess(sent.answer)) {
      const refused = refusedOf(sent.answer, call);
      const again = ofSignature.has(refused.code) ? await mended(sent, left) : undefined;
      if (again === undefined) return refused;
      sent = await send(call, where, again, left);
      if (!isSuccess(sent.answer)) return refusedOf(sent.answer, call);
    }
    return understood(sent.answer, ({ text }, at) => call.read(answerTo(call.action, text), at), askedOf(call));
  }

  const failure = (refused: Refused, call: About): Failure => meaningOf(refused, askedOf(call));
  async function done<T>(call: Call<T>, left: Left): Promise<T> {
    const answer = await ask(call, left);
    if (answer instanceof Refused) throw failure(answer, call);
    return answer;
  }
  const deadline = (): Left => within(deadline_ms);
  return {
    ask,
    done,
    async list(call, pageSize, left) {
      const found = await allPages((page) => done({ ...call, parameters: { ...call.parameters, ...page } }, left ?? deadline()), pageSize);
      if (found === undefined) throw refuse.garbled(askedOf(call), `more than ${mostPages} pages`);
      return found;
    },
    failure,
    deadline,
  };
}

function about({ object, wanted }: About): Pick<Asked, 'object' | 'wanted'> {
  return { object, ...(wanted !== undefined && { wanted }) };
}

function within(deadline_ms: number): Left {
  const until_ms = performance.now() + deadline_ms;
  return () => Math.floor(until_ms - performance.now());
}

/** undefined: there is no end to it. */
async function allPages<T>(ask: (page: Parameters) => Promise<Page<T>>, pageSize: number): Promise<T[] | undefined> {
  const found: T[] = [];
  let next: string | undefined;
  for (let page = 0; page < mostPages; page++) {
    const answer = await ask({ MaxResults: pageSize, NextToken: next });
    found.push(...answer.items);
    next = answer.next;
    if (next === undefined) return found;
  }
  return undefined;
}

/** Where a call goes, in the shape that HTTP and the signature need. */
function target(endpoint: string): { readonly host: string; readonly path: string } {
  if (endpoint.startsWith('unix:')) return { host: 'localhost', path: '/' };
  const { host, pathname } = new URL(endpoint);
  return { host, path: `${pathname.replace(/\/$/, '')}/` };
}

/** What came back, and what the request was signed with. */
interface Sent {
  readonly answer: HttpAnswer;
  readonly credentials: Credentials;
  readonly ahead_ms: number;
}

/** The answer's content. What answers something else is no EC2. @throws Unreadable */
function answerTo(action: string, text: string): XmlValue {
  const { name, value } = xmlOf(text);
  if (name !== `${action}Response`) throw new Unreadable(`<${name}> instead of <${action}Response>`);
  return value;
}

const isSuccess = ({ status }: HttpAnswer): boolean => status >= 200 && status < 300;

/** Refusals of the signature, before anything was done. */
const ofSignature = new Set([
  'AuthFailure',
  'RequestExpired',
  'RequestTimeTooSkewed',
  'SignatureDoesNotMatch',
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidClientTokenId',
]);
