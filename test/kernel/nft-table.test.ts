/** Tables of nftables: loaded, recognised, compared. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareTable, deleteTable, loadTable } from '../../src/kernel/nft-table.ts';
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
  loadTable(ns.netns, table);
  assert.equal(compareTable(ns.netns, table), undefined);
  assert.match(ns.exec('nft list table inet flatpod-test'), /masquerade/);
  assert.equal(compareTable(ns.netns, next), 'of another version');
  deleteTable(ns.netns, table);
  assert.equal(compareTable(ns.netns, table), 'missing');
  deleteTable(ns.netns, table);
});

test('loading replaces all that the table held', () => {
  using ns = testNetns('table');
  loadTable(ns.netns, table);
  loadTable(ns.netns, next);
  assert.equal(compareTable(ns.netns, next), undefined);
  assert.doesNotMatch(ns.exec('nft list ruleset'), /masquerade/);
});

test('a text that is refused leaves the old table in place, and the refusal counts lines as the text does', () => {
  using ns = testNetns('table');
  loadTable(ns.netns, table);
  const broken = { ...table, text: 'set pods { type ipv4_addr; }\nchain post {\n  nonsense here\n}' };
  assert.throws(() => loadTable(ns.netns, broken), { kind: 'nftRefused', details: /^line 3: .*"nonsense here"/ });
  assert.equal(compareTable(ns.netns, table), undefined);
});
