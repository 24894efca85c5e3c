/** Pieces that several schemas share. Text is checked and put into canonical form at this edge; inside, only branded types travel. */
import * as z from 'zod';
import { tryParseIp } from '../net/address.ts';
import { type Cidr, hostCidr, tryParseCidr } from '../net/cidr.ts';

/** A Kubernetes object name (RFC 1123 subdomain, short). */
export const name = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/, 'a name has lower-case letters, digits, "-" and ".", at most 63');

/** What every object begins with. */
export const metadata = z.strictObject({
  name: name.describe('lower-case letters, digits, "-" and ".", at most 63'),
  labels: z.record(z.string(), z.string()).optional().describe('texts to select by; Flatpod ignores them'),
  annotations: z.record(z.string(), z.string()).optional().describe('texts for people and programs; Flatpod ignores them'),
});

/** A CIDR block with zero host bits. */
export const block = z.string().transform((text, context): Cidr => {
  const cidr = tryParseCidr(text);
  if (cidr !== undefined) return cidr;
  context.addIssue({ code: 'custom', message: `${JSON.stringify(text)} is no CIDR block such as 10.20.0.0/24 (host bits must be zero)` });
  return z.NEVER;
});

/** A CIDR block, or a single address as /32 or /128. */
export const addressOrBlock = z.string().transform((text, context): Cidr => {
  const ip = tryParseIp(text);
  const cidr = ip === undefined ? tryParseCidr(text) : hostCidr(ip);
  if (cidr !== undefined) return cidr;
  context.addIssue({ code: 'custom', message: `${JSON.stringify(text)} is neither an address nor a CIDR block` });
  return z.NEVER;
});

/** Where an API listens: `http://HOST:PORT` or `unix:/PATH`. Whatever else a URL may say, drivers would ignore. */
export const endpoint = z.url({ abort: true }).refine(isEndpoint, 'an endpoint is http://HOST:PORT or unix:/PATH, with nothing behind it');

function isEndpoint(text: string): boolean {
  if (text.startsWith('unix:')) return /^unix:\/[^?#]+$/.test(text);
  const url = URL.parse(text);
  return url?.protocol === 'http:' && url.href === `http://${url.host}/`;
}
