/** The packet filter of one namespace: tables from nft files, loaded once; then chains and elements that follow the state, each change one transaction. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { listNft, runNft } from '../../kernel/nft.ts';
import type { Netns } from '../../kernel/netns.ts';
import { gatewayMac } from '../mac.ts';
import type { Mac } from '../../net/mac.ts';
import { gateway6 } from '../model/objects.ts';
import type { Elements } from './elements.ts';

/** Chains and sets beside those of the files, by name. */
export interface Extra {
  readonly sets: ReadonlyMap<string, string>;
  readonly chains: ReadonlyMap<string, string>;
}
const nothing: Extra = { sets: new Map(), chains: new Map() };
/** The mark of a packet from an address that its NIC does not own but may send from: beyond all numbers of subnets. */
const ANY_SOURCE_MARK = '0x80000000';
const EXTRA_TABLE = 'inet security';

/** The nftables of one router. */
export interface Filter {
  /** Makes the tables, or takes over those that are there with their counters. @throws Failure nftRefused. */
  load(): void;
  /** Makes chains and elements what is given. @throws Failure nftRefused; then nothing was changed. */
  update(elements: Elements, extra?: Extra): void;
}

/** `tables`: `bridge ports` and the like, with the file that defines each. */
export function filterOf(netns: Netns, tables: Readonly<Record<string, string>>): Filter {
  // What the kernel holds; undefined until the first update has cleared the sets.
  let shown: Elements | undefined;
  let shownExtra = nothing;
  return {
    load() {
      const there = tablesIn(netns);
      // Loaded over itself a table would have every rule twice.
      for (const [table, file] of Object.entries(tables)) if (!there.has(table)) runNft(netns, textOf(file), table);
    },
    update(elements, extra = nothing) {
      const first = shown === undefined ? clearing(netns, Object.keys(tables)) : '';
      const text = [first, extraText(shownExtra, extra), elementsText(shown ?? new Map(), elements)].join('');
      if (text !== '') runNft(netns, text, 'the state of the VPC');
      const gone = [...shownExtra.chains.keys()].filter((chain) => !extra.chains.has(chain));
      const goneSets = [...shownExtra.sets.keys()].filter((set) => !extra.sets.has(set));
      [shown, shownExtra] = [elements, extra];
      // A chain or set can only go when nothing names it any more: in a transaction of its own. Combinations come last, so they go first.
      const deletions = [
        ...gone.toReversed().map((chain) => `delete chain ${EXTRA_TABLE} ${chain}\n`),
        ...goneSets.map((set) => `delete set ${EXTRA_TABLE} ${set}\n`),
      ];
      if (deletions.length > 0) runNft(netns, deletions.join(''), 'the state of the VPC');
    },
  };
}

function textOf(file: string): string {
  return readFileSync(join(import.meta.dirname, file), 'utf8')
    .replaceAll('$gateway_mac_as_ip6', asEndOfAddress(gatewayMac))
    .replaceAll('$gateway_mac', gatewayMac)
    .replaceAll('$gateway6', gateway6)
    .replaceAll('$any_source_mark', ANY_SOURCE_MARK);
}

/** An IPv6 address that ends in the Ethernet address. */
function asEndOfAddress(mac: Mac): string {
  const bytes = mac.split(':');
  return `::${[0, 2, 4].map((at) => bytes.slice(at, at + 2).join('')).join(':')}`;
}

/** The tables that are there, as `bridge ports`. */
function tablesIn(netns: Netns): Set<string> {
  const listed = listNft(netns, 'tables') as { nftables: { table?: { family: string; name: string } }[] }; // libnftables-json(5)
  return new Set(listed.nftables.flatMap(({ table }) => (table === undefined ? [] : [`${table.family} ${table.name}`])));
}

/** After a restart: what a predecessor left in sets that follow the state. Counters are in sets of their own and stay. */
function clearing(netns: Netns, tables: readonly string[]): string {
  return tables.flatMap((table) => followingSets(netns, table).map(([what, name]) => `flush ${what} ${table} ${name}\n`)).join('');
}

/** Sets and maps of a table that are not filled by packets. */
function followingSets(netns: Netns, table: string): (readonly ['set' | 'map', string])[] {
  const [family = '', name] = table.split(' ');
  // Not the whole table: nftables 1.0.6 complains on stderr about rules that fill maps.
  const listed = ['sets', 'maps'].flatMap((what) => {
    const { nftables } = listNft(netns, `${what} ${family}`) as { nftables: { set?: Listed; map?: Listed }[] }; // libnftables-json(5)
    return nftables;
  });
  return listed.flatMap(({ set, map }) => [
    ...(set !== undefined && set.table === name && !isOfPackets(set) ? [['set', set.name] as const] : []),
    ...(map !== undefined && map.table === name && !isOfPackets(map) ? [['map', map.name] as const] : []),
  ]);
}

/** Filled by packets: counters, and what is learnt. */
function isOfPackets({ name, stmt }: Listed): boolean {
  // The flag `dynamic` is not told in JSON by every version.
  return stmt !== undefined || /^(learnt|fresh)/.test(name);
}

interface Listed {
  readonly table: string;
  readonly name: string;
  readonly stmt?: unknown;
}

/** New sets, then new chains, then the text of chains that differ. */
function extraText(before: Extra, after: Extra): string {
  const lines: string[] = [];
  for (const [name, text] of after.sets) if (!before.sets.has(name)) lines.push(`add set ${EXTRA_TABLE} ${name} { ${text} }`);
  const changed = [...after.chains].filter(([name, text]) => before.chains.get(name) !== text);
  for (const [name] of changed) lines.push(`add chain ${EXTRA_TABLE} ${name}`, `flush chain ${EXTRA_TABLE} ${name}`);
  for (const [name, text] of changed)
    for (const rule of text.split('\n').filter((line) => line !== '')) lines.push(`add rule ${EXTRA_TABLE} ${name} ${rule}`);
  return lines.map((line) => `${line}\n`).join('');
}

/** Deletions before additions: an address may have moved from one NIC to another. */
function elementsText(before: Elements, after: Elements): string {
  const change = (verb: 'add' | 'delete', from: Elements, to: Elements): string[] =>
    [...from].flatMap(([key, items]) => {
      const differing = [...items].filter((item) => to.get(key)?.has(item) !== true);
      return differing.length === 0 ? [] : [`${verb} element ${key} { ${differing.join(', ')} }\n`];
    });
  return [...change('delete', before, after), ...change('add', after, before)].join('');
}
