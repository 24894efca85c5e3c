/** nftables texts through libnftables: all or nothing, refusals in words. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { listNft, runNft } from '../../src/kernel/nft.ts';
import { Failure } from '../../src/errors/failure.ts';
import { testNetns } from './namespace.ts';

const TABLE = `table inet t {
  set pods { type ipv4_addr; }
  chain post {
    type nat hook postrouting priority srcnat;
    ip saddr @pods masquerade
  }
}
`;

test('a rule set is loaded as nft(8) would load it, and listed as nft -j lists it', () => {
  using ns = testNetns('nft');
  runNft(ns.netns, TABLE, 'test');
  assert.match(ns.exec('nft list table inet t'), /ip saddr @pods masquerade/);
  assert.deepEqual(listNft(ns.netns, 'table inet t'), JSON.parse(ns.exec('nft -j list table inet t')));
});

test('a rule set goes into the namespace that is meant and into no other', () => {
  using one = testNetns('nft');
  using other = testNetns('nft');
  runNft(one.netns, 'table inet only_here\n', 'test');
  assert.match(JSON.stringify(listNft(one.netns, 'tables')), /only_here/);
  assert.doesNotMatch(JSON.stringify(listNft(other.netns, 'tables')), /only_here/);
  assert.doesNotMatch(JSON.stringify(listNft(undefined, 'tables')), /only_here/);
});

test('a text with one wrong line changes nothing, and the refusal names the line', () => {
  using ns = testNetns('nft');
  const text = `${TABLE}table inet t {\n}\nadd rule inet t nochain accept\n`;
  assert.match(
    refusalOf(() => runNft(ns.netns, text, 'policy')),
    /^nftables refused the rule set policy.*line 10: .*No such file or directory: "add rule inet t nochain accept"/s,
  );
  assert.equal(ns.exec('nft list ruleset'), '');
});

test('a syntax error names line, reason and text', () => {
  using ns = testNetns('nft');
  assert.match(
    refusalOf(() => runNft(ns.netns, 'table inet t {\n  chain c { type filter hook nowhere priority 0; }\n}\n', 'x')),
    /line 2: unknown chain hook: "chain c/,
  );
});

test('of many refusals the first are told and the rest counted', () => {
  using ns = testNetns('nft');
  assert.match(
    refusalOf(() => runNft(ns.netns, 'nonsense\n'.repeat(10), 'x')),
    /line 1: .*line 3: .*; and 7 more/,
  );
});

test('a NUL byte does not cut a text short', () => {
  using ns = testNetns('nft');
  assert.match(
    refusalOf(() => runNft(ns.netns, 'table inet t\n\0table inet u\n', 'x')),
    /line 2: /,
  );
  assert.equal(ns.exec('nft list ruleset'), '');
});

test('what is not there is refused when listed', () => {
  using ns = testNetns('nft');
  assert.match(
    refusalOf(() => listNft(ns.netns, 'table inet nosuch')),
    /No such file or directory/,
  );
});

test('a text of a megabyte is loaded', () => {
  using ns = testNetns('nft');
  const elements = Array.from({ length: 60_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  runNft(ns.netns, `table inet t {\n set s { type ipv4_addr; elements = { ${elements.join(', ')} }; }\n}\n`, 'big');
  assert.equal(ns.exec('nft -j list set inet t s').match(/"10\./g)?.length, 60_000);
});

test('no file stays open, whether the text is taken or refused', () => {
  using ns = testNetns('nft');
  runNft(ns.netns, TABLE, 'test');
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 50; i++) {
    runNft(ns.netns, `add element inet t pods { 10.0.0.${i} }\n`, 'test');
    refusalOf(() => runNft(ns.netns, 'nonsense\n', 'test'));
  }
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

/** Message and details of the failure. */
function refusalOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof Failure);
    assert.equal(error.kind, 'nftRefused');
    return `${error.message}\n${error.details}`;
  }
  return assert.fail('not refused');
}
