/** What a user's file holds: values, and where each of them stands. */
import { isScalar, LineCounter, parseAllDocuments, type Document as YamlDocument } from 'yaml';
import { type Key, placeOf } from '../store/config-problem.ts';
import { JsonMistake, readJson } from './json-places.ts';

/** One document of a file, or of a text within one. */
export interface Document {
  /** As the user named it. */
  readonly file: string;
  readonly value: unknown;
  /** The line of a key or member, from 1: of the nearest thing around it that is there. */
  lineOf(path: readonly Key[]): number;
  /** The line a text's own first line stands on, and whether its lines are lines of the file. */
  readonly textAt: (path: readonly Key[]) => { readonly line: number; readonly isSpread: boolean };
}

/** Something that keeps a file from being read whole. */
export interface Mistake {
  readonly file: string;
  readonly line: number;
  /** The key, empty for the file as a whole. */
  readonly key: string;
  readonly what: string;
  readonly remedy: string;
}

/** Nodes that YAML aliases may multiply into. */
const ALIASES = 100;
/** YAML is read at about a mebibyte a second, and this much is a minute's patience; JSON has no such bound. */
const LARGEST_YAML = 8 * 1024 * 1024;

/** Documents of a text, or the mistakes for which it cannot be read. What begins with a brace or bracket is JSON, all else YAML. */
export function documentsIn(file: string, text: string): Document[] | { readonly mistakes: Mistake[] } {
  return /^\s*[{[]/.test(text) ? ofJson(file, text) : ofYaml(file, text);
}

/** The documents of a text that stands within another as a value, such as a file in a ConfigMap. */
export function documentsWithin(outer: Document, path: readonly Key[], text: string): ReturnType<typeof documentsIn> {
  const { line, isSpread } = outer.textAt(path);
  const lift = (inner: number): number => (isSpread ? line + inner - 1 : line);
  const read = documentsIn(outer.file, text);
  if ('mistakes' in read) return { mistakes: read.mistakes.map((mistake) => ({ ...mistake, line: lift(mistake.line) })) };
  return read.map((inner) => ({
    ...inner,
    lineOf: (at) => lift(inner.lineOf(at)),
    textAt: (at) => {
      const found = inner.textAt(at);
      return { line: lift(found.line), isSpread: isSpread && found.isSpread };
    },
  }));
}

function ofJson(file: string, text: string): ReturnType<typeof documentsIn> {
  const lineAt = linesOf(text);
  try {
    const read = readJson(text);
    const mistakes = read.twice.map(({ key, at }) => twice(file, lineAt(at), key));
    if (mistakes.length > 0) return { mistakes };
    const lineOf = (path: readonly Key[]): number => {
      let [value, line] = [read.value, lineAt(text.search(/\S/))];
      for (const key of path) {
        if (typeof value !== 'object' || value === null) break;
        const place = read.placeOf(value, key);
        if (place === undefined) break;
        line = lineAt(place);
        // The place is known, so the key is there.
        value = (value as Record<Key, unknown>)[key];
      }
      return line;
    };
    return [{ file, value: read.value, lineOf, textAt: (path) => ({ line: lineOf(path), isSpread: false }) }];
  } catch (error) {
    if (!(error instanceof JsonMistake)) throw error;
    return { mistakes: [{ file, line: lineAt(error.at), key: '', what: `is no JSON: ${error.message}`, remedy: 'make the dump again' }] };
  }
}

function ofYaml(file: string, text: string): ReturnType<typeof documentsIn> {
  const whole = (what: string, remedy: string): { mistakes: Mistake[] } => ({ mistakes: [{ file, line: 1, key: '', what, remedy }] });
  if (text.length > LARGEST_YAML)
    return whole(`is YAML of ${text.length} characters`, 'make the dump as JSON (-o json), which is read faster');
  const lines = new LineCounter();
  const parsed = parsedYaml(text, lines);
  if (typeof parsed === 'string') return whole(`is no YAML: ${parsed}`, '');
  const mistakes = parsed.flatMap(({ errors, warnings }) =>
    [...errors, ...warnings].map(({ message, pos, code }) => {
      const { line } = lines.linePos(pos[0]);
      const repeated = code === 'DUPLICATE_KEY';
      return repeated ? twice(file, line, keyAt(text, pos[0])) : { file, line, key: '', what: `is no YAML: ${message}`, remedy: '' };
    }),
  );
  if (mistakes.length > 0) return { mistakes };
  try {
    const found = parsed.flatMap((document) => {
      const value: unknown = document.toJS({ maxAliasCount: ALIASES });
      return value === null ? [] : [fromYaml(file, document, value, lines)];
    });
    return found.length > 0 ? found : whole('is empty', 'give the file that has something in it');
  } catch (error) {
    // The library throws for aliases beyond the limit or without an anchor.
    return whole(`is no YAML: ${error instanceof Error ? error.message : String(error)}`, 'write it out instead of using aliases');
  }
}

function parsedYaml(text: string, lineCounter: LineCounter): readonly YamlDocument[] | string {
  try {
    const parsed = parseAllDocuments(text, { lineCounter, prettyErrors: false });
    return Array.isArray(parsed) ? parsed : [];
  } catch (error) {
    // A parser that descends is ended by the stack.
    return error instanceof RangeError ? 'nested too deeply' : String(error);
  }
}

function fromYaml(file: string, document: YamlDocument, value: unknown, lines: LineCounter): Document {
  return {
    file,
    value,
    lineOf: (path) => placeOf(document, lines, path, typeof path.at(-1) === 'string').line,
    textAt: (path) => {
      const node: unknown = path.length === 0 ? document.contents : document.getIn(path, true);
      const { line } = placeOf(document, lines, path);
      // A block's text begins on the line after its | (YAML 1.2.2, section 8.1.2).
      return isScalar(node) && node.type === 'BLOCK_LITERAL' ? { line: line + 1, isSpread: true } : { line, isSpread: false };
    },
  };
}

function twice(file: string, line: number, key: string): Mistake {
  return { file, line, key, what: 'stands there twice', remedy: 'remove one of them' };
}

function keyAt(text: string, at: number): string {
  return /^["']?([^"':\n]*)/.exec(text.slice(at, at + 100))?.[1] ?? '';
}

/** The line of a character, from 1. */
function linesOf(text: string): (at: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (at) => {
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((starts[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}
