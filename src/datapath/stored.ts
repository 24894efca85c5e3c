/** An interface read back from the node's database: checked, as whatever wrote it may have been another version. */
import { readAdopted } from './stored-adopted.ts';
import { readServiceVeth, readUnderlay } from './stored-underlay.ts';
import { ipsOf, listOf, macOf, numberOf, objectOf, textOf } from './stored-fields.ts';
import type { AttachedInterface, NodeLink, PodInterface, SourceRouting } from './interface.ts';

/** @throws RangeError that names the field. */
export function readAttachedInterface(json: unknown): AttachedInterface {
  const fields = objectOf(json, 'the interface');
  const { datapath } = fields;
  if (datapath === 'adopted') return readAdopted(fields);
  if (datapath !== 'none') return readPodInterface(json);
  return { datapath, netns: textOf(fields, 'netns'), ifname: textOf(fields, 'ifname'), addresses: ipsOf(fields, 'addresses') };
}

/** @throws RangeError that names the field. */
export function readPodInterface(json: unknown): PodInterface {
  const fields = objectOf(json, 'the interface');
  const ends = {
    netns: textOf(fields, 'netns'),
    ifname: textOf(fields, 'ifname'),
    mac: macOf(fields, 'mac'),
    hostEnd: textOf(fields, 'hostEnd'),
    hostMac: macOf(fields, 'hostMac'),
    mtu: numberOf(fields, 'mtu'),
    owner: textOf(fields, 'owner'),
    addresses: ipsOf(fields, 'addresses'),
    ...(fields['rank'] !== undefined && { rank: numberOf(fields, 'rank') }),
    podTable: numberOf(fields, 'podTable'),
    protocol: numberOf(fields, 'protocol'),
    ...(fields['answeredOn'] !== undefined && { answeredOn: readNodeLink(fields['answeredOn']) }),
    ...(fields['calledAs'] !== undefined && { calledAs: textOf(fields, 'calledAs') }),
    ...(fields['source'] !== undefined && { source: readSource(fields['source']) }),
    ...(fields['besides'] !== undefined && { besides: listOf(fields, 'besides').map(readPodInterface) }),
  };
  const { datapath } = fields;
  switch (datapath) {
    case 'routed-veth':
      return { datapath, ...ends };
    case 'ipvlan':
    case 'macvlan':
    case 'nic':
    case 'branch':
      return { datapath, ...ends, underlay: readUnderlay(fields['underlay']), serviceVeth: readServiceVeth(fields['serviceVeth']) };
    default:
      throw new RangeError(`datapath is ${JSON.stringify(datapath)}`);
  }
}

function readNodeLink(json: unknown): NodeLink {
  const fields = objectOf(json, 'answeredOn');
  return { link: textOf(fields, 'link'), mac: macOf(fields, 'mac') };
}

function readSource(json: unknown): SourceRouting {
  const fields = objectOf(json, 'source');
  return { table: numberOf(fields, 'table'), priority: numberOf(fields, 'priority') };
}
