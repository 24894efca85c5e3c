/** Checks of what an API answered: a value of the type asked for, or a Mismatch that says where it is wrong. */
import { type Ip, tryParseIp } from '../../net/address.ts';
import { type Cidr, cidrFamily, lengthOf, tryParseCidr } from '../../net/cidr.ts';
import { type Mac, tryParseMac } from '../../net/mac.ts';

/** The answer is not what the API's document promises. */
export class Mismatch extends Error {}

/** Reads one value; `at` says where it stands. @throws Mismatch */
export type Read<T> = (value: unknown, at: string) => T;

function wrong(at: string, wanted: string, value: unknown): never {
  throw new Mismatch(`${at} should be ${wanted}, not ${(JSON.stringify(value) ?? 'absent').slice(0, 80)}`);
}

/** A text of at most 4096 characters. */
export const text: Read<string> = (value, at) => (typeof value === 'string' && value.length <= 4096 ? value : wrong(at, 'text', value));

/** A whole number, 0 or more. */
export const count: Read<number> = (value, at) =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : wrong(at, 'a whole number', value);

/** No IPv4 network carries less (RFC 791), no link of the kernel more. */
export const mtu: Read<number> = (value, at) => {
  const bytes = count(value, at);
  return bytes >= 576 && bytes <= 65_535 ? bytes : wrong(at, 'an MTU', value);
};

/** A VLAN id (IEEE 802.1Q); 0 and 4095 are reserved. */
export const vlan: Read<number> = (value, at) => {
  const number = count(value, at);
  return number >= 1 && number <= 4094 ? number : wrong(at, 'a VLAN id', value);
};

/** A mark that is there or absent. */
export const yes: Read<true> = (value, at) => (value === true ? value : wrong(at, 'true', value));

/** An address in any spelling; canonical from here on. */
export const ip: Read<Ip> = (value, at) => tryParseIp(text(value, at)) ?? wrong(at, 'an address', value);

/** A block without host bits. */
export const cidr: Read<Cidr> = (value, at) => tryParseCidr(text(value, at)) ?? wrong(at, 'a CIDR block', value);

/** An Ethernet address. */
export const mac: Read<Mac> = (value, at) => tryParseMac(text(value, at)) ?? wrong(at, 'an Ethernet address', value);

/** A block a NIC may hold: /32, /28, /128 or /80. */
export const heldBlock: Read<Cidr> = (value, at) => {
  const block = cidr(value, at);
  const lengths = cidrFamily(block) === 4 ? [32, 28] : [128, 80];
  return lengths.includes(lengthOf(block)) ? block : wrong(at, 'a /32, /28, /128 or /80', value);
};

/** Text that is an id of some kind. The brand is the caller's: an id means nothing but to the cloud that gave it. */
export function id<T extends string>(value: unknown, at: string): T {
  const given = text(value, at);
  // A brand on text has no other check than not being empty.
  return given === '' ? wrong(at, 'an id', value) : (given as T);
}

/** One of these words. */
export function oneOf<const T extends string>(...words: readonly T[]): Read<T> {
  return (value, at) => words.find((word) => word === value) ?? wrong(at, words.join(' or '), value);
}

/** A list; each member is read the same way. */
export function list<T>(read: Read<T>): Read<T[]> {
  return (value, at) => (Array.isArray(value) ? value.map((item, i) => read(item, `${at}[${i}]`)) : wrong(at, 'a list', value));
}

/** A list in which nothing stands twice. */
export function unique<T>(read: Read<T>): Read<T[]> {
  return (value, at) => {
    const items = list(read)(value, at);
    return new Set(items).size === items.length ? items : wrong(at, 'a list without repetition', value);
  };
}

/** An object, its fields still unread. */
export function object(value: unknown, at: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(at, 'an object', value);
  // Narrowed to a plain object just now; its fields are still unknown.
  return value as Record<string, unknown>;
}

/** Texts by name. */
export const texts: Read<Record<string, string>> = (value, at) =>
  Object.fromEntries(Object.entries(object(value, at)).map(([key, item]) => [key, text(item, `${at}.${key}`)]));

/** An optional field as a part of an object: `{}` when it is absent. */
export function optional<K extends string, T>(
  from: Readonly<Record<string, unknown>>,
  key: K,
  read: Read<T>,
  at: string,
): { [P in K]?: T } {
  const value = from[key];
  // A computed key widens to string; the object has that one field or none.
  return (value === undefined ? {} : { [key]: read(value, `${at}.${key}`) }) as { [P in K]?: T };
}
