/**
 * Names that carry what other clouds have tags for. QingCloud's tags are ids without text, so a NIC's name holds our tags and the token it was made with,
 * and a reserved address' name the NIC it is for.
 *
 *     flatpod_CLUSTER_NODE_SUBNET_INTENT[_TOKEN[_KEY_VALUE …]]      of a NIC
 *     flatpod_MAC_LENGTH_CLUSTER                                    of the addresses of a /32 or a /28 on that NIC
 *
 * Invariants
 * - letters, digits, `-` and `.` stand for themselves, all other bytes of UTF-8 are `~HH`: a name is read back as exactly what was written
 * - a cluster of more than a quarter of a name has a digest (`~~` and 24 hex digits) in its place, and so has a node where the name would be too long;
 *   both are in the filters by which the controller asks, so that they are known again from these
 */
import { createHash } from 'node:crypto';
import type { Mac } from '../../net/mac.ts';
import { tryParseMac } from '../../net/mac.ts';
import type { NicFilter, Tags } from '../cloud.ts';
import { severalOf } from '../selected.ts';
import { tagKeys } from '../tag-keys.ts';

const MARK = 'flatpod';
const KEYS = [tagKeys.cluster, tagKeys.node, tagKeys.subnet, tagKeys.intent] as const;
/** Words that are remembered for their digests. */
const MOST_WORDS = 50_000;

/** What a NIC's name says. */
export interface NicName {
  readonly tags: Tags;
  readonly token: string;
}

/** What a reserved address' name says. */
export interface VipName {
  readonly mac: Mac;
  /** Of the blocks: 32 or 28. */
  readonly length: 32 | 28;
  /** As it is written: perhaps a digest. */
  readonly cluster: string;
}

/** Names of one driver. */
export interface Names {
  /** undefined: it cannot be had in so many characters. */
  forNic(name: NicName): string | undefined;
  /** undefined: it is none of ours. */
  ofNic(name: string): NicName | undefined;
  /** What the names of all NICs that meet these conditions begin with. */
  beginning(tags: NonNullable<NicFilter['tags']>): string;
  /** undefined: it cannot be had in so many characters. */
  forVip(name: VipName): string | undefined;
  /** The cluster of a NIC, as {@link VipName} has it; '' when it has none. */
  clusterOf(tags: Tags): string;
  ofVip(name: string): VipName | undefined;
}

/** `longest`: characters of a name. */
export function namesOf(longest: number): Names {
  const words = new Map<string, string>();
  const hear = (word: string): string => {
    const digest = digestOf(word);
    words.delete(digest);
    words.set(digest, word);
    const [oldest] = words.keys();
    if (words.size > MOST_WORDS && oldest !== undefined) words.delete(oldest);
    return digest;
  };
  const clusterField = (cluster: string): string => (escaped(cluster).length > longest / 4 ? hear(cluster) : escaped(cluster));
  const written = ({ tags, token }: NicName, isNodeDigested: boolean): string => {
    const part = (key: string): string => {
      const value = tags[key];
      if (value === undefined) return '';
      if (key === tagKeys.cluster) return clusterField(value);
      return isNodeDigested && key === tagKeys.node ? hear(value) : escaped(value);
    };
    const others = Object.entries(tags).filter(([key]) => !KEYS.some((known) => known === key));
    const own = token === tags[tagKeys.intent] ? '' : escaped(token);
    return [MARK, ...KEYS.map(part), own, ...others.flatMap(([key, value]) => [escaped(key), escaped(value)])].join('_');
  };
  const said = (field: string): string | undefined => words.get(field) ?? unescaped(field);

  return {
    forNic(name) {
      const plain = written(name, false);
      const text = plain.length <= longest ? plain : written(name, true);
      return text.length <= longest ? text : undefined;
    },
    ofNic(name) {
      const [mark, ...fields] = name.split('_');
      if (mark !== MARK || fields.length < KEYS.length + 1 || fields.length % 2 === 0) return undefined;
      const found: [string, string][] = [];
      const pairs: [string, string | undefined][] = KEYS.map((key, i) => [key, fields[i]]);
      for (let i = KEYS.length + 1; i < fields.length; i += 2) pairs.push([unescaped(fields[i] ?? '') ?? '', fields[i + 1]]);
      for (const [key, field = ''] of pairs) {
        if (field === '') continue;
        const value = said(field);
        if (value === undefined || key === '') return undefined;
        found.push([key, value]);
      }
      // Not one by one: a key may be `__proto__`.
      const tags: Tags = Object.fromEntries(found);
      const own = fields[KEYS.length] ?? '';
      const token = own === '' ? tags[tagKeys.intent] : unescaped(own);
      return token === undefined ? undefined : { tags, token };
    },
    beginning(tags) {
      for (const key of [tagKeys.node, tagKeys.cluster]) for (const word of severalOf(tags[key])) hear(word);
      const [cluster, ...more] = severalOf(tags[tagKeys.cluster]);
      return cluster === undefined || more.length > 0 ? `${MARK}_` : `${MARK}_${clusterField(cluster)}_`;
    },
    forVip({ mac, length, cluster }) {
      const text = [MARK, mac.replaceAll(':', ''), length, cluster].join('_');
      return text.length <= longest ? text : undefined;
    },
    clusterOf: (tags) => {
      const cluster = tags[tagKeys.cluster];
      return cluster === undefined ? '' : clusterField(cluster);
    },
    ofVip(name) {
      const [mark, hex = '', length, cluster, ...more] = name.split('_');
      const mac = tryParseMac(hex.replace(/..(?=.)/g, '$&:'));
      if (mark !== MARK || mac === undefined || cluster === undefined || more.length > 0) return undefined;
      return length === '32' || length === '28' ? { mac, length: length === '32' ? 32 : 28, cluster } : undefined;
    },
  };
}

function digestOf(word: string): string {
  return `~~${createHash('sha256').update(word).digest('hex').slice(0, 24)}`;
}

/** An empty text is a single `~`: an empty field is one that is absent. */
function escaped(text: string): string {
  if (text === '') return '~';
  const bytes = (char: string): string => Buffer.from(char).toString('hex').toUpperCase().replace(/../g, '~$&');
  return text.replace(/[^A-Za-z0-9.-]/gu, bytes);
}

/** undefined: nobody has written that. A digest of an unknown word stays what it is. */
function unescaped(field: string): string | undefined {
  if (field === '~') return '';
  if (/^~~[0-9a-f]{24}$/.test(field)) return field;
  if (!/^(?:[A-Za-z0-9.-]|~[0-9A-F]{2})+$/.test(field)) return undefined;
  const bytes = field.replace(/~(..)|(.)/g, (_, hex: string | undefined, char: string) => hex ?? Buffer.from(char).toString('hex'));
  return Buffer.from(bytes, 'hex').toString('utf8');
}
