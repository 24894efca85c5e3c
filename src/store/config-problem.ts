/** What is wrong with a configuration, where it stands in the file, and what to do about it. */
import { isCollection, isMap, isPair, isScalar, type Document, type LineCounter, type Node } from 'yaml';

/** One mistake in a configuration file. */
export interface Problem {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** The object and the field, as in `PodSubnet web: spec.warm.spare`; empty for the file as a whole. */
  readonly path: string;
  readonly what: string;
  readonly remedy: string;
}

/** One line: `12:5 PodSubnet web: spec.warm.spare: must be at least 0, not -1; …`. */
export function sayProblem({ line, column, path, what, remedy }: Problem): string {
  return `${line}:${column} ${path === '' ? '' : `${path}: `}${what}${remedy === '' ? '' : `; ${remedy}`}`;
}

/** A key of a mapping or an index of a sequence. */
export type Key = string | number;

/** `spec.exclude[2]`; long keys are cut. */
export function sayPath(path: readonly Key[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return (text === '' ? '' : `${text}.`) + key.slice(0, 64);
  }, '');
}

/** Where a field stands: its value, or its key when the mistake is the key; the nearest thing around it that is there when it is missing. */
export function placeOf(document: Document, lines: LineCounter, path: readonly Key[], atKey = false): { line: number; column: number } {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = nodeAt(document, path.slice(0, depth), atKey && depth === path.length);
    const start = node?.range?.[0];
    if (start === undefined) continue;
    const { line, col } = lines.linePos(start);
    return { line, column: col };
  }
  const { line, col } = lines.linePos(document.range?.[0] ?? 0);
  return { line: Math.max(line, 1), column: Math.max(col, 1) };
}

function nodeAt(document: Document, path: readonly Key[], key: boolean): Node | undefined {
  if (path.length === 0) return document.contents ?? undefined;
  if (!key) {
    const node: unknown = document.getIn(path, true);
    // getIn with keepScalar gives nodes only; the library types it as unknown.
    return isScalar(node) || isCollection(node) ? node : undefined;
  }
  const parent: unknown = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
  const last = path.at(-1);
  if (!isMap(parent)) return undefined;
  const pair = parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === last);
  return isScalar(pair?.key) ? pair.key : undefined;
}
