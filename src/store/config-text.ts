/** A configuration file while it is checked: its YAML documents, where things stand in it, what is wrong. */
import { type Document, isScalar, LineCounter, parseAllDocuments, visit } from 'yaml';
import type * as z from 'zod';
import { type Key, placeOf, type Problem, sayPath } from './config-problem.ts';
import type { Clash } from './cross-checks.ts';
import { remedyForKey } from './known-keys.ts';
import { sayIssue, show } from './say-issue.ts';

/** More mistakes than anyone reads. */
export const LIMIT = 50;
/** As many are looked for at all: finding the place of each takes time. */
const COLLECTED = 10 * LIMIT;
/** Documents of one file. */
const DOCUMENTS = 1000;
/** Nodes that YAML aliases may multiply into: enough for a shared list, too few for a bomb. */
const ALIASES = 100;

/** See the head of this file. */
export class ConfigText {
  readonly documents: readonly Document[];
  readonly problems: Problem[] = [];
  readonly #lines = new LineCounter();
  readonly #origin = new Map<object, Document>();

  constructor(text: string) {
    this.documents = this.#parse(text);
    for (const document of this.documents) {
      const errors = [...document.errors, ...document.warnings];
      const deep = errors.find(({ message }) => isStack(message));
      for (const { message, pos } of deep === undefined ? errors : [deep]) this.#reportAt(pos[0], sayYaml(message), '');
      this.#findTwice(document);
    }
  }

  /** All documents that can be had as plain values. A file without any is reported. */
  *objects(): Generator<{ document: Document; value: unknown; kind: unknown; isFirst: boolean }> {
    if (this.documents.length === 0 && this.problems.length === 0)
      this.report(undefined, [], 'holds no document', 'docs/configuration.md has a complete example');
    for (const document of this.documents) {
      const value = this.valueOf(document);
      if (value !== undefined) yield { document, value, kind: kindOf(value), isFirst: document === this.documents[0] };
    }
  }

  /** The kind of the first document, to tell what the file is. Reports nothing, and follows no alias. */
  firstKind(): unknown {
    return this.documents[0]?.getIn(['kind']);
  }

  /** The document as plain values; undefined when it cannot be had, which is reported. */
  valueOf(document: Document): unknown {
    if (document.errors.length > 0) return undefined;
    try {
      const value: unknown = document.toJS({ maxAliasCount: ALIASES });
      if (value === null) this.report(document, [], 'is an empty document', 'remove the --- that begins it');
      return value ?? undefined;
    } catch (error) {
      // The library throws ReferenceError for aliases beyond the limit or without an anchor.
      this.report(document, [], sayYaml(error instanceof Error ? error.message : String(error)), 'write it out instead of using aliases');
      return undefined;
    }
  }

  /** Adds the object to `into` when the schema finds it right. */
  read<T extends object>(document: Document, value: unknown, schema: z.ZodType<T>, into: T[]): void {
    const result = schema.safeParse(value);
    if (result.success) {
      this.#origin.set(result.data, document);
      into.push(result.data);
      return;
    }
    for (const issue of result.error.issues) {
      // Our schemas have no symbols for keys.
      const path = issue.path.filter((key) => typeof key !== 'symbol');
      if (issue.code === 'unrecognized_keys') {
        for (const key of issue.keys.slice(0, LIMIT))
          this.report(document, [...path, key], 'is not a known key', remedyForKey(schema, path, key), true);
      } else {
        const { what, remedy } = sayIssue(issue, document.hasIn(path) ? valueAt(value, path) : undefined);
        this.report(document, path, what, remedy);
      }
    }
  }

  reportClashes(clashes: readonly Clash<object>[]): void {
    for (const { object, path, what, remedy } of clashes) this.report(this.#origin.get(object), path, what, remedy);
  }

  report(document: Document | undefined, path: readonly Key[], what: string, remedy: string, atKey = false): void {
    if (this.problems.length >= COLLECTED) return;
    const place = document === undefined ? { line: 1, column: 1 } : placeOf(document, this.#lines, path, atKey);
    const where = [objectName(document), sayPath(path)].filter((part) => part !== '').join(': ');
    this.problems.push({ ...place, path: where, what, remedy });
  }

  #reportAt(offset: number, what: string, remedy: string): void {
    const { line, col } = this.#lines.linePos(offset);
    if (this.problems.length < COLLECTED) this.problems.push({ line, column: col, path: '', what, remedy });
  }

  #parse(text: string): Document[] {
    try {
      // Keys that stand twice are found below: the library compares each key with each, minutes for a hostile file.
      const parsed = parseAllDocuments(text, { lineCounter: this.#lines, prettyErrors: false, uniqueKeys: false });
      if (!Array.isArray(parsed)) return [];
      if (parsed.length <= DOCUMENTS) return parsed;
      this.report(undefined, [], `holds ${parsed.length} documents, at most ${DOCUMENTS} are read`, '');
    } catch (error) {
      this.report(undefined, [], sayYaml(error instanceof Error ? error.message : String(error)), '');
    }
    return [];
  }

  #findTwice(document: Document): void {
    if (document.errors.length > 0) return;
    visit(document, {
      Map: (_, map) => {
        const seen = new Set<unknown>();
        for (const { key } of map.items) {
          if (!isScalar(key)) continue;
          if (seen.has(key.value))
            this.#reportAt(key.range?.[0] ?? 0, `the key ${show(key.value)} stands here twice`, 'remove one of them');
          seen.add(key.value);
        }
      },
    });
  }
}

/** The library's words; but a parser that descends is ended by the stack, and that means something to nobody. */
function sayYaml(message: string): string {
  return isStack(message) ? 'YAML: nested too deeply to be read' : `YAML: ${message}`;
}

/** `PodSubnet web`, as far as the document says. */
function objectName(document: Document | undefined): string {
  const [kind, name] = [document?.getIn(['kind']), document?.getIn(['metadata', 'name'])];
  return [kind, name].filter((part) => typeof part === 'string').join(' ');
}

function isStack(message: string): boolean {
  return /stack (size|overflow)/i.test(message);
}

/** What the object says it is. */
function kindOf(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
}

function valueAt(value: unknown, path: readonly Key[]): unknown {
  // Indexing by name is what a path is for; anything but an object ends it.
  return path.reduce<unknown>((at, key) => (typeof at === 'object' && at !== null ? (at as Record<Key, unknown>)[key] : undefined), value);
}
