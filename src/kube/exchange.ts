/** One request on a connection, and its answer: whole, or piece by piece. */
import { type ClientHttp2Stream, constants } from 'node:http2';
import type { Connection } from './connection.ts';

/** A request, before it is sent. */
export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With its query. */
  readonly path: string;
  /** Besides those of HTTP/2. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** How its answer is read. */
export interface Reading {
  /** Until the answer is whole; when `pieces` takes it, until it begins. */
  readonly deadline_ms: number;
  /** The longest answer that is kept. */
  readonly limit_bytes: number;
  readonly signal?: AbortSignal;
  readonly pieces?: Pieces;
}

/** Takes the body of a success as it comes, of any length. What `take` throws ends the exchange. */
export interface Pieces {
  began(): void;
  take(bytes: Buffer): void;
  /** The longest time between two pieces. */
  readonly silence_ms: number;
}

/** What came back. */
export interface Answer {
  readonly status: number;
  /** Seconds to wait, when the server said so. */
  readonly retryAfter_s: number | undefined;
  /** Empty when pieces were taken. */
  readonly text: string;
}

/** There was no whole answer. */
export class Broken extends Error {
  /** The server cannot have seen the request: it may be sent again, whatever it does. */
  readonly unsent: boolean;
  constructor(message: string, unsent: boolean, cause?: unknown) {
    super(message, { cause });
    this.unsent = unsent;
  }
}

/** There was none in time. */
export class Late extends Broken {}

/** The answer is longer than its limit. */
export class TooLong extends Error {}

/** Sends it once. @throws Broken, TooLong, what `take` threw, Failure credentialUnreadable */
export function exchange(connection: Connection, request: Request, reading: Reading): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const { method, path, headers, body } = request;
  const stream = connection.request({ ':method': method, ':path': path, accept: 'application/json', ...headers }, body === undefined);
  const got = { whole: false, status: 0, retryAfter_s: undefined as number | undefined, chunks: [] as Buffer[] };
  let ours: unknown;
  let theirs: Error | undefined;
  const end = (reason: unknown): void => {
    ours ??= reason;
    stream.destroy();
  };
  const silence = patience(connection, reading.deadline_ms, (text) => end(new Late(text, isUnsent(stream))));
  const abort = (): void => end(new Broken('it was given up', false));
  reading.signal?.addEventListener('abort', abort);
  stream.on('response', (head) => {
    got.status = head[':status'] ?? 0;
    got.retryAfter_s = secondsOf(head['retry-after']);
    if (reading.pieces === undefined || got.status !== 200) return keep(stream, reading.limit_bytes, got.chunks, end);
    silence.of(reading.pieces.silence_ms);
    passOn(stream, reading.pieces, silence.heard, end);
  });
  stream.on('end', () => (got.whole = true));
  stream.on('error', (error) => (theirs ??= error));
  stream.on('close', () => {
    silence.over();
    reading.signal?.removeEventListener('abort', abort);
    if (ours !== undefined) reject(ours);
    // A connection that is cut ends its streams as if all had come, but with a code.
    else if (theirs !== undefined || !got.whole || stream.rstCode !== constants.NGHTTP2_NO_ERROR)
      reject(brokenBy(theirs, isUnsent(stream)));
    else resolve({ status: got.status, retryAfter_s: got.retryAfter_s, text: Buffer.concat(got.chunks).toString('utf8') });
  });
  if (reading.signal?.aborted === true) abort();
  else if (body !== undefined) stream.end(body);
  return promise;
}

/** Nothing of it has left us (a stream gets its number when its first frame is made), or it "was closed prior to any application processing" (RFC 9113, section 8.7). */
function isUnsent(stream: ClientHttp2Stream): boolean {
  return stream.id === undefined || stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
}

/** A timer that says what was waited for in vain, and makes the connection prove itself. */
function patience(connection: Connection, first_ms: number, tell: (text: string) => void) {
  const late = (text: string): void => {
    connection.doubt();
    tell(text);
  };
  let timer = setTimeout(late, first_ms, `no answer within ${first_ms} ms`);
  return {
    of(silence_ms: number): void {
      clearTimeout(timer);
      timer = setTimeout(late, silence_ms, `nothing came for ${silence_ms} ms`);
    },
    heard: (): void => void timer.refresh(),
    over: (): void => clearTimeout(timer),
  };
}

function keep(stream: ClientHttp2Stream, limit: number, chunks: Buffer[], end: (reason: unknown) => void): void {
  let length = 0;
  stream.on('data', (bytes: Buffer) => {
    length += bytes.length;
    if (length > limit) end(new TooLong(`more than ${limit} bytes`));
    else chunks.push(bytes);
  });
}

function passOn(stream: ClientHttp2Stream, pieces: Pieces, heard: () => void, end: (reason: unknown) => void): void {
  const guarded = (body: () => void): void => {
    try {
      body();
    } catch (error) {
      end(error);
    }
  };
  guarded(() => pieces.began());
  stream.on('data', (bytes: Buffer) => {
    heard();
    if (!stream.destroyed) guarded(() => pieces.take(bytes));
  });
}

/** A stream that dies with its connection says so itself; the connection's own error is its cause. */
function brokenBy(error: Error | undefined, unsent: boolean): Broken {
  const cause = error?.cause instanceof Error ? error.cause : error;
  const text = cause?.message.trim() ?? 'the connection ended in the middle';
  const code = cause !== undefined && 'code' in cause ? String(cause.code) : '';
  const foreign = code === 'ERR_HTTP2_ERROR' || code === 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL';
  return new Broken(foreign ? 'it does not speak HTTP/2, which every API server does: is a proxy in between?' : text, unsent, cause);
}

/** Retry-After in seconds (RFC 9110, section 10.2.3); API servers send no dates. */
function secondsOf(header: string | undefined): number | undefined {
  return header !== undefined && /^\d{1,6}$/.test(header) ? Number(header) : undefined;
}
