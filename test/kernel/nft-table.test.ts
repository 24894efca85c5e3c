/** Tables of nftables: loaded, recognised, compared. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareTable, deleteTable, ensureTable } from '../../src/kernel/nft-table.ts';
import { host, type NftTableObject } from '../../src/kernel/state.ts';
import { testNetns } from './namespace.ts';

const table: NftTableObject = {
  kind: 'nft-table',
  where: host,
  family: 'inet',
  table: 'flatpod-test',
  text: 'set pods { type ipv4_addr; }\nchain post {\n  type nat hook postrouting priority srcnat;\n  ip saddr @pods masquerade\n}',
};
const next = { ...table, text: 'set pods { type ipv6_addr; }' };

test('a table is missing, then as it should be, then of another version, then missing again', () => {
  using ns = testNetns('table');
  assert.equal(compareTable(ns.netns, table), 'missing');
  ensureTable(ns.netns, table);
  assert.equal(compareTable(ns.netns, table), undefined);
  assert.match(ns.exec('nft list table inet flatpod-test'), /masquerade/);
  assert.equal(compareTable(ns.netns, next), 'of another version');
  deleteTable(ns.netns, table);
  assert.equal(compareTable(ns.netns, table), 'missing');
  deleteTable(ns.netns, table);
});

test('loading replaces all that the table held', () => {
  using ns = testNetns('table');
  ensureTable(ns.netns, table);
  ensureTable(ns.netns, next);
  assert.equal(compareTable(ns.netns, next), undefined);
  assert.doesNotMatch(ns.exec('nft list ruleset'), /masquerade/);
});

test('a text that is refused leaves the old table in place, and the refusal counts lines as the text does', () => {
  using ns = testNetns('table');
  ensureTable(ns.netns, table);
  const broken = { ...table, text: 'set pods { type ipv4_addr; }\nchain post {\n  nonsense here\n}' };
  assert.throws(() => ensureTable(ns.netns, broken), { kind: 'nftRefused', details: /^line 3: .*"nonsense here"/ });
  assert.equal(compareTable(ns.netns, table), undefined);
});

test('a table that plans share is left alone while it is of their version, and loaded when it is not', () => {
  using ns = testNetns('table');
  const shared = { ...table, shared: true };
  ensureTable(ns.netns, shared);
  ns.exec('nft add element inet flatpod-test pods { 10.0.0.1 }');
  ensureTable(ns.netns, shared);
  assert.match(ns.exec('nft list table inet flatpod-test'), /10\.0\.0\.1/);
  ensureTable(ns.netns, { ...next, shared: true });
  assert.equal(compareTable(ns.netns, next), undefined);
});

/** A table as Pods have them: two chains of two kinds, rules and comments in it. */
const inPod: NftTableObject = {
  ...table,
  text: `
# What came { in.
chain came {
  type filter hook prerouting priority mangle; policy accept;
  iifname "x" ct state new ct mark set ct mark and 0xff or 0x2
  meta l4proto tcp accept  # } one
}

chain leave { type route hook output priority mangle; policy accept; ct direction reply accept; }
`,
};

test('rules that somebody took out of a table, put in or replaced, and chains and policies, are named when rules are looked at', () => {
  using ns = testNetns('table');
  const known = 'inet flatpod-test';
  const damages: readonly [damage: string, problem: string][] = [
    [`flush chain ${known} leave`, 'its chain leave has 0 rules instead of 1'],
    [`add rule ${known} came accept`, 'its chain came has 3 rules instead of 2'],
    [`flush chain ${known} leave; add rule ${known} leave accept`, 'a rule of its chain leave was replaced'],
    [`add chain ${known} came { policy drop; }`, 'its chain came drops what no rule accepts'],
    [`add chain ${known} mine`, 'with a chain mine that somebody put in'],
    [`flush chain ${known} came; delete chain ${known} came`, 'without its chain came'],
  ];
  for (const [damage, problem] of damages) {
    ensureTable(ns.netns, inPod);
    assert.equal(compareTable(ns.netns, inPod, true), undefined);
    ns.exec('nft -f -', damage);
    assert.equal(compareTable(ns.netns, inPod, true), problem, damage);
    assert.equal(compareTable(ns.netns, inPod), undefined, 'not when only the version is asked for');
  }
});
