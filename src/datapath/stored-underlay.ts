/** The parts of a stored interface that is on a network by a link of its own. All throw RangeError that names the field. */
import type { ChildKind } from '../kernel/netlink/child.ts';
import type { ServiceVeth, Underlay } from './interface.ts';
import { cidrsOf, type Fields, listOf, macOf, numberOf, objectOf, parsedCidr, parsedIp, textOf } from './stored-fields.ts';

/** @throws RangeError. */
export function readUnderlay(json: unknown): Underlay {
  const fields = objectOf(json, 'underlay');
  return {
    parent: textOf(fields, 'parent'),
    ...(fields['parentMac'] !== undefined && { parentMac: macOf(fields, 'parentMac') }),
    ...(fields['of'] !== undefined && { of: readKind(objectOf(fields['of'], 'of')) }),
    subnets: listOf(fields, 'subnets').map((one) => {
      const subnet = objectOf(one, 'a subnet');
      return { cidr: parsedCidr(subnet, 'cidr'), ...(subnet['gateway'] !== undefined && { gateway: parsedIp(subnet, 'gateway') }) };
    }),
  };
}

/** @throws RangeError. */
export function readServiceVeth(json: unknown): ServiceVeth {
  const fields = objectOf(json, 'serviceVeth');
  const mark = objectOf(fields['mark'], 'mark');
  return {
    name: textOf(fields, 'name'),
    mac: macOf(fields, 'mac'),
    viaNode: cidrsOf(fields, 'viaNode'),
    mark: { value: numberOf(mark, 'value'), mask: numberOf(mark, 'mask') },
    priority: numberOf(fields, 'priority'),
    table: numberOf(fields, 'table'),
  };
}

function readKind(fields: Fields): ChildKind {
  const { type, mode } = fields;
  if (type === 'vlan') return { type, id: numberOf(fields, 'id') };
  if (type === 'macvlan' && (mode === 'bridge' || mode === 'private' || mode === 'vepa' || mode === 'passthru')) return { type, mode };
  if (type === 'ipvlan' && (mode === 'l2' || mode === 'l3' || mode === 'l3s')) return { type, mode };
  throw new RangeError(`of is ${JSON.stringify(fields)}`);
}
