/** Calls and words that have no place, or only some. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { paths, sources, textOf } from './files.ts';

const folder = 'test/tidy/';
const src = sources('src');
const all = [...src, ...sources('test', 'scripts')].filter(([path]) => !path.startsWith(folder));

/** `path:line: text` of every line that matches, in files that `where` takes. Comments count: what is commented out is no better. */
function lines(wanted: RegExp, from: readonly (readonly [string, string])[], where: (path: string) => boolean = () => true): string[] {
  return from
    .filter(([path]) => where(path))
    .flatMap(([path, text]) =>
      text.split('\n').flatMap((line, i) => (wanted.test(line) ? [`${path}:${i + 1}: ${line.trim().slice(0, 120)}`] : [])),
    );
}

test('no process is started by src but by the demo, which plays the runtime, the installer, which asks plugins for their versions, and the plugin of kubectl, which calls kubectl', () => {
  assert.deepEqual(
    lines(
      /'(node:)?child_process'/,
      src,
      (path) => !path.startsWith('src/cli/demo/') && !['src/install/chain-versions.ts', 'src/cli/kubectl/kubectl.ts'].includes(path),
    ),
    [],
  );
});

test('only the command prints, and only the log writes to stderr beside it', () => {
  assert.deepEqual(lines(/\bconsole\.\w+\(/, src), []);
  assert.deepEqual(
    lines(/\bprocess\.(stdout|stderr)\b|\bwriteSync\((1|2),/, src, (path) => !path.startsWith('src/cli/') && path !== 'src/log.ts'),
    [],
  );
});

test('only the command ends the process', () => {
  assert.deepEqual(
    lines(/\bprocess\.(exit|abort|reallyExit)\(/, src, (path) => !path.startsWith('src/cli/')),
    [],
  );
});

test('HTTP is spoken by the drivers of clouds, the clients of the container runtime and the Kubernetes API, the VPC, the demo and the probe alone, never with fetch, which loads undici', () => {
  assert.deepEqual(lines(/\bfetch\(/, src), []);
  const speakers = /^src\/(cloud\/\w+|cri|kube|vpc|cli\/demo)\/|^src\/cli\/probe\.ts$/;
  assert.deepEqual(
    lines(/from '(node:)?(http|https|http2)'/, src, (path) => !speakers.test(path)),
    [],
  );
});

test('only the kernel room enters the native world', () => {
  assert.deepEqual(
    lines(/from '(node:)?ffi'/, src, (path) => !['src/kernel/native.ts', 'src/kernel/nft.ts'].includes(path)),
    [],
  );
});

test('types are not talked away: no any, no cast through unknown, no ts-ignore', () => {
  assert.deepEqual(lines(/\bas any\b|<any>|\bas unknown as\b|@ts-(ignore|nocheck|expect-error)/, src), []);
  const reasoned = lines(/\bas any\b|<any>|@ts-(ignore|nocheck|expect-error)/, all);
  assert.deepEqual(reasoned, []);
});

test('a lint rule is switched off for one line only, with the reason on the line before', () => {
  const bare = all.flatMap(([path, text]) => {
    const rows = text.split('\n');
    return rows.flatMap((row, i) => {
      if (!row.includes('oxlint-disable') && !row.includes('eslint-disable')) return [];
      const reason = /^\s*(\/\/|\*|\/\*\*) *\w/.test(rows[i - 1] ?? '') && !(rows[i - 1] ?? '').includes('lint-disable');
      return row.includes('oxlint-disable-next-line ') && reason ? [] : [`${path}:${i + 1}: ${row.trim()}`];
    });
  });
  assert.deepEqual(bare, []);
});

test('nothing is left to do in a comment', () => {
  const texts = paths.filter((path) => /\.(ts|c|h|nft|sh|md|ya?ml)$|Makefile$/.test(path) && !path.startsWith(folder));
  assert.deepEqual(
    lines(
      /\b(TODO|FIXME|XXX|HACK)\b/,
      texts.map((path) => [path, textOf(path)] as const),
    ),
    [],
  );
});

test('no test runs alone, and one that is skipped says why', () => {
  const tests = all.filter(([path]) => path.startsWith('test/'));
  assert.deepEqual(lines(/\b(test|it|describe|suite)\.(only|todo)\(|\bonly: true|\btodo: /, tests), []);
  assert.deepEqual(lines(/\b(test|it|describe|suite)\.skip\(|\bskip: true|\bt\.skip\(\)/, tests), []);
});

test('the repository names no machine of its makers', () => {
  const texts = paths.filter((path) => /\.(ts|c|h|nft|sh|md|ya?ml|json)$|Makefile$|^bin\//.test(path) && path !== 'package-lock.json');
  assert.deepEqual(
    lines(
      /(^|[\s'"`(=])\/work\/|\.\.\/shared\/|\/tmp\/brief/,
      texts.filter((path) => !path.startsWith(folder)).map((path) => [path, textOf(path)] as const),
    ),
    [],
  );
});
