/** What files say about themselves, and what they offer to others. */
import assert from 'node:assert/strict';
import { basename, dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { paths, sources, textOf } from './files.ts';

const src = sources('src');
const all = [...src, ...sources('test', 'scripts', 'bench')];
const declaration = /^export (?:declare )?(?:abstract )?(?:async )?(?:const|let|function\*?|class|interface|type|enum) (\w+)/;

interface Export {
  readonly path: string;
  readonly name: string;
  /** From 0. */
  readonly line: number;
}

const exported: readonly Export[] = all.flatMap(([path, text]) =>
  text.split('\n').flatMap((line, i) => {
    const name = declaration.exec(line)?.[1];
    return name === undefined ? [] : [{ path, name, line: i }];
  }),
);

test('every file of ours begins with a comment that says what it is', () => {
  const silent = all.filter(([, text]) => !/^(#!.*\n)?\/\*\*/.test(text)).map(([path]) => path);
  const others = paths.filter((path) => /^(src|scripts|bin)\/.*\.(c|h|nft|sh)$|^bin\//.test(path));
  const silentToo = others.filter((path) => !/^(#!.*\n)?(\/\*|#)/.test(textOf(path)));
  assert.deepEqual([...silent, ...silentToo], []);
});

test('everything that src exports has its docstring right above it', () => {
  const silent = exported.filter(({ path, line }) => path.startsWith('src/') && !isDocumented(linesOf(path), line));
  assert.deepEqual(
    silent.map(({ path, name, line }) => `${path}:${line + 1} ${name}`),
    [],
  );
});

/** Declarations without a blank line between them are one paragraph, which the docstring at its head is for: overloads, constants of a kind. */
function isDocumented(lines: readonly string[], at: number): boolean {
  let first = at;
  while (/^(export|const|type) .*;( \/\/.*)?$/.test(lines[first - 1] ?? '')) first--;
  return (lines[first - 1] ?? '').endsWith('*/');
}

test('nothing is exported in other ways: no default exports, no re-exports', () => {
  const odd = all.flatMap(([path, text]) => [...text.matchAll(/^export (?:default|\{|\*).*/gm)].map(([line]) => `${path}: ${line}`));
  assert.deepEqual(odd, []);
});

test('every export is used by another file, or stands in the signature of another export', () => {
  const used = new Set(all.flatMap(([path, text]) => [...importsOf(path, text)]));
  const dead = exported.filter(({ path, name, line }) => !used.has(`${path} ${name}`) && !isInSignature(path, name, line));
  assert.deepEqual(
    dead.map(({ path, name, line }) => `${path}:${line + 1} ${name}`),
    [],
  );
});

test('no file and no export is called manager, helper, util or factory', () => {
  const banned = /manager|helper|util|factory|factories/i;
  const names = [
    ...paths.filter((path) => /^(src|test|scripts)\//.test(path)).map((path) => basename(path)),
    ...exported.map(({ name }) => name),
  ];
  assert.deepEqual(
    names.filter((name) => banned.test(name)),
    [],
  );
});

/** `path name` of everything the file takes from others of ours, statically or by import(). */
function* importsOf(path: string, text: string): Generator<string> {
  for (const [, names = '', from = ''] of text.matchAll(/^import (?:type )?\{([^}]*)\} from '(\.[^']+)'/gm))
    for (const name of names.split(','))
      yield `${pathFrom(path, from)} ${name
        .replace(/\btype\b/, '')
        .trim()
        .split(' as ')[0]
        ?.trim()}`;
  for (const [, alias = '', from = ''] of text.matchAll(/^import (?:type )?\* as (\w+) from '(\.[^']+)'/gm))
    for (const [, name] of text.matchAll(new RegExp(`\\b${alias}\\.(\\w+)`, 'g'))) yield `${pathFrom(path, from)} ${name}`;
  for (const [, from = '', name] of text.matchAll(/\(await import\('(\.[^']+)'\)\)\.(\w+)/g)) yield `${pathFrom(path, from)} ${name}`;
  for (const [, names = '', from = ''] of text.matchAll(/\{ ([^}]*) \} = await import\('(\.[^']+)'\)/g))
    for (const name of names.split(',')) yield `${pathFrom(path, from)} ${name.trim()}`;
  for (const [, from = '', name] of text.matchAll(/\bimport\('(\.[^']+)'\)\.(\w+)/g)) yield `${pathFrom(path, from)} ${name}`;
}

function pathFrom(path: string, target: string): string {
  return normalize(join(dirname(path), target));
}

/** Whether the file mentions the type in another type, in a class, or in the head of an exported function: callers meet it without naming it. */
function isInSignature(path: string, name: string, line: number): boolean {
  const lines = linesOf(path);
  if (!/^export (?:interface|type) /.test(lines[line] ?? '')) return false;
  const word = new RegExp(`\\b${name}\\b`);
  return lines.some((head, at) => at !== line && /^(?:export |interface |type )/.test(head) && word.test(declarationAt(lines, at)));
}

/** A declaration from its first line on: of functions the head, of all else everything. The formatter sees to it that nothing inside begins in column 0. */
function declarationAt(lines: readonly string[], from: number): string {
  const rest = lines.slice(from + 1);
  const end = rest.findIndex((line) => !/^(?:\s|$)/.test(line)) + 1;
  const isFunction = / function/.test(lines[from] ?? '');
  const isWhole = isFunction && (lines[from] ?? '').endsWith('{');
  return lines.slice(from, isWhole ? from + 1 : from + 1 + end).join('\n');
}

const split = new Map<string, readonly string[]>();
function linesOf(path: string): readonly string[] {
  const lines = split.get(path) ?? textOf(path).split('\n');
  split.set(path, lines);
  return lines;
}
