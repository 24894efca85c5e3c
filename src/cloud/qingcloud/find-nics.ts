/** NICs as the controller sees them. */
import { failure } from '../../errors/failure.ts';
import type { Cidr } from '../../net/cidr.ts';
import type { CloudNic, NicFilter } from '../cloud.ts';
import { selects, severalOf } from '../selected.ts';
import { type Asked, refuse } from '../wire/asked.ts';
import type { NicRecord } from './answers.ts';
import type { BlockUse } from './blocks.ts';
import type { Tracked } from './tracked.ts';
import type { Orphans } from './orphans.ts';
import type { Patience } from './patience.ts';
import type { Tokens } from './tokens.ts';
import { blocksByNic, ownVips, readNics, readNicsNamed, readVips, readVxnets } from './vxnet.ts';

/** What everything about NICs works with. */
export interface NicUse extends BlockUse {
  readonly moves: Tracked;
  readonly tokens: Tokens;
  readonly orphans: Orphans;
}

/** See Cloud.nics. Asked for all of a cluster, also what is left of NICs that are gone: orphans.ts. */
export async function findNics(use: NicUse, filter: NicFilter, patience: Patience): Promise<CloudNic[]> {
  const { ids, instance } = filter;
  if (ids?.length === 0) return [];
  const records = await recordsFor(use, filter, patience);
  if (records === undefined)
    throw failure('cloudInvalid', { cloud: 'qingcloud', call: 'DescribeNics', text: 'a filter without conditions' });
  const asked = use.api.asked({ action: 'DescribeNics', about: '', parameters: {} });
  if (ids !== undefined) mustBeAmong(records, ({ id }) => id, ids, asked);
  else if (instance !== undefined) mustBeAmong(records, ({ at }) => at?.instance, severalOf(instance), asked);
  for (const { id, vxnet } of records) use.known.noteNic(id, vxnet);
  const found = records.map((record) => cloudNic(use, record, [])).filter(selects(filter));
  const cluster = use.orphans.clusterIn(filter);
  const places = new Set([...found.map(({ subnet }) => subnet), ...use.orphans.placesOf(ids ?? [])]);
  // Also where no NIC is any more: the cloud wants reserved addresses to be asked for by vxnets.
  if (cluster !== undefined) for (const { id } of await readVxnets(use, undefined, patience)) places.add(id);
  const vips = ownVips(await readVips(use, [...places], patience), use.names);
  const blocks = blocksByNic(vips);
  const left =
    cluster === undefined ? use.orphans.again(ids ?? [], records, vips) : await use.orphans.among(cluster, records, vips, patience);
  return [...found.map((nic) => ({ ...nic, blocks: blocks.get(nic.mac)?.whole ?? [] })), ...left];
}

function recordsFor(use: NicUse, { ids, instance, tags }: NicFilter, patience: Patience): Promise<NicRecord[] | undefined> {
  if (ids !== undefined) return readNics(use, 'nics', ids, patience);
  if (instance !== undefined) return readNics(use, 'instances', severalOf(instance), patience);
  if (tags === undefined || Object.keys(tags).length === 0) return Promise.resolve(undefined);
  return readNicsNamed(use, use.names.beginning(tags), patience);
}

function mustBeAmong(
  records: readonly NicRecord[],
  of: (record: NicRecord) => string | undefined,
  wanted: readonly string[],
  asked: Asked,
): void {
  const other = records.find((record) => !wanted.includes(of(record) ?? ''));
  if (other !== undefined) throw refuse.garbled(asked, `the list has ${other.id}, which was not asked for`);
}

/** The record with its blocks. */
export function cloudNic({ names, moves, settings }: NicUse, record: NicRecord, blocks: readonly Cidr[]): CloudNic {
  const { id, mac, vxnet, ip, name, createdAt_ms } = record;
  const attachment = moves.attachmentOf(record);
  return {
    id,
    mac,
    subnet: vxnet,
    mtu: settings.mtu,
    ...(ip && { primary4: ip }),
    blocks,
    // Those of an instance's first NIC are the instance's; there are no others.
    securityGroups: [],
    // A reserved address is whoever's answers for it; the cloud itself knows nothing of who that is.
    nodeAnswers: true,
    tags: names.ofNic(name)?.tags ?? {},
    ...(attachment && { attachment }),
    createdAt_ms,
  };
}
