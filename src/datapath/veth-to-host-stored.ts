/** A ChainedVeth read back from the node's database: checked, as whatever wrote it may have been another version. */
import { cidrsOf, ipsOf, listOf, macOf, numberOf, objectOf, parsedCidr, parsedIp, textOf } from './stored-fields.ts';
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
    addresses: ipsOf(fields, 'addresses'),
    hostInterface: textOf(fields, 'hostInterface'),
    hostAddresses: ipsOf(fields, 'hostAddresses'),
    hostLinks: listOf(fields, 'hostLinks').map((name) => textOf({ name }, 'name')),
    underlay: cidrsOf(fields, 'underlay'),
    mainRoutes: listOf(fields, 'mainRoutes').map(mainRoute),
    // Records of earlier versions have none.
    isMainSeen: fields['isMainSeen'] !== false,
    viaHost: cidrsOf(fields, 'viaHost'),
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
