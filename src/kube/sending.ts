/**
 * A request with its repetitions: what is sent again and what is not.
 *
 * Sent again are: anything the server cannot have seen, or said it did not take up (429, 503 with Retry-After: request timeouts have no such header);
 * a GET after silence or a failure of the server; anything once after 401, when the credentials on disk are others by now.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Failure, failure, isFailure } from '../errors/failure.ts';
import type { Access, Credentials } from './access.ts';
import { type Asked, callOf } from './asked.ts';
import { type Connection, openConnection } from './connection.ts';
import { type Answer, Broken, exchange, Late, type Reading, type Request, TooLong } from './exchange.ts';
import { refusalOf } from './refusals.ts';

/** Tries of one call; its deadline usually ends it before. */
const MOST_TRIES = 5;
/** Before the second try, when the server named no time; doubled before each further one. */
const FIRST_PAUSE_ms = 100;
/** A file with a token is read again after that, as client-go does; kubelet replaces it when a fifth of its life is left. */
const TOKEN_AGE_ms = 60_000;

/** Sends requests as somebody. */
export interface Sender {
  /** The answer of a success. `repeats` false: it is sent once, whatever happens, but for 401. @throws Failure kube*, credentialUnreadable, or what `reading.pieces` threw */
  send(request: Request, reading: Reading & { readonly repeats: boolean }, asked: Asked): Promise<Answer>;
  close(): void;
}

/** Connects with the first request. */
export function openSender(access: Access, userAgent: string): Sender {
  const connection = openConnection(access);
  const proof = proofOf(access);
  let open = true;
  const path = new URL(access.server).pathname.replace(/\/$/, '');
  return {
    close() {
      open = false;
      connection.close();
    },
    async send(request, reading, asked) {
      const end_ms = performance.now() + reading.deadline_ms;
      let mayAskAgain = true;
      let before: Outcome | undefined;
      for (let tried = 1; ; tried++) {
        if (!open) throw failureOf(before ?? new Broken('the connection was closed from here', true), asked);
        const { token } = proof.current();
        const headers = {
          'user-agent': userAgent,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...request.headers,
        };
        const left_ms = Math.max(1, Math.ceil(end_ms - performance.now()));
        const got = await once(connection, { ...request, path: `${path}${request.path}`, headers }, { ...reading, deadline_ms: left_ms });
        if ('status' in got && got.status >= 200 && got.status < 300) return got;
        if ('status' in got && got.status === 401 && mayAskAgain && proof.changed()) {
          mayAskAgain = false;
          connection.leave();
          continue;
        }
        const pause_ms = reading.repeats && tried < MOST_TRIES ? pauseBefore(request, got, tried) : undefined;
        // A last try that had hardly any time left says less than the one before.
        const telling = got instanceof Late && before instanceof Broken ? before : got;
        if (pause_ms === undefined || performance.now() + pause_ms >= end_ms || !open) throw failureOf(telling, asked);
        before = got;
        await sleep(pause_ms);
      }
    },
  };
}

type Outcome = Answer | Broken | TooLong;

async function once(connection: Connection, request: Request, reading: Reading): Promise<Outcome> {
  try {
    return await exchange(connection, request, reading);
  } catch (error) {
    if (error instanceof Broken || error instanceof TooLong) return error;
    throw error;
  }
}

/** How long to wait before the same request may be sent again; undefined: never. */
function pauseBefore({ method }: Request, got: Outcome, tried: number): number | undefined {
  if (got instanceof TooLong) return undefined;
  const usual_ms = FIRST_PAUSE_ms * 2 ** (tried - 1) * (0.5 + Math.random());
  if (got instanceof Broken) return isUntrusted(got) || !(got.unsent || method === 'GET') ? undefined : usual_ms;
  const notTakenUp = got.status === 429 || (got.status === 503 && got.retryAfter_s !== undefined);
  // 504: it has waited already, for a version that it does not have, say.
  if (!notTakenUp && !(method === 'GET' && got.status >= 500 && got.status !== 504)) return undefined;
  return got.retryAfter_s === undefined ? usual_ms : got.retryAfter_s * 1000 + usual_ms;
}

function failureOf(got: Outcome, asked: Asked): Failure {
  const { server } = asked;
  const call = callOf(asked);
  if (got instanceof TooLong) return failure('kubeTooLarge', { call, text: got.message }, got);
  if (!(got instanceof Broken)) return refusalOf(got.status, got.text, asked);
  if (isUntrusted(got)) return failure('kubeUntrusted', { server, text: got.message }, got);
  return failure('kubeUnreachable', { call, server, text: got.message }, got);
}

/** OpenSSL's and Node's names for certificates that do not prove what they should (nodejs.org/api/tls.html, X509 certificate error codes). */
function isUntrusted({ cause }: Broken): boolean {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  return /^(UNABLE_TO_(GET_ISSUER|VERIFY)|(DEPTH_ZERO_)?SELF_SIGNED_CERT|CERT_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE))/.test(
    code,
  );
}

/** Credentials with a memory, so that not every call reads files. */
function proofOf(access: Access): { current(): Credentials; changed(): boolean } {
  let known: { readonly value: Credentials; readonly at_ms: number } | undefined;
  const read = (): Credentials => (known = { value: access.credentials(), at_ms: performance.now() }).value;
  return {
    current() {
      if (known !== undefined && performance.now() - known.at_ms < TOKEN_AGE_ms) return known.value;
      try {
        return read();
      } catch (error) {
        // While kubelet replaces it, or with a full disk: what was right a minute ago most likely still is.
        if (known === undefined || !isFailure(error)) throw error;
        known = { ...known, at_ms: performance.now() };
        return known.value;
      }
    },
    /** Reads anew; whether they are others than those last used. */
    changed() {
      const before = JSON.stringify(known?.value);
      return JSON.stringify(read()) !== before;
    },
  };
}
