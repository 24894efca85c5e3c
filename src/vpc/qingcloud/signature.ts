/** Signature version 1 of QingCloud's API, from its documentation alone ("Signature"): what a server computes to know who sent a request. Pure. */
import { createHmac, timingSafeEqual } from 'node:crypto';

/** One parameter, decoded. */
export type Pair = readonly [key: string, value: string];

const hashes = { HmacSHA256: 'sha256', HmacSHA1: 'sha1' } as const;
/** The hash functions there are. */
export type Method = keyof typeof hashes;

/** Whether it names a hash function. */
export function isMethod(text: string | undefined): text is Method {
  return text !== undefined && Object.hasOwn(hashes, text);
}

/** The parameters as they are signed: sorted by key, byte order, values trimmed and encoded. `signature` itself must not be among them. */
export function canonical(pairs: readonly Pair[]): string {
  return pairs
    .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([key, value]) => `${encode(key)}=${encode(value.trim())}`)
    .join('&');
}

/** The signature, in base64 and not encoded. `path` exactly as requested; `query` as `canonical` gives it. */
export function signatureOf(secret: string, method: Method, verb: string, path: string, query: string): string {
  return createHmac(hashes[method], secret).update(`${verb}\n${path}\n${query}`).digest('base64');
}

/** Compares without telling by its duration where they differ. */
export function isSame(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Percent-encoded: everything but letters, digits and `-_.~` (RFC 3986, section 2.3), in upper-case hex. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
