/**
 * How QingCloud's requests are signed, version 1 with HmacSHA256 (docs.qingcloud.com, "signature"). Pure: what is signed is exactly what is sent.
 */
import { createHmac } from 'node:crypto';

/** What a request is about, before it is flattened: lists become `k.1`, `k.2` …, lists of objects `k.1.field`. */
export type Parameters = Readonly<
  Record<string, string | number | readonly string[] | readonly Readonly<Record<string, string | number>>[]>
>;

/** The parameters as the pairs of a query, lists numbered from 1. An empty list gives no pair. */
export function flattened(parameters: Parameters): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const [key, value] of Object.entries(parameters)) {
    if (typeof value === 'string' || typeof value === 'number') pairs.set(key, `${value}`);
    else
      value.forEach((item: string | Readonly<Record<string, string | number>>, i) => {
        if (typeof item === 'string') pairs.set(`${key}.${i + 1}`, item);
        else for (const [field, one] of Object.entries(item)) pairs.set(`${key}.${i + 1}.${field}`, `${one}`);
      });
  }
  return pairs;
}

/** The query with its signature: the query of a GET, the body of a POST. `path` is what is requested: `/iaas` and `/iaas/` are signed differently. */
export function signedQuery(method: 'GET' | 'POST', path: string, pairs: ReadonlyMap<string, string>, secret: string): string {
  const query = [...pairs]
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([key, value]) => `${key}=${percentEncoded(value.trim())}`)
    .join('&');
  const signature = createHmac('sha256', secret).update(`${method}\n${path}\n${query}`).digest('base64');
  return `${query}&signature=${percentEncoded(signature)}`;
}

/** Everything but the unreserved characters of RFC 3986, in upper-case hex. */
function percentEncoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}

/** `YYYY-MM-DDTHH:MM:SSZ` */
export function timeStamp(now_ms: number): string {
  return `${new Date(now_ms).toISOString().slice(0, 19)}Z`;
}
