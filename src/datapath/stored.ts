/** A PodInterface read back from the node's database: checked, as whatever wrote it may have been another version. */
import { tryParseIp } from '../net/address.ts';
import { tryParseMac } from '../net/mac.ts';
import type { PodInterface } from './interface.ts';

/** @throws RangeError that names the field. */
export function readPodInterface(json: unknown): PodInterface {
  const fields = objectOf(json, 'the interface');
  const { addresses } = fields;
  if (!Array.isArray(addresses)) throw new RangeError('addresses is no list');
  if (fields['datapath'] !== 'routed-veth') throw new RangeError(`datapath is ${JSON.stringify(fields['datapath'])}`);
  return {
    datapath: fields['datapath'],
    netns: textOf(fields, 'netns'),
    ifname: textOf(fields, 'ifname'),
    mac: parsed(fields, 'mac', tryParseMac),
    hostEnd: textOf(fields, 'hostEnd'),
    hostMac: parsed(fields, 'hostMac', tryParseMac),
    mtu: numberOf(fields, 'mtu'),
    owner: textOf(fields, 'owner'),
    addresses: addresses.map((address) => parsed({ address: address as unknown }, 'address', tryParseIp)),
    ...(fields['rank'] !== undefined && { rank: numberOf(fields, 'rank') }),
    podTable: numberOf(fields, 'podTable'),
    protocol: numberOf(fields, 'protocol'),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function objectOf(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null) throw new RangeError(`${what} is no object`);
  return value as Fields; // an object's fields are unknown until each is read below
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new RangeError(`${name} is no text`);
  return value;
}

function numberOf(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw new RangeError(`${name} is no whole number`);
  return value;
}

function parsed<T>(fields: Fields, name: string, parse: (text: string) => T | undefined): T {
  const value = parse(textOf(fields, name));
  if (value === undefined) throw new RangeError(`${name} is ${JSON.stringify(fields[name])}`);
  return value;
}
