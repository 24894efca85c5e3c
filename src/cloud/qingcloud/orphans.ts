/**
 * What is left of NICs that are gone: addresses reserved for a NIC that somebody deleted by hand, that ended with its instance, or that was deleted by a
 * process which ended before it gave them back. Each is shown as a detached NIC of its cluster, so that the sweep, which is careful, deletes it like any other.
 *
 * Invariants
 * - only among all NICs of a cluster is one found, and only when a second list, by its id, lacks it too; instances' own NICs, which say nothing of clusters, are
 *   in that list alone
 * - its age is counted from when this process first missed it: lists lag
 */
import { type Mac, tryParseMac } from '../../net/mac.ts';
import type { Clock } from '../clock.ts';
import type { CloudNic, NicFilter, NicId, SubnetId } from '../cloud.ts';
import { severalOf } from '../selected.ts';
import { tagKeys } from '../tag-keys.ts';
import type { NicRecord } from './answers.ts';
import type { Patience } from './patience.ts';
import { blocksByNic, type OwnVip, type Reader, readNics } from './vxnet.ts';

/** The orphans that one driver has seen. */
export interface Orphans {
  /** The cluster whose NICs are asked for, all of them; undefined: something else is. */
  clusterIn(filter: NicFilter): string | undefined;
  /** Where those were that were seen before. */
  placesOf(ids: readonly NicId[]): SubnetId[];
  /** @throws Failure cloud* */
  among(cluster: string, listed: readonly NicRecord[], vips: readonly OwnVip[], patience: Patience): Promise<CloudNic[]>;
  /** Those of the ids that were seen before and still are what they were. */
  again(ids: readonly NicId[], listed: readonly NicRecord[], vips: readonly OwnVip[]): CloudNic[];
}

interface Sighting {
  readonly cluster: string;
  readonly vxnet: SubnetId;
  readonly since_ms: number;
}

/** None seen yet. */
export function noOrphans(reader: Reader, clock: Clock): Orphans {
  const seen = new Map<Mac, Sighting>();
  const shown = (mac: Mac, { cluster, vxnet, since_ms }: Sighting, vips: readonly OwnVip[]): CloudNic => ({
    // What it was, before it was gone.
    id: mac as string as NicId,
    mac,
    subnet: vxnet,
    mtu: reader.settings.mtu,
    blocks: blocksByNic(vips).get(mac)?.whole ?? [],
    securityGroups: [],
    tags: { [tagKeys.cluster]: cluster },
    createdAt_ms: since_ms,
  });
  const sightings = (ids: readonly NicId[]): [Mac, Sighting][] =>
    ids.flatMap((id) => {
      const mac = tryParseMac(id);
      const one = mac === undefined ? undefined : seen.get(mac);
      return mac === undefined || one === undefined ? [] : [[mac, one]];
    });

  return {
    clusterIn({ ids, instance, tags = {} }) {
      const [cluster, ...more] = severalOf(tags[tagKeys.cluster]);
      return ids === undefined && instance === undefined && more.length === 0 && Object.keys(tags).length === 1 ? cluster : undefined;
    },
    placesOf: (ids) => sightings(ids).map(([, { vxnet }]) => vxnet),
    async among(cluster, listed, vips, patience) {
      const there = new Set(listed.map(({ mac }) => mac));
      const written = reader.names.clusterOf({ [tagKeys.cluster]: cluster });
      const missed = vips.filter(({ says }) => says.cluster === written && !there.has(says.mac));
      const macs = [...new Set(missed.map(({ says }) => says.mac))];
      const found = new Set(macs.length === 0 ? [] : (await readNics(reader, 'nics', macs, patience)).map(({ mac }) => mac));
      const orphans = new Map(missed.filter(({ says }) => !found.has(says.mac)).map(({ says, vxnet }) => [says.mac, vxnet]));
      for (const mac of seen.keys()) if (!orphans.has(mac)) seen.delete(mac);
      for (const [mac, vxnet] of orphans) if (!seen.has(mac)) seen.set(mac, { cluster, vxnet, since_ms: clock.now_ms() });
      return [...seen].map(([mac, sighting]) => shown(mac, sighting, vips));
    },
    again(ids, listed, vips) {
      const still = sightings(ids).filter(([mac]) => !listed.some((nic) => nic.mac === mac) && vips.some(({ says }) => says.mac === mac));
      return still.map(([mac, sighting]) => shown(mac, sighting, vips));
    },
  };
}
