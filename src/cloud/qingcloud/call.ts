/**
 * One call of QingCloud's API: signed, sent once, its answer believed when it has the shape that was asked for.
 *
 * Invariants
 * - a call is sent again only when the first was refused unseen: with a clock that is off (the Date header tells by how much), or with keys that have
 *   changed meanwhile; each at most once
 */
import type { Clock } from '../clock.ts';
import { type Asked, reached, refuse, understood } from '../wire/asked.ts';
import { connectionsBy } from '../wire/ca-file.ts';
import type { HttpAnswer, HttpCall } from '../wire/http.ts';
import { jsonOf } from '../wire/json.ts';
import { count, Mismatch, object, type Read, text } from '../wire/shape.ts';
import { clockWords } from '../wire/skew.ts';
import type { Access, Credentials } from './credentials.ts';
import { allPages, PAGE, pageOf } from './pages.ts';
import type { Patience } from './patience.ts';
import { CODE, refusalOf } from './refusals.ts';
import { flattened, type Parameters, signedQuery, timeStamp } from './signature.ts';

/** A call, and what it is about. */
export interface ApiCall {
  readonly action: string;
  /** For the sentence of a refusal. */
  readonly about: string;
  readonly parameters: Parameters;
  readonly wanted?: Asked['wanted'];
}

/** A list: where it stands in the answer, how one of it is read, and what is the same in two readings of the same. */
export interface ApiList<T> extends ApiCall {
  readonly set: string;
  readonly read: Read<T>;
  readonly keyOf: (item: T) => string;
}

/** The API with our keys. */
export interface Api {
  /** @throws Failure cloud* */
  call<T>(call: ApiCall, read: Read<T>, patience: Patience): Promise<T>;
  /** All pages. @throws Failure cloud* */
  list<T>(asked: ApiList<T>, patience: Patience): Promise<T[]>;
  /** How the call is named in a failure that is found out later. */
  asked(call: ApiCall): Asked;
  /** The zone of the last call; every one has the same. @throws Failure cloud* when it is not known yet and cannot be. */
  zone(): Promise<string>;
  /** By the cloud's clock, as far as it is known. */
  now_ms(): number;
  close(): void;
}

/** A longer query is sent as the body of a POST. */
const LONGEST_QUERY = 2000;

/** See the head of this file. `caFile`: see the options. */
export function apiOf(credentials: Credentials, clock: Clock, caFile?: string): Api {
  const kept = connectionsBy(caFile);
  let skew_ms = 0;
  let endpoint = 'the API';
  const asked = ({ action, about, wanted }: ApiCall): Asked => ({
    cloud: 'qingcloud',
    endpoint,
    call: action,
    object: about,
    ...(wanted && { wanted }),
  });

  async function once(
    given: ApiCall,
    patience: Patience,
  ): Promise<{ access: Access; code: number; answer: HttpAnswer; body: Readonly<Record<string, unknown>> }> {
    const access = await credentials.now();
    endpoint = `${access.origin}${access.path}`;
    const left_ms = patience.left_ms();
    if (left_ms === 0) throw refuse.unavailable(asked(given), 'not sent: the time for this was over');
    const request = requestOf(given, access, clock.now_ms() + skew_ms);
    const answer = await reached(kept.exchange(request, left_ms), asked(given));
    if (answer.status !== 200) throw refusedByStatus(answer, asked(given));
    const body = understood(answer, (raw, at) => object(jsonOf(raw), at), asked(given));
    return { access, code: understood(body['ret_code'], (value, at) => count(value, `${at}.ret_code`), asked(given)), answer, body };
  }

  async function call<T>(given: ApiCall, read: Read<T>, patience: Patience): Promise<T> {
    let [isCorrected, isRenewed] = [false, false];
    for (;;) {
      const { access, code, answer, body } = await once(given, patience);
      if (code === CODE.ok) return understood(body, read, asked(given));
      const off_ms = Date.parse(answer.headers.date ?? '') - clock.now_ms();
      if (code === CODE.expired && !isCorrected && !Number.isNaN(off_ms)) {
        [isCorrected, skew_ms] = [true, off_ms];
        continue;
      }
      if (code === CODE.authentication && !isRenewed) {
        isRenewed = true;
        credentials.refused();
        const now = await credentials.now();
        if (now.key !== access.key || now.secret !== access.secret || now.token !== access.token) continue;
      }
      const message =
        body['message'] === undefined ? '' : understood(body['message'], (words, at) => text(words, `${at}.message`), asked(given));
      const aboutClock = code === CODE.expired || code === CODE.authentication ? clockWords(answer, clock.now_ms()) : '';
      throw refusalOf(code, withoutSecrets(message, access) + aboutClock, asked(given));
    }
  }

  return {
    call,
    async list(one, patience) {
      const page = (offset: number) =>
        call({ ...one, parameters: { ...one.parameters, limit: PAGE, offset } }, pageOf(one.set, one.read), patience);
      try {
        return await allPages(one.keyOf, page);
      } catch (error) {
        throw error instanceof Mismatch ? refuse.garbled(asked(one), error.message) : error;
      }
    },
    asked,
    zone: async () => (await credentials.now()).zone,
    now_ms: () => clock.now_ms() + skew_ms,
    close() {
      kept.close();
      credentials.close();
    },
  };
}

function requestOf({ action, parameters }: ApiCall, { origin, path, zone, key, secret, token }: Access, now_ms: number): HttpCall {
  const pairs = flattened({
    ...parameters,
    action,
    zone,
    access_key_id: key,
    signature_method: 'HmacSHA256',
    signature_version: 1,
    time_stamp: timeStamp(now_ms),
    version: 1,
    ...(token !== undefined && { token }),
  });
  const query = signedQuery('GET', path, pairs, secret);
  if (query.length <= LONGEST_QUERY) return { method: 'GET', endpoint: origin, path: `${path}?${query}` };
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  return { method: 'POST', endpoint: origin, path, headers, body: signedQuery('POST', path, pairs, secret) };
}

/** The API itself answers everything with 200: what does not is in between, or another program. */
function refusedByStatus({ status, text: words }: HttpAnswer, asked: Asked): Error {
  const said = `HTTP ${status}: ${JSON.stringify(words.slice(0, 80))}`;
  if (status === 429) return refuse.throttled(asked, said);
  return (status >= 500 ? refuse.unavailable : refuse.garbled)(asked, said);
}

/** A server that quotes what it was sent, or what it computed, must not bring it into a log. */
function withoutSecrets(message: string, { secret, token }: Access): string {
  return [secret, token].reduce<string>(
    (words, hidden) => (hidden === undefined || hidden === '' ? words : words.replaceAll(hidden, '…')),
    message,
  );
}
