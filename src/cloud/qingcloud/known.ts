/**
 * What a driver remembers, none of which it could not read again: the vxnets of NICs, the ranges of vxnets, and which addresses were asked for a moment
 * ago. All of it has an end.
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
  /** These are asked for from now on. Call the answer when that is over: they count as recent for some seconds more. */
  ask(vxnet: SubnetId, ips: readonly Ip[]): () => void;
  /** Whether it is being asked for right now. */
  isAsked(vxnet: SubnetId, ip: Ip): boolean;
  /** Also whether it was some seconds ago: a list may not show it yet. */
  isRecent(vxnet: SubnetId, ip: Ip): boolean;
  /** Whether a name of that length was seen whole in a list. */
  isProven(nameLength: number): boolean;
  noteProven(nameLength: number): void;
  /** It was given back. */
  forgetAddress(vxnet: SubnetId, ip: Ip): void;
}

const VXNET_ms = 300_000;
/** Lists are seldom older than that. */
const LAG_ms = 15_000;
const MOST_NICS = 50_000;

/** An empty memory. */
export function nothingKnown(reader: Reader, clock: Clock): Known {
  const places = new Map<NicId, SubnetId>();
  const vxnets = new Map<SubnetId, { readonly record: VxnetRecord; readonly until_ms: number }>();
  const recent = new Map<string, number>();
  let proven = 0;

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
    ask(where, ips) {
      for (const [key, until_ms] of recent) if (until_ms <= clock.now_ms()) recent.delete(key);
      for (const ip of ips) recent.set(`${where} ${ip}`, Number.POSITIVE_INFINITY);
      return () => {
        for (const ip of ips) recent.set(`${where} ${ip}`, clock.now_ms() + LAG_ms);
      };
    },
    isProven: (length) => length <= proven,
    noteProven(length) {
      proven = Math.max(proven, length);
    },
    isAsked: (where, ip) => recent.get(`${where} ${ip}`) === Number.POSITIVE_INFINITY,
    forgetAddress: (where, ip) => void recent.delete(`${where} ${ip}`),
    isRecent: (where, ip) => (recent.get(`${where} ${ip}`) ?? 0) > clock.now_ms(),
  };
}
