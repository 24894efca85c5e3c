/** Pieces that several schemas share. Text is checked and put into canonical form at this edge; inside, only branded types travel. */
import * as z from 'zod';
import { type Ip, tryParseIp } from '../net/address.ts';
import { type Cidr, hostCidr, tryParseCidr } from '../net/cidr.ts';
import { listMap, rules } from './crd/rules.ts';

/** Characters of the longest spelling of an IPv6 block. */
const LONGEST_BLOCK = 49;

const NAME = /^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$/;
const noName = 'a name has lower-case letters, digits, "-" and ".", at most 63';

/** A Kubernetes object name (RFC 1123 subdomain, short). */
export const name = z
  .string()
  .max(63)
  .regex(NAME, noName)
  .meta(rules({ rule: `self.matches('${NAME.source}')`, message: noName }));

/** What every object begins with. */
export const metadata = z.strictObject({
  name: name.describe('lower-case letters, digits, "-" and ".", at most 63'),
  labels: z.record(z.string(), z.string()).optional().describe('texts to select by; Flatpod ignores them'),
  annotations: z.record(z.string(), z.string()).optional().describe('texts for people and programs; Flatpod ignores them'),
});

/** An IP address, in any spelling. */
export const ip = z
  .string()
  .max(LONGEST_BLOCK)
  .transform((text, context): Ip => {
    const parsed = tryParseIp(text);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: 'custom', message: `${JSON.stringify(text)} is no IP address such as 10.20.0.17` });
    return z.NEVER;
  })
  .meta(rules({ rule: 'isIP(self)', message: 'is no IP address such as 10.20.0.17' }));

/** A CIDR block with zero host bits. */
export const block = z
  .string()
  .max(LONGEST_BLOCK)
  .transform((text, context): Cidr => {
    const cidr = tryParseCidr(text);
    if (cidr !== undefined) return cidr;
    context.addIssue({ code: 'custom', message: `${JSON.stringify(text)} is no CIDR block such as 10.20.0.0/24 (host bits must be zero)` });
    return z.NEVER;
  })
  .meta(
    rules({
      rule: 'isCIDR(self) && cidr(self).masked() == cidr(self)',
      message: 'is no CIDR block such as 10.20.0.0/24 (host bits must be zero)',
    }),
  );

/** A CIDR block, or a single address as /32 or /128. */
export const addressOrBlock = z
  .string()
  .max(LONGEST_BLOCK)
  .transform((text, context): Cidr => {
    const single = tryParseIp(text);
    const cidr = single === undefined ? tryParseCidr(text) : hostCidr(single);
    if (cidr !== undefined) return cidr;
    context.addIssue({ code: 'custom', message: `${JSON.stringify(text)} is neither an address nor a CIDR block` });
    return z.NEVER;
  })
  .meta(
    rules({
      rule: 'isIP(self) || (isCIDR(self) && cidr(self).masked() == cidr(self))',
      message: 'is neither an address such as 10.20.0.17 nor a CIDR block such as 10.20.0.0/24 (host bits must be zero)',
    }),
  );

/** Where an API listens: `http://HOST:PORT` or `unix:/PATH`. Whatever else a URL may say, drivers would ignore. */
export const endpoint = z.url({ abort: true }).refine(isEndpoint, 'an endpoint is http://HOST:PORT or unix:/PATH, with nothing behind it');

function isEndpoint(text: string): boolean {
  if (text.startsWith('unix:')) return /^unix:\/[^?#]+$/.test(text);
  const url = URL.parse(text);
  return url?.protocol === 'http:' && url.href === `http://${url.host}/`;
}

/** A point in time as Kubernetes writes it (RFC 3339). */
export const time = z.iso.datetime({ offset: true });

/** Conditions as in k8s.io/apimachinery/pkg/apis/meta/v1. */
export const conditions = z
  .array(
    z.object({
      type: z.string().max(316).describe('what this is about'),
      status: z.enum(['True', 'False', 'Unknown']).describe('whether it is so'),
      reason: z.string().max(1024).describe('why, in one word for programs'),
      message: z.string().max(32_768).describe('why, in a sentence for people'),
      lastTransitionTime: time.describe('when status last changed'),
      observedGeneration: z.int().min(0).exactOptional().describe('the metadata.generation this is about'),
    }),
  )
  .max(16)
  .meta(listMap('type'))
  .describe('how things stand');

/** One condition. */
export type Condition = z.infer<typeof conditions>[number];
