/**
 * Signature Version 4: how a request to AWS says who sends it. POST to one path without a query, which is all that EC2 and STS need.
 * Source: "Create a signed AWS API request", AWS IAM User Guide.
 */
import { createHash, createHmac } from 'node:crypto';

/** Keys of an account. The secrets are behind functions, so that no log, error or inspection shows them. */
export interface Credentials {
  /** The public half, such as AKIA… */
  readonly keyId: string;
  readonly secret: () => string;
  /** Of temporary keys alone. */
  readonly token: () => string | undefined;
  /** Milliseconds since the epoch; absent: they stay. */
  readonly expiresAt_ms?: number;
}

/** What is signed, and for whom. */
export interface Unsigned {
  readonly path: string;
  /** Names in lower case, `host` among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly region: string;
  readonly service: string;
  /** By the server's clock. */
  readonly now_ms: number;
}

const hex = (data: string): string => createHash('sha256').update(data).digest('hex');
const keyed = (key: string | Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();

/** The headers with those of the signature: every header given is signed. */
export function signed(request: Unsigned, credentials: Credentials): Record<string, string> {
  const time = new Date(request.now_ms).toISOString().replace(/[:-]|\.\d{3}/g, '');
  const token = credentials.token();
  const headers = { ...request.headers, 'x-amz-date': time, ...(token !== undefined && { 'x-amz-security-token': token }) };
  const names = Object.keys(headers).toSorted().join(';');
  const scope = `${time.slice(0, 8)}/${request.region}/${request.service}/aws4_request`;
  const signature = signatureOf({ ...request, headers }, names, scope, time, credentials);
  const authorization = `AWS4-HMAC-SHA256 Credential=${credentials.keyId}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return { ...headers, authorization };
}

function signatureOf({ path, headers, body }: Unsigned, names: string, scope: string, time: string, { secret }: Credentials): string {
  const lines = names.split(';').map((name) => `${name}:${(headers[name] ?? '').trim().replace(/ +/g, ' ')}\n`);
  const canonical = ['POST', path, '', lines.join(''), names, hex(body)].join('\n');
  // The key is made for one day, region and service: one that leaks is of no use elsewhere.
  const key = scope.split('/').reduce<string | Buffer>(keyed, `AWS4${secret()}`);
  return keyed(key, ['AWS4-HMAC-SHA256', time, scope, hex(canonical)].join('\n')).toString('hex');
}
