/**
 * Vxnets of v-pool that nobody has cut into blocks: hostnic's own controller does that and writes it into the status, and where it is gone nobody does. They
 * are read as if it had, by `blockSize` and with its names. Pure.
 */
import * as z from 'zod';
import { addressAt, type Cidr, cidrFamily, lengthOf, tryParseCidr } from '../../net/cidr.ts';
import type { SettingsObject } from './settings.ts';

/** hostnic's, of blocks in vxnets. */
const POOL_ID = 4100;
/** hostnic's, where the VxNetPool does not say. */
const BLOCK_LENGTH = 26;
/** Beyond it there would be more blocks than namespaces. */
const MOST_BLOCKS = 65_536;

const cut = z.looseObject({ name: z.string().default(''), subnets: z.array(z.string()).nullish() });
const pool = z.object({
  spec: z.object({ vxnets: z.array(z.object({ name: z.string() })).default([]), blockSize: z.int().min(1).max(32).default(BLOCK_LENGTH) }),
  status: z.looseObject({ pools: z.array(cut).nullish() }).nullish(),
});
const ippool = z.object({ cidr: z.string() });

/**
 * The objects with such vxnets cut: in the status of v-pool, with an IPPool each where there is none. What cannot be read stays as it is.
 * `blockOf`: the cloud's block of the vxnet; undefined: not known yet, and it stays uncut.
 */
export function cutPools(objects: readonly SettingsObject[], blockOf: (vxnet: string) => Cidr | undefined): SettingsObject[] {
  const { vpool, read, uncut } = uncutIn(objects);
  const added = uncut.flatMap(({ name, ofPool }) => {
    const block = cidrIn(ofPool) ?? blockOf(name);
    return block === undefined ? [] : [{ name, block }];
  });
  if (vpool === undefined || read === undefined || added.length === 0) return [...objects];
  const pools = read.status?.pools ?? [];
  const cuts = added.map(({ name, block }) => ({ name, ippool: name, subnets: namesOf(block, read.spec.blockSize) }));
  const status = { ...read.status, pools: [...pools.filter(({ name }) => !added.some((one) => one.name === name)), ...cuts] };
  return [
    ...objects.map((one) => (one === vpool ? { ...vpool, status } : one)),
    ...added
      .filter(({ name }) => uncut.some((one) => one.name === name && one.ofPool === undefined))
      .map(({ name, block }) => ippoolOf(vpool, name, block)),
  ];
}

/** Such vxnets whose block no object says: only the cloud knows it. */
export function unknownVxnets(objects: readonly SettingsObject[]): string[] {
  return uncutIn(objects).uncut.flatMap(({ name, ofPool }) => (cidrIn(ofPool) === undefined ? [name] : []));
}

/** v-pool, and those of its vxnets that nobody has cut, with the IPPool by their name. */
function uncutIn(objects: readonly SettingsObject[]) {
  const vpool = objects.find(({ kind, metadata: { name } }) => kind === 'VxNetPool' && name === 'v-pool');
  const read = pool.safeParse({ spec: vpool?.spec, status: vpool?.status }).data;
  const isCut = (vxnet: string): boolean =>
    (read?.status?.pools ?? []).some(({ name, subnets }) => name === vxnet && (subnets ?? []).length > 0);
  const uncut = (read?.spec.vxnets ?? [])
    .filter(({ name }) => !isCut(name))
    .map(({ name }) => ({ name, ofPool: objects.find(({ kind, metadata }) => kind === 'IPPool' && metadata.name === name) }));
  return { vpool, read, uncut };
}

/** Names of the blocks of that length; of one block, when it is not larger. */
function namesOf(block: Cidr, wanted: number): string[] {
  const length = Math.max(wanted, lengthOf(block));
  const count = Math.min(2 ** (length - lengthOf(block)), MOST_BLOCKS);
  return Array.from({ length: count }, (_, i) => `${POOL_ID}-${addressAt(block, i * 2 ** (32 - length)).replaceAll('.', '-')}-${length}`);
}

function cidrIn(ofPool: SettingsObject | undefined): Cidr | undefined {
  const read = tryParseCidr(ippool.safeParse(ofPool?.spec).data?.cidr ?? '');
  return read !== undefined && cidrFamily(read) === 4 ? read : undefined;
}

/** Which is nowhere but here. */
function ippoolOf({ apiVersion, metadata: { uid, resourceVersion } }: SettingsObject, name: string, cidr: Cidr): SettingsObject {
  return { apiVersion, kind: 'IPPool', metadata: { name, uid, resourceVersion }, spec: { type: 'local', cidr } };
}
