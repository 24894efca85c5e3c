/** The catalogue itself: codes, sentences, and that nothing in it is dead or unproven. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { areas, catalogue } from '../../src/errors/catalogue.ts';
import type { ErrorEntry } from '../../src/errors/entry.ts';
import { asFailure, failure, sentence } from '../../src/errors/failure.ts';
import { paths, sources, textOf } from '../tidy/files.ts';

const entries: readonly (readonly [string, ErrorEntry])[] = Object.entries(catalogue);
const texts = ({ message, details, hint }: ErrorEntry) => [message, details, hint];

/** Codes that the CNI specification or libcni gives a meaning. */
const spoken = new Set([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 50, 51, 999]);

test('every code is given once, lies in the range of its area, and is 100 or more', () => {
  const seen = new Map<number, string>();
  for (const { title, ranges, entries: own } of areas) {
    for (const [name, { code }] of Object.entries(own)) {
      assert.equal(seen.get(code), undefined, `${name} has the code of ${seen.get(code)}`);
      seen.set(code, name);
      assert.ok(code >= 100 && ranges.some(([first, last]) => first <= code && code <= last), `${name}: FP${code} is not of ${title}`);
    }
  }
  assert.equal(seen.size, entries.length, 'an entry belongs to no area, or two have one name');
});

test('ranges of areas do not overlap', () => {
  const ranges = areas.flatMap((area) => area.ranges).toSorted(([a], [b]) => a - b);
  for (const [i, [first, last]] of ranges.entries()) assert.ok(first <= last && first > (ranges[i - 1]?.[1] ?? 99), `${first}–${last}`);
});

test('on the wire an error has a code of the specification, or its own', () => {
  assert.deepEqual(
    entries.filter(([, { code, cni }]) => cni !== code && !spoken.has(cni)).map(([name]) => name),
    [],
  );
});

test('every message and hint says something; sentences have no end, no blanks to spare, and their braces match', () => {
  const wrong: string[] = [];
  for (const [name, entry] of entries) {
    if (entry.message === '' || entry.hint === '') wrong.push(`${name}: empty`);
    for (const text of texts(entry)) {
      if (/^\s|\s$|\s{2}|[.;:,]$|\n/.test(text)) wrong.push(`${name}: ${text}`);
      if (/[{}]/.test(text.replaceAll(/\{[a-z]\w*\}/gi, ''))) wrong.push(`${name}: braces in ${text}`);
    }
    if (/^[A-Z][a-z]/.test(entry.message.replace(/^(Flatpod|DEL|CHECK)\b/, ''))) wrong.push(`${name}: begins with a capital`);
  }
  assert.deepEqual(wrong, []);
});

test('the three sentences are filled with the facts, a fact without a value stays visible, and what is no failure becomes FP999', () => {
  const failed = failure('addressCooling', { address: '10.0.0.1', pod: 'default/web', seconds: 7 }, new Error('why'));
  assert.equal(failed.message, 'the address 10.0.0.1 asked for by default/web was freed a moment ago');
  assert.match(sentence(failed), /^.* moment ago \(FP132\): it rests for 7 s more, .*; try again /);
  assert.ok(failed.cause instanceof Error);
  assert.equal(asFailure(failed), failed);
  assert.deepEqual([asFailure('boom').code, asFailure(new RangeError('x')).message], [999, 'Flatpod made a mistake: x']);
  assert.equal(sentence(failure('socketTaken', { socket: '{text}' })).startsWith('another agent answers on {text} (FP128)'), true);
});

test('every entry is used by the sources', () => {
  const used = sources('src')
    .filter(([path]) => !path.startsWith('src/errors/areas/'))
    .map(([, text]) => text)
    .join('\n');
  const executable = paths
    .filter((path) => /^src\/cni\/.*\.c$/.test(path))
    .map(textOf)
    .join('\n');
  const dead = entries.filter(([name, { code }]) => !used.includes(`'${name}'`) && !executable.includes(`fail(${code},`));
  assert.deepEqual(
    dead.map(([name, { code }]) => `FP${code} ${name}`),
    [],
  );
});

test('every entry is met by a test', () => {
  // Not this folder's tests of the catalogue as such: what is asked for is the situation that leads to the error.
  const tests = sources('test')
    .filter(([path]) => !path.startsWith('test/tidy/') && path !== 'test/errors/catalogue.test.ts')
    .map(([, text]) => text)
    .join('\n');
  const unmet = entries.filter(
    ([name, { code }]) => !new RegExp(`['"\`]${name}['"\`]|\\bFP${code}\\b|\\bcode\\b.{0,16}\\b${code}\\b|\\.code, ${code}\\b`).test(tests),
  );
  assert.deepEqual(
    unmet.map(([name, { code }]) => `FP${code} ${name}`),
    [],
  );
});
