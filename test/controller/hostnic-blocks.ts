/** A vxnet as hostnic's own controller leaves it in its objects, once it has cut it. */
import type { Ip } from '../../src/net/address.ts';
import { addressAt, addressesOf, type Cidr, cidrOf, contains, firstOf, lengthOf, parseCidr } from '../../src/net/cidr.ts';
import { blocksBetween } from '../../src/import/hostnic/pod-subnets.ts';

/** What was cut. */
export interface CutVxnet {
  readonly cidr: string;
  /** The first and the last address that Pods may have: what the cloud's DHCP may give, less its tail. */
  readonly range: readonly [first: Ip, last: Ip];
  /** blockSize of v-pool: how long the blocks' prefixes are. */
  readonly length: number;
  /** Addresses that Pods of hostnic have. */
  readonly pods?: readonly Ip[];
}

/** Its IPPool's spec, and its IPAMBlocks: what lies outside of the range stands in `allocations` too, under a handle that is no Pod's. */
export function cutByHostnic({ cidr, range: [rangeStart, rangeEnd], length, pods = [] }: CutVxnet) {
  const whole = parseCidr(cidr);
  const range = blocksBetween(rangeStart, rangeEnd);
  const pool = { type: 'local', cidr, rangeStart, rangeEnd, blockSize: length };
  const count = 2 ** (length - lengthOf(whole));
  const cidrs = Array.from({ length: count }, (_, i) => cidrOf(addressAt(whole, i * 2 ** (32 - length)), length));
  const blocks = cidrs.map((block) => {
    const ofBlock = pods.filter((pod) => contains(block, pod));
    const allocations = [...addressesOf(block)].map((address) => {
      if (!range.some((one) => contains(one, address))) return 0;
      return ofBlock.includes(address) ? 1 + ofBlock.indexOf(address) : null;
    });
    const reserved = { handle_id: 'kubesphere-reserved-handle', secondary: { note: 'kubesphere reserved' } };
    const attributes = [reserved, ...ofBlock.map(attributeOf)];
    const unallocated = allocations.flatMap((one, i) => (one === null ? i : []));
    return { metadata: { name: nameOf(block) }, spec: { id: 4100, cidr: block, allocations, unallocated, attributes, deleted: false } };
  });
  return { pool, blocks };
}

/** hostnic's name of a block. */
function nameOf(block: Cidr): string {
  return `4100-${firstOf(block).replaceAll('.', '-')}-${lengthOf(block)}`;
}

function attributeOf(ip: Ip): object {
  const pod = `web-${ip.replaceAll('.', '-')}`;
  return { handle_id: `shop-${pod}-c0ffee`, secondary: { namespace: 'shop', pod, node: 'n1', ip } };
}
