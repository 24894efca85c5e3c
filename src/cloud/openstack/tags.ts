/**
 * Tags of a port: Neutron's are bare words of at most 60 characters, ours are keys with values.
 *
 * Invariants
 * - `key=value` is one word with all but letters, digits, `.`, `_`, `-` as `~` and two hexadecimal digits (UTF-8): no `/` or `,`, which clients and proxies trip over
 * - what is longer is several words, `fp:part:HASH:I:N:CHUNK`, that are found by each of them and are put together when all are there
 * - words that begin with `fp:` are the driver's own, others without `=` are somebody else's: neither is ever shown as a tag
 */
import { createHash } from 'node:crypto';
import type { Tags } from '../cloud.ts';

/** Neutron's TAG_LENGTH (neutron/extensions/tagging). */
const LONGEST = 60;
const CHUNK = 36;
const PART = 'fp:part:';

/** The driver's own words on a port. */
export const own = {
  /** A NIC's name in its blocks' `device_id`. */
  key: 'fp:key=',
  /** What its token was used for. */
  request: 'fp:request=',
  /** The place on its instance. */
  index: 'fp:index=',
  /** Its own addresses, where it has others too. */
  primary4: 'fp:primary4=',
  primary6: 'fp:primary6=',
  /** Those beside them that were there before ours: each its word. */
  theirs: 'fp:theirs=',
  /** What a reservation holds. */
  block: 'fp:block=',
  /** On a reservation that is one Pod's port. */
  pod: 'fp:pod=',
  /** The trunk's port, for a branch. */
  trunk: 'fp:trunk=',
} as const;

/** The words for a tag. */
export function wordsOf(key: string, value: string): string[] {
  const whole = `${escaped(key)}=${escaped(value)}`;
  if (whole.length <= LONGEST) return [whole];
  const chunks = whole.match(new RegExp(`.{1,${CHUNK}}`, 'g')) ?? [];
  return chunks.map((chunk, i) => `${PART}${hashOf(whole)}:${i}:${chunks.length}:${chunk}`);
}

/** The words for all of them. */
export function allWordsOf(tags: Tags): string[] {
  return Object.entries(tags).flatMap(([key, value]) => wordsOf(key, value));
}

/** The tags in a port's words. */
export function tagsIn(words: readonly string[]): Tags {
  const whole = [...words.filter((word) => !word.startsWith('fp:') && word.includes('=')), ...joined(words)];
  const tags: Record<string, string> = {};
  for (const word of whole) {
    const at = word.indexOf('=');
    const [key, value] = [unescaped(word.slice(0, at)), unescaped(word.slice(at + 1))];
    if (key !== undefined && value !== undefined) tags[key] = value;
  }
  return tags;
}

/** What follows one of the driver's own words. */
export function ownWord(words: readonly string[], kind: (typeof own)[keyof typeof own]): string | undefined {
  return words.find((word) => word.startsWith(kind))?.slice(kind.length);
}

/** An own word with any text as its value. An address of IPv6 that is written out would be too long: it keeps its colons. */
export function ownWordOf(kind: (typeof own)[keyof typeof own], value: string): string {
  const word = `${kind}${escaped(value)}`;
  return word.length <= LONGEST ? word : `${kind}${escaped(value).replaceAll('~3a', ':')}`;
}

/** The text that {@link ownWordOf} wrote; undefined when there is none. */
export function ownText(words: readonly string[], kind: (typeof own)[keyof typeof own]): string | undefined {
  return ownTexts(words, kind)[0];
}

/** All that it wrote. */
export function ownTexts(words: readonly string[], kind: (typeof own)[keyof typeof own]): string[] {
  return words.flatMap((word) => (word.startsWith(kind) ? (unescaped(word.slice(kind.length).replaceAll(':', '~3a')) ?? []) : []));
}

function joined(words: readonly string[]): string[] {
  const parts = words.flatMap((word) => {
    const found = /^fp:part:([0-9a-f]{8}):(\d{1,4}):(\d{1,4}):(.+)$/.exec(word);
    return found === null ? [] : [{ hash: found[1], at: Number(found[2]), of: Number(found[3]), chunk: found[4] ?? '' }];
  });
  return [...Map.groupBy(parts, ({ hash }) => hash)].flatMap(([hash, all]) => {
    const whole = all
      .toSorted((a, b) => a.at - b.at)
      .map(({ chunk }) => chunk)
      .join('');
    return all.length === all[0]?.of && hashOf(whole) === hash ? [whole] : [];
  });
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

function escaped(text: string): string {
  return [...Buffer.from(text, 'utf8')]
    .map((byte) => {
      const letter = String.fromCharCode(byte);
      return /[A-Za-z0-9._-]/.test(letter) ? letter : `~${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}

/** undefined when it is not what {@link escaped} makes. */
function unescaped(text: string): string | undefined {
  if (!/^([A-Za-z0-9._-]|~[0-9a-f]{2})*$/.test(text)) return undefined;
  const bytes = [...text.matchAll(/~([0-9a-f]{2})|./g)].map(([letter, hex]) =>
    hex === undefined ? letter.charCodeAt(0) : Number.parseInt(hex, 16),
  );
  return Buffer.from(bytes).toString('utf8');
}
