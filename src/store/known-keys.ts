/** The keys our objects have, read from their schemas: to say what somebody who mistyped one may have meant. */
import * as z from 'zod';
import type { Key } from './config-problem.ts';

/** The part of JSON Schema that our schemas turn into. */
interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly items?: Shape;
  readonly oneOf?: readonly Shape[];
}

/** What to do about a key that the mapping at `path` does not have. */
export function remedyForKey(schema: z.ZodType, path: readonly Key[], key: string): string {
  // Written by zod for our own schemas; only the three fields above are read.
  const root = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape;
  const here = keysOf(shapeAt(root, path));
  const near = nearest(key, here);
  if (near !== undefined) return `did you mean ${near}?`;
  const elsewhere = [...everyPath(root, '')].find(([, name]) => name === key);
  if (elsewhere !== undefined) return `it belongs to ${elsewhere[0] === '' ? 'the top level' : elsewhere[0]}`;
  return here.length === 0 ? 'remove it' : `remove it; known here: ${here.join(', ')}`;
}

/** The candidate that differs by the fewest edits, if they are few for its length. */
export function nearest(text: string, candidates: readonly string[]): string | undefined {
  const scored = candidates.map((candidate) => ({ candidate, edits: editsBetween(text.toLowerCase(), candidate.toLowerCase()) }));
  const best = scored.toSorted((a, b) => a.edits - b.edits)[0];
  return best !== undefined && best.edits <= Math.max(1, Math.floor(best.candidate.length / 3)) ? best.candidate : undefined;
}

/** Levenshtein's distance. Both texts are cut at 64 characters: a file may hold keys of any length. */
function editsBetween(one: string, other: string): number {
  const [a, b] = [one.slice(0, 64), other.slice(0, 64)];
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function shapeAt(shape: Shape | undefined, path: readonly Key[]): Shape | undefined {
  const [key, ...rest] = path;
  if (shape === undefined || key === undefined) return shape;
  if (typeof key === 'number') return shapeAt(shape.items, rest);
  const inner = [shape, ...(shape.oneOf ?? [])].map(({ properties }) => properties?.[key]).find((found) => found !== undefined);
  return shapeAt(inner, rest);
}

function keysOf(shape: Shape | undefined): string[] {
  return [...new Set([shape, ...(shape?.oneOf ?? [])].flatMap((each) => Object.keys(each?.properties ?? {})))];
}

/** Each key of the schema with the path of the mapping it stands in. */
function* everyPath(shape: Shape, at: string): Generator<[where: string, key: string]> {
  for (const each of [shape, ...(shape.oneOf ?? [])]) {
    for (const [key, inner] of Object.entries(each.properties ?? {})) {
      yield [at, key];
      yield* everyPath(inner, at === '' ? key : `${at}.${key}`);
    }
  }
}
