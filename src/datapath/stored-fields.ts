/** Fields of a stored record, each checked as it is read. All throw RangeError that names the field. */
import { type Ip, tryParseIp } from '../net/address.ts';
import { type Cidr, tryParseCidr } from '../net/cidr.ts';
import { type Mac, tryParseMac } from '../net/mac.ts';

/** A JSON object, nothing known of its fields. */
export type Fields = Readonly<Record<string, unknown>>;

/** @throws RangeError. */
export function objectOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null) throw new RangeError(`${what} is no object`);
  return value as Fields; // an object's fields are unknown until each is read
}

/** @throws RangeError. */
export function listOf(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw new RangeError(`${name} is no list`);
  return value;
}

/** @throws RangeError. */
export function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new RangeError(`${name} is no text`);
  return value;
}

/** @throws RangeError. */
export function numberOf(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new RangeError(`${name} is no whole number`);
  return value;
}

/** @throws RangeError. */
export function macOf(fields: Fields, name: string): Mac {
  return parsed(fields, name, tryParseMac);
}

/** @throws RangeError. */
export function parsedIp(fields: Fields, name: string): Ip {
  return parsed(fields, name, tryParseIp);
}

/** @throws RangeError. */
export function parsedCidr(fields: Fields, name: string): Cidr {
  return parsed(fields, name, tryParseCidr);
}

/** @throws RangeError. */
export function ipsOf(fields: Fields, name: string): Ip[] {
  return membersOf(fields, name, tryParseIp);
}

/** @throws RangeError. */
export function cidrsOf(fields: Fields, name: string): Cidr[] {
  return membersOf(fields, name, tryParseCidr);
}

function membersOf<T>(fields: Fields, name: string, parse: (text: string) => T | undefined): T[] {
  return listOf(fields, name).map((member) => {
    const value = typeof member === 'string' ? parse(member) : undefined;
    if (value === undefined) throw new RangeError(`${name} has ${JSON.stringify(member)}`);
    return value;
  });
}

function parsed<T>(fields: Fields, name: string, parse: (text: string) => T | undefined): T {
  const value = parse(textOf(fields, name));
  if (value === undefined) throw new RangeError(`${name} is ${JSON.stringify(fields[name])}`);
  return value;
}
