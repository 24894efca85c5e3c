/** Files and functions that fit a head. */
import assert from 'node:assert/strict';
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { paths, root, sources } from './files.ts';

const LINES = 300;
const FUNCTION_LINES = 70;
const BYTES = 500 * 1024;

/** Tests may be longer than sources; they are one topic a file all the same. */
const everywhere = sources('src', 'scripts');

test(`no source file has more than ${LINES} lines`, () => {
  const long = everywhere.map(([path, text]) => [path, text.split('\n').length - 1] as const).filter(([, lines]) => lines > LINES);
  assert.deepEqual(long, []);
});

test(`no function has more than ${FUNCTION_LINES} lines`, () => {
  const long = everywhere.flatMap(([path, text]) =>
    [...functionsIn(text)].filter(({ lines }) => lines > FUNCTION_LINES).map(({ at, lines }) => `${path}:${at} has ${lines} lines`),
  );
  assert.deepEqual(long, []);
});

test('the search for functions sees what it should', () => {
  const text = [
    'function a(',
    '  b: string,',
    '): void {',
    '  if (b) {',
    '    c();',
    '  }',
    '  const d = () => {',
    '    c();',
    '  };',
    '}',
  ].join('\n');
  assert.deepEqual(
    [...functionsIn(text)],
    [
      { at: 3, lines: 8 },
      { at: 7, lines: 3 },
    ],
  );
});

test('no file of the repository has more than 500 KiB', () => {
  assert.deepEqual(
    paths.filter((path) => (lstatSync(join(root, path), { throwIfNoEntry: false })?.size ?? 0) > BYTES),
    [],
  );
});

/** Each function with a body of several lines, by the line its body begins on. The formatter sees to it that a body ends at the indent it began with. */
function* functionsIn(text: string): Generator<{ readonly at: number; readonly lines: number }> {
  const lines = text.split('\n');
  for (const [i, line] of lines.entries()) {
    if (!/(=>|\)(: .+)?) \{$/.test(line) || /^\s*(\} )?(if|else|for|while|switch|catch)\b/.test(line)) continue;
    const end = `${/^\s*/.exec(line)?.[0] ?? ''}}`;
    const length = lines.slice(i).findIndex((later) => later.startsWith(end)) + 1;
    if (length > 0) yield { at: i + 1, lines: length };
  }
}
