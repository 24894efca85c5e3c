/**
 * What a driver remembers, none of which it could not read again: the vxnets of NICs, the ranges of vxnets, how long names may be. All of it has an end.
 */
import type { Ip } from '../../net/address.ts';
import type { Clock } from '../clock.ts';
import type { NicId, SubnetId } from '../cloud.ts';
import { refuse } from '../wire/asked.ts';
import type { VxnetRecord } from './answers.ts';
import type { Patience } from './patience.ts';
import { type Reader, readNic, readVxnets } from './vxnet.ts';

/** The memory of one driver. */
export interface Known {
  /** The vxnet of a NIC. @throws Failure cloudNotFound when there is no such NIC or vxnet. */
  vxnetOf(nic: NicId, patience: Patience): Promise<VxnetRecord>;
  /** @throws Failure cloudNotFound */
  vxnet(id: SubnetId, patience: Patience): Promise<VxnetRecord>;
  noteNic(nic: NicId, vxnet: SubnetId): void;
  noteVxnets(records: readonly VxnetRecord[]): void;
  /** Where the NIC was when it was last seen. */
  lastVxnetOf(nic: NicId): SubnetId | undefined;
  forgetNic(nic: NicId): void;
  /** After a refusal that another range would explain: it may have left its router and joined it anew. */
  forgetVxnet(id: SubnetId): void;
  /** The cloud refused these by value: to reserve such as it gives to nobody itself, or as a NIC's own one that looked free. */
  noteBarred(vxnet: SubnetId, ips: readonly Ip[]): void;
  /** Those that it refused in the last minutes: others had them perhaps, and have them no more. */
  barred(vxnet: SubnetId): ReadonlySet<Ip>;
  /** Whether a name of that length was seen whole in a list. */
  isProven(nameLength: number): boolean;
  noteProven(nameLength: number): void;
}

const VXNET_ms = 300_000;
const BARRED_ms = 600_000;
const MOST_NICS = 50_000;

/** An empty memory. */
export function nothingKnown(reader: Reader, clock: Clock): Known {
  const places = new Map<NicId, SubnetId>();
  const vxnets = new Map<SubnetId, { readonly record: VxnetRecord; readonly until_ms: number }>();
  const refused = new Map<SubnetId, ReadonlyMap<Ip, number>>();
  let proven = 0;

  function stillRefused(id: SubnetId): Map<Ip, number> {
    return new Map([...(refused.get(id) ?? [])].filter(([, until_ms]) => clock.now_ms() < until_ms));
  }

  async function vxnet(id: SubnetId, patience: Patience): Promise<VxnetRecord> {
    const known = vxnets.get(id);
    if (known !== undefined && clock.now_ms() < known.until_ms) return known.record;
    const [record] = await readVxnets(reader, [id], patience);
    if (record === undefined)
      throw refuse.notFound(reader.api.asked({ action: 'DescribeVxnets', about: id, parameters: {} }), 'no such vxnet is listed');
    noteVxnets([record]);
    return record;
  }
  function noteNic(nic: NicId, where: SubnetId): void {
    places.delete(nic);
    places.set(nic, where);
    const [oldest] = places.keys();
    if (places.size > MOST_NICS && oldest !== undefined) places.delete(oldest);
  }
  function noteVxnets(records: readonly VxnetRecord[]): void {
    for (const record of records) vxnets.set(record.id, { record, until_ms: clock.now_ms() + VXNET_ms });
  }

  return {
    async vxnetOf(nic, patience) {
      const place = places.get(nic) ?? (await readNic(reader, nic, patience))?.vxnet;
      if (place === undefined)
        throw refuse.notFound(reader.api.asked({ action: 'DescribeNics', about: nic, parameters: {} }), 'no such NIC is listed');
      noteNic(nic, place);
      return vxnet(place, patience);
    },
    vxnet,
    noteNic,
    noteVxnets,
    lastVxnetOf: (nic) => places.get(nic),
    forgetNic: (nic) => void places.delete(nic),
    forgetVxnet: (id) => void vxnets.delete(id),
    noteBarred(id, ips) {
      if (ips.length > 0) refused.set(id, new Map([...stillRefused(id), ...ips.map((ip) => [ip, clock.now_ms() + BARRED_ms] as const)]));
    },
    barred: (id) => new Set(stillRefused(id).keys()),
    isProven: (length) => length <= proven,
    noteProven(length) {
      proven = Math.max(proven, length);
    },
  };
}
