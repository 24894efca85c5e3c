/**
 * An IPPool of whereabouts (whereabouts.cni.cncf.io/v1alpha1): `spec.range`, and `spec.allocations` by the decimal offset from the range's network
 * address. Its name is the range with `:` and `/` as `-`, after `<network_name>-` when there is one.
 */
import type { Ip } from '../../net/address.ts';
import { addressAt, type Cidr, cidrOf, sizeOf, splitPrefix } from '../../net/cidr.ts';

/** What a pool says. */
export interface IpPool {
  /** Empty without one. */
  readonly networkName: string;
  readonly range: Cidr;
  readonly leases: readonly { readonly address: Ip; readonly container: string; readonly pod: string; readonly ifname: string }[];
}

/** Reads one object. @throws RangeError that says what is wrong with it. */
export function readIpPool(value: unknown): IpPool {
  const object = fieldsIn(value, 'it');
  if (object['kind'] !== 'IPPool') throw new RangeError(`it is of kind ${JSON.stringify(object['kind'])}, not IPPool`);
  const spec = fieldsIn(object['spec'], 'spec');
  const written = String(spec['range']);
  const split = splitPrefix(written);
  if (split === undefined) throw new RangeError(`spec.range is ${JSON.stringify(spec['range'])}, not a block`);
  const range = cidrOf(split.ip, split.length);
  const leases = Object.entries(fieldsIn(spec['allocations'] ?? {}, 'spec.allocations')).map(([offset, allocation]) => {
    if (!/^\d+$/.test(offset) || BigInt(offset) >= sizeOf(range))
      throw new RangeError(`spec.allocations: ${offset} is no offset within ${range}`);
    const { id = '', podref = '', ifname = '' } = fieldsIn(allocation, `spec.allocations.${offset}`);
    return { address: addressAt(range, BigInt(offset)), container: String(id), pod: String(podref), ifname: String(ifname) };
  });
  return { networkName: networkNameIn(fieldsIn(object['metadata'], 'metadata')['name'], written), range, leases };
}

/** What stands before the range in the pool's name. */
function networkNameIn(name: unknown, range: string): string {
  const suffix = range.replaceAll(/[:/]/g, '-');
  return typeof name === 'string' && name.endsWith(`-${suffix}`) ? name.slice(0, -suffix.length - 1) : '';
}

function fieldsIn(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new RangeError(`${what} is no object`);
  return { ...value };
}
