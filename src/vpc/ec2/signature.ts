/** AWS Signature Version 4, the verifier's side ("Create a signed AWS API request"): what was signed is rebuilt from what arrived. */
import { createHash, createHmac } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Refused } from './refused.ts';

/** A request as it arrived. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query, as in the request line. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** The Authorization header and the two others that belong to it. */
export interface Authorization {
  readonly keyId: string;
  readonly date: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  /** Hexadecimal. */
  readonly signature: string;
  /** `YYYYMMDDThhmmssZ`, and the same as milliseconds since the epoch. */
  readonly at: string;
  readonly at_ms: number;
  readonly sessionToken: string | undefined;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const pattern =
  /^AWS4-HMAC-SHA256 +Credential=([\w+=,.@-]+)\/(\d{8})\/([a-z0-9-]+)\/([a-z0-9-]+)\/aws4_request, *SignedHeaders=([a-z0-9;-]+), *Signature=([0-9a-f]{64})$/;

/** @throws Refused MissingAuthenticationToken, IncompleteSignature. */
export function authorizationOf(headers: IncomingHttpHeaders): Authorization {
  const text = headers.authorization;
  if (text === undefined)
    throw new Refused('MissingAuthenticationToken', 'The request must contain a valid AWS access key ID and a signature', 403);
  const [, keyId = '', date = '', region = '', service = '', names = '', signature = ''] = pattern.exec(text) ?? [];
  if (keyId === '') throw incomplete('The Authorization header is not that of Signature Version 4');
  const at = one(headers['x-amz-date']) ?? '';
  const [, y, mo, d, h, mi, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(at) ?? [];
  const at_ms = Date.parse(`${y}-${mo}-${d}T${h}:${mi}:${s}Z`);
  if (Number.isNaN(at_ms)) throw incomplete('The header X-Amz-Date must be YYYYMMDDThhmmssZ');
  if (!at.startsWith(date)) throw incomplete('The date of the credential scope is not that of X-Amz-Date');
  const signedHeaders = names.split(';');
  const needed = ['host', ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))];
  const missing = needed.find((name) => !signedHeaders.includes(name));
  if (missing !== undefined) throw incomplete(`The header ${missing} must be signed`);
  if (signedHeaders.join(';') !== signedHeaders.toSorted().join(';')) throw incomplete('SignedHeaders must be sorted');
  return { keyId, date, region, service, signedHeaders, signature, at, at_ms, sessionToken: one(headers['x-amz-security-token']) };
}

/** The signature that the request should have, hexadecimal. */
export function signatureOf(request: SignedRequest, authorization: Authorization, secret: string): string {
  const { date, region, service, at } = authorization;
  const canonical = canonicalRequest(request, authorization.signedHeaders);
  const toSign = [ALGORITHM, at, `${date}/${region}/${service}/aws4_request`, sha256(canonical)].join('\n');
  const key = [date, region, service, 'aws4_request'].reduce<Buffer | string>((one_, part) => hmac(one_, part), `AWS4${secret}`);
  return hmac(key, toSign).toString('hex');
}

function canonicalRequest({ method, target, headers, body }: SignedRequest, signed: readonly string[]): string {
  const [path, query] = split(target);
  const sorted = query === '' ? [] : query.split('&').map((pair) => (pair.includes('=') ? pair : `${pair}=`));
  const lines = signed.map((name) => `${name}:${(one(headers[name]) ?? '').trim().replace(/ +/g, ' ')}\n`);
  return [method, path, sorted.sort().join('&'), lines.join(''), signed.join(';'), sha256(body)].join('\n');
}

/** Path and query; a query may hold further question marks. */
function split(target: string): [string, string] {
  const at = target.indexOf('?');
  return at < 0 ? [target, ''] : [target.slice(0, at), target.slice(at + 1)];
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value;
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

function incomplete(message: string): Refused {
  return new Refused('IncompleteSignature', message);
}
