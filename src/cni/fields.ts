/**
 * Reading the fields of a JSON object: each reader returns the typed value, undefined when the key is absent or null (Go writes null for empty),
 * and throws FP108 with the whole path of the key when it is something else.
 */
import { failure } from '../errors/failure.ts';
import { type Ip, tryParseIp } from '../net/address.ts';
import { type Cidr, cidrOf, splitPrefix } from '../net/cidr.ts';
import { describe } from './json.ts';

/** An object on the way in: its keys, and where it stands, for errors. */
export interface Fields {
  readonly path: string;
  readonly values: ReadonlyMap<string, unknown>;
  /** Keys are looked up in lower case. */
  readonly anyCase: boolean;
}

/**
 * The fields of an object. With `anyCase`, keys match in any case, as they do in Go: containerd writes `HostPort` where others write `hostPort`.
 * @throws Failure configInvalid unless it is an object.
 */
export function fieldsOf(value: unknown, path: string, anyCase = false): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(path, value, 'an object');
  const entries = Object.entries(value);
  if (!anyCase) return { path, anyCase, values: new Map(entries) };
  // Of `address` and `Address` beside each other the first is meant, as in Go: the other is a field without a name of its own in JSON.
  const order = entries.toSorted(([a], [b]) => Number(a === a.toLowerCase()) - Number(b === b.toLowerCase()));
  return { path, anyCase, values: new Map(order.map(([key, member]) => [key.toLowerCase(), member])) };
}

/** The failure for a value that cannot be used. `wanted` is words: "an IP address". */
export function wrong(path: string, value: unknown, wanted: string): Error {
  return failure('configInvalid', { key: path, found: describe(value), wanted });
}

/** The value as it is. */
export function raw(fields: Fields, key: string): unknown {
  return fields.values.get(fields.anyCase ? key.toLowerCase() : key) ?? undefined;
}

/** Any reader of this file, with a check of its own behind it: `check` returns undefined for what it does not take. */
function checked<T>(fields: Fields, key: string, wanted: string, check: (value: unknown) => T | undefined): T | undefined {
  const value = raw(fields, key);
  if (value === undefined) return undefined;
  const good = check(value);
  if (good === undefined) throw wrong(pathOf(fields, key), value, wanted);
  return good;
}

function pathOf(fields: Fields, key: string): string {
  return fields.path === '' ? key : `${fields.path}.${key}`;
}

/** A text; with `parse`, one that it takes. The empty text counts as absent: Go writes it for what is not set. */
export function text(fields: Fields, key: string): string | undefined;
export function text<T>(fields: Fields, key: string, wanted: string, parse: (text: string) => T | undefined): T | undefined;
export function text<T>(
  fields: Fields,
  key: string,
  wanted = 'a text',
  parse: (text: string) => T | string | undefined = (found) => found,
): T | string | undefined {
  if (raw(fields, key) === '') return undefined;
  return checked(fields, key, wanted, (value) => (typeof value === 'string' ? parse(value) : undefined));
}

/** A whole number within bounds, both inclusive. */
export function whole(fields: Fields, key: string, least: number, most: number): number | undefined {
  return checked(fields, key, `a whole number from ${least} to ${most}`, (value) =>
    Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most ? Number(value) : undefined,
  );
}

/** true or false. */
export function truth(fields: Fields, key: string): boolean | undefined {
  return checked(fields, key, 'true or false', (value) => (typeof value === 'boolean' ? value : undefined));
}

/** An object. */
export function inner(fields: Fields, key: string, anyCase = fields.anyCase): Fields | undefined {
  const value = raw(fields, key);
  return value === undefined ? undefined : fieldsOf(value, pathOf(fields, key), anyCase);
}

/** A list; each member goes through `read`, which gets its path. */
export function list<T>(fields: Fields, key: string, read: (member: unknown, path: string) => T): T[] | undefined {
  const value = raw(fields, key);
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw wrong(pathOf(fields, key), value, 'a list');
  return value.map((member, i) => read(member, `${pathOf(fields, key)}[${i}]`));
}

/** A member of a list that must be a text. */
export function textMember(member: unknown, path: string): string {
  if (typeof member !== 'string') throw wrong(path, member, 'a text');
  return member;
}

/** An IP address. */
export function ip(fields: Fields, key: string): Ip | undefined {
  return text(fields, key, 'an IP address', tryParseIp);
}

/** A block; host bits are cut off, as the reference plugins do. */
export function block(fields: Fields, key: string): Cidr | undefined {
  return text(fields, key, 'an address block such as 10.0.0.0/16', (found) => {
    const split = splitPrefix(found);
    return split && cidrOf(split.ip, split.length);
  });
}
/** An interface address with its prefix length, `10.60.4.17/24`, in canonical text. */
export function interfaceAddress(found: string): string | undefined {
  const split = splitPrefix(found);
  return split && `${split.ip}/${split.length}`;
}
