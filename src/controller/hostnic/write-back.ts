/** Which blocks are to be written into hostnic-ipam-config, where subnet-auto-assign is on. Pure; the settings were read without a mistake before. */
import * as z from 'zod';
import { DEFAULT } from '../../import/hostnic/ipam-config.ts';
import { blockNamed } from '../../import/hostnic/subnets.ts';
import { compareIps, tryParseIp } from '../../net/address.ts';
import { aggregate, type Cidr, containsCidr, firstOf, hostCidr, lastOf, overlaps } from '../../net/cidr.ts';
import type { NodeNetwork } from '../../store/node-network.ts';
import { assignBlocks, type Ipam } from './auto-assign.ts';
import { IPAM_CONFIG, type Settings, type SettingsObject } from './settings.ts';

/** Namespaces that had a block while they were there: JSON, a list of names. What they had is free when they are gone. */
const KNOWN_ANNOTATION = 'flatpod.dev/hostnic-namespaces';

/** What is to be written. */
export interface BlockWrite {
  readonly configMap: SettingsObject;
  /** A merge patch over the version that was read; absent: nothing is to be written. */
  readonly body?: object;
  readonly unserved: readonly Namespace[];
}

interface Namespace {
  readonly name: string;
  readonly uid: string;
}

const names = z.array(z.string());
const ipamConfig = z.object({ 'subnet-auto-assign': z.string().optional(), ipam: z.string().default('{}') });
const ipamText = z.record(
  z.string(),
  names.nullable().transform((list) => list ?? []),
);
const pools = z.array(z.object({ name: z.string().default(''), ippool: z.string().default(''), subnets: names.nullish() }));
const status = z.object({ pools: pools.nullish() });
const ippool = z.object({
  disabled: z.boolean().default(false),
  rangeStart: z.string().default(''),
  rangeEnd: z.string().default(''),
});

/** undefined: subnet-auto-assign is off, or there is nothing to say. */
export function blocksToWrite(
  objects: readonly SettingsObject[],
  namespaces: readonly Namespace[],
  { subnets, kept }: Pick<Settings, 'subnets' | 'kept'>,
  nodes: readonly NodeNetwork[],
): BlockWrite | undefined {
  const configMap = objects.find(({ kind, metadata: { name } }) => kind === 'ConfigMap' && name === IPAM_CONFIG);
  const data = ipamConfig.safeParse(configMap?.data).data;
  if (configMap === undefined || data?.['subnet-auto-assign'] !== 'on') return undefined;
  const ipam = new Map(Object.entries(ipamText.parse(JSON.parse(data.ipam))));
  const known = knownBefore(configMap);
  const held = nodes.flatMap((node) => node.status.nics.flatMap(({ blocks }) => blocks));
  const used = [...held, ...aggregate(kept.map(hostCidr))];
  const isInUse = (name: string): boolean => {
    const cidr = blockNamed(name);
    return cidr !== undefined && used.some((one) => overlaps(one, cidr));
  };
  const after = assignBlocks({
    ipam,
    namespaces: new Set(namespaces.map(({ name }) => name)),
    known,
    blocks: blocksFor(objects, ipam.get(DEFAULT) ?? []),
    isInUse,
    full: fullOnes(ipam, subnets, nodes, held),
  });
  const unserved = namespaces.filter(({ name }) => after.unserved.includes(name));
  const [before, then] = [textOf(ipam), textOf(after.ipam)];
  const isSame = before === then && known.size === after.known.size && known.isSubsetOf(after.known);
  if (isSame) return unserved.length === 0 ? undefined : { configMap, unserved };
  const annotations = { [KNOWN_ANNOTATION]: JSON.stringify([...after.known].toSorted()) };
  const metadata = { resourceVersion: configMap.metadata.resourceVersion, annotations };
  return { configMap, body: { metadata, ...(before !== then && { data: { ipam: then } }) }, unserved };
}

function textOf(ipam: Ipam): string {
  return JSON.stringify(Object.fromEntries(ipam));
}

function knownBefore({ metadata: { annotations } }: SettingsObject): ReadonlySet<string> {
  try {
    return new Set(names.parse(JSON.parse(annotations?.[KNOWN_ANNOTATION] ?? '[]')));
  } catch {
    // Somebody wrote something else there: then nobody's block is freed until the next look.
    return new Set();
  }
}

/** Blocks of the pool, but for those of vxnets that `Default` names or whose IPPool is disabled, and for those that lie outside of the vxnet's range. */
function blocksFor(objects: readonly SettingsObject[], ofDefault: readonly string[]): string[] {
  const ippools = new Map(objects.flatMap(({ kind, metadata: { name }, spec }) => (kind === 'IPPool' ? [[name, spec] as const] : [])));
  const pool = objects.find(({ kind, metadata: { name } }) => kind === 'VxNetPool' && name === 'v-pool');
  const cuts = status.safeParse(pool?.status ?? {}).data?.pools ?? [];
  return cuts.flatMap(({ name, ippool: of, subnets }) => {
    const read = ippool.safeParse(ippools.get(of) ?? ippools.get(name)).data;
    if (read?.disabled === true || ofDefault.includes(of) || ofDefault.includes(name)) return [];
    const [first, last] = [tryParseIp(read?.rangeStart ?? ''), tryParseIp(read?.rangeEnd ?? '')];
    const isWithin = (block: Cidr): boolean =>
      (first === undefined || compareIps(lastOf(block), first) >= 0) && (last === undefined || compareIps(firstOf(block), last) <= 0);
    return (subnets ?? []).filter((one) => [blockNamed(one)].some((block) => block !== undefined && isWithin(block)));
  });
}

/** Namespaces of which Pods wait while each of their blocks has addresses on nodes: what was never tried is not full. And those whose blocks make no PodSubnet. */
function fullOnes(ipam: Ipam, subnets: Settings['subnets'], nodes: readonly NodeNetwork[], held: readonly Cidr[]): ReadonlySet<string> {
  const waiting = new Set(
    nodes.flatMap(({ spec, status: { growth } }) =>
      growth.flatMap(({ subnet, stoppedBy }) =>
        stoppedBy === 'subnet' && spec.demand.some((one) => one.subnet === subnet && one.waiting > 0) ? subnet : [],
      ),
    ),
  );
  const isTried = (name: string): boolean => {
    const cidr = blockNamed(name);
    return cidr === undefined || held.some((one) => containsCidr(cidr, one));
  };
  const served = new Set(subnets.flatMap(({ spec }) => spec.namespaces));
  const unmade = [...ipam].flatMap(([namespace, blocks]) => (blocks.length > 0 && !served.has(namespace) ? namespace : []));
  const waited = subnets.filter(({ metadata: { name }, spec }) => waiting.has(name) && spec.within !== undefined);
  const tried = waited.flatMap(({ spec }) => spec.namespaces).filter((namespace) => ipam.get(namespace)?.every(isTried) === true);
  return new Set([...tried, ...unmade]);
}
