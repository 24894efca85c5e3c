/** A ChainedVeth read back from the node's database: checked, as whatever wrote it may have been another version. */
import { tryParseIp } from '../net/address.ts';
import { tryParseCidr } from '../net/cidr.ts';
import { type Fields, listOf, macOf, numberOf, objectOf, parsedCidr, parsedIp, textOf } from './stored-fields.ts';
import type { ChainedVeth, MainRoute } from './veth-to-host.ts';

/** @throws RangeError that names the field. */
export function readChainedVeth(json: unknown): ChainedVeth {
  const fields = objectOf(json, 'the interface');
  return {
    netns: textOf(fields, 'netns'),
    ifname: textOf(fields, 'ifname'),
    helper: textOf(fields, 'helper'),
    mac: macOf(fields, 'mac'),
    hostEnd: textOf(fields, 'hostEnd'),
    hostMac: macOf(fields, 'hostMac'),
    mtu: numberOf(fields, 'mtu'),
    owner: textOf(fields, 'owner'),
    addresses: members(fields, 'addresses', tryParseIp),
    hostInterface: textOf(fields, 'hostInterface'),
    hostAddresses: members(fields, 'hostAddresses', tryParseIp),
    hostLinks: listOf(fields, 'hostLinks').map((name) => textOf({ name }, 'name')),
    underlay: members(fields, 'underlay', tryParseCidr),
    mainRoutes: listOf(fields, 'mainRoutes').map(mainRoute),
    viaHost: members(fields, 'viaHost', tryParseCidr),
    table: numberOf(fields, 'table'),
    rank: numberOf(fields, 'rank'),
    displaced: listOf(fields, 'displaced').map((member) => {
      const one = objectOf(member, 'a displaced route');
      return { address: parsedIp(one, 'address'), link: textOf(one, 'link') };
    }),
  };
}

function mainRoute(json: unknown): MainRoute {
  const fields = objectOf(json, 'a route');
  return {
    dst: parsedCidr(fields, 'dst'),
    ...(fields['via'] !== undefined && { via: parsedIp(fields, 'via') }),
    ...(fields['src'] !== undefined && { src: parsedIp(fields, 'src') }),
  };
}

function members<T>(fields: Fields, name: string, parse: (text: string) => T | undefined): T[] {
  return listOf(fields, name).map((member) => {
    const value = typeof member === 'string' ? parse(member) : undefined;
    if (value === undefined) throw new RangeError(`${name} has ${JSON.stringify(member)}`);
    return value;
  });
}
