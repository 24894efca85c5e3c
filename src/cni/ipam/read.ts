/** An ipam section in whichever dialect: by the name the plugin was asked under, by the key `dialect`, or by the keys that only one dialect has. */
import { failure } from '../../errors/failure.ts';
import type { Asked, Unread } from '../asked.ts';
import { raw, text, wrong } from '../fields.ts';
import { isAtLeast } from '../versions.ts';
import type { Dialect, IpamConfig } from './config.ts';
import { readHostLocal } from './host-local.ts';
import { readPool, readSubnet } from './pool.ts';
import { type IpamSource, type ReadFile, sourceOf } from './source.ts';
import { readStatic } from './static.ts';
import { readWhereabouts } from './whereabouts.ts';

const readers: Readonly<Record<Dialect, (source: IpamSource) => IpamConfig>> = {
  'host-local': readHostLocal,
  static: readStatic,
  whereabouts: readWhereabouts,
  pool: readPool,
  subnet: readSubnet,
};

/** Keys by which a dialect is known, in lower case; those of later dialects may stand in a section of an earlier one. */
const marks: readonly (readonly [Dialect, readonly string[]])[] = [
  ['pool', ['pool']],
  ['host-local', ['ranges', 'rangestart', 'rangeend', 'datadir', 'resolvconf']],
  [
    'whereabouts',
    ['range', 'ipranges', 'range_start', 'range_end', 'exclude', 'network_name', 'enable_overlapping_ranges', 'node_slice_size'].concat([
      'configuration_path',
      'kubernetes',
      'datastore',
    ]),
  ],
];

/**
 * Reads what is asked for. `plugin` is the name the executable was started under.
 * @throws Failure ipamMissing, ipamDialectUnclear, familyFull, and what the dialects throw.
 */
export function readIpam(asked: Asked & Unread, plugin: string | undefined, readFile: ReadFile): IpamConfig {
  const source = sourceOf(asked, readFile);
  const config = readers[dialectOf(source, plugin)](source);
  const families = [...config.sets.map(({ ranges }) => ranges[0]?.first ?? ''), ...config.fixed.map(({ address }) => address)];
  const v6 = families.filter((address) => address.includes(':')).length;
  if (!isAtLeast(asked.cniVersion, '0.3.0') && (v6 > 1 || families.length - v6 > 1))
    throw failure('familyFull', { version: asked.cniVersion });
  return config;
}

function dialectOf(source: IpamSource, plugin: string | undefined): Dialect {
  if (plugin === 'host-local' || plugin === 'static' || plugin === 'whereabouts') return plugin;
  const { section } = source;
  const said = text(section, 'dialect');
  if (said !== undefined) {
    const dialect = Object.keys(readers).find((name): name is Dialect => name === said);
    if (dialect === undefined) throw wrong('ipam.dialect', said, `one of ${Object.keys(readers).join(', ')}`);
    return dialect;
  }
  const found = marks.filter(([, keys]) => keys.some((key) => raw(section, key) !== undefined)).map(([dialect]) => dialect);
  const subnet = raw(section, 'subnet');
  if (typeof subnet === 'string' && !found.includes('host-local')) found.push(subnet.includes('/') ? 'host-local' : 'subnet');
  const [only, ...more] = found;
  if (only !== undefined && more.length === 0) return only;
  if (only === undefined && raw(source.runtime, 'ipRanges') !== undefined) return 'host-local';
  if (only === undefined && (raw(section, 'addresses') !== undefined || isAskedFor(source))) return 'static';
  const problem = only === undefined ? 'none of them names a range' : `they are those of ${found.join(' and ')} at once`;
  throw failure('ipamDialectUnclear', { keys: [...section.values.keys()].join(', ').slice(0, 200) || 'none', problem });
}

/** Whether addresses come from outside of the section, as static allows. */
function isAskedFor({ args, hints, runtime }: IpamSource): boolean {
  return args.prefixes.length + hints.length > 0 || raw(runtime, 'ips') !== undefined;
}
