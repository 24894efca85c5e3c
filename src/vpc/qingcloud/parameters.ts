/** Parameters of an action: `k=v`, lists `k.1=…`, lists of structs `k.1.field=…`. Strict: unknown ones, gaps and other kinds are refused. */
import * as z from 'zod';
import { Problem } from './problem.ts';

type Struct = Record<string, string>;
type Value = string | string[] | Struct[];

/** A whole number. */
export const int = z
  .string()
  .regex(/^\d{1,9}$/, 'is no number')
  .transform(Number);
/** 0 or 1. */
export const flag = z.enum(['0', '1'], 'is neither 0 nor 1').transform((text) => text === '1');
/** Any text. The longest name that is known to be taken: QingCloud's documentation gives no limit. */
export const text = z.string().max(255, 'is longer than 255 characters');
/** An id or a name that must be there. */
export const some = z.string().min(1, 'is empty').max(255, 'is longer than 255 characters');
/** A list with something in it. */
export const list = z.array(some).min(1, 'is empty');

/** Parameters of every list. Those that mean nothing here are taken and not looked at, as QingCloud's own clients send them. */
export const page = {
  limit: int.optional(),
  offset: int.optional(),
  owner: text.optional(),
  verbose: int.optional(),
  project_id: text.optional(),
  search_word: text.optional(),
};

/** What the page is asked for. */
export interface Page {
  readonly limit?: number | undefined;
  readonly offset?: number | undefined;
}

const DEFAULT_LIMIT = 20;
const MOST_LIMIT = 100;

/**
 * The part of the objects on the page, under that key, and how many there are in all: 20 unless asked otherwise, never more than 100. Given oldest first,
 * answered newest first: what is made between two pages shifts the rest.
 */
export function paged<T>(
  key: string,
  objects: readonly T[],
  { limit = DEFAULT_LIMIT, offset = 0 }: Page,
  show: (object: T) => object,
): object {
  const size = limit === 0 ? DEFAULT_LIMIT : Math.min(limit, MOST_LIMIT);
  return {
    [key]: objects
      .toReversed()
      .slice(offset, offset + size)
      .map(show),
    total_count: objects.length,
  };
}

/** The parameters in the shape of the schema. @throws Problem 1100. */
export function parsed<T extends z.ZodType>(schema: T, parameters: ReadonlyMap<string, string>): z.output<T> {
  const result = schema.safeParse(Object.fromEntries(grouped(parameters)));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue?.code === 'unrecognized_keys') throw new Problem('malformed', `parameter [${issue.keys[0] ?? ''}] is not known`);
  const [first = '', ...rest] = issue?.path ?? [];
  const name = [first, ...rest.map((part) => (typeof part === 'number' ? part + 1 : part))].join('.');
  const why = issue?.code === 'invalid_type' ? 'is missing or of another kind' : (issue?.message ?? 'is wrong');
  throw new Problem('malformed', `parameter [${name}] ${why}`);
}

/** Lists and structs put together. */
function grouped(parameters: ReadonlyMap<string, string>): Map<string, Value> {
  const values = new Map<string, Value>();
  const indexed = new Map<string, Map<number, string | Struct>>();
  for (const [key, value] of parameters) {
    const [name = '', index, field, ...more] = key.split('.');
    if (index === undefined) {
      values.set(name, value);
      continue;
    }
    if (!/^[1-9]\d{0,4}$/.test(index) || more.length > 0) throw new Problem('malformed', `parameter [${key}] is not known`);
    const items = indexed.get(name) ?? new Map<number, string | Struct>();
    indexed.set(name, items);
    const item = items.get(Number(index));
    if (field === undefined) items.set(Number(index), item === undefined ? value : mixed(name));
    else items.set(Number(index), { ...(item === undefined ? {} : typeof item === 'string' ? mixed(name) : item), [field]: value });
  }
  for (const [name, items] of indexed) values.set(name, values.has(name) ? mixed(name) : listOf(name, items));
  return values;
}

function listOf(name: string, items: ReadonlyMap<number, string | Struct>): string[] | Struct[] {
  const found = Array.from({ length: items.size }, (_, i) => items.get(i + 1) ?? gap(name));
  const texts = found.filter((item) => typeof item === 'string');
  const structs = found.filter((item) => typeof item !== 'string');
  if (texts.length > 0 && structs.length > 0) return mixed(name);
  return texts.length > 0 ? texts : structs;
}

function gap(name: string): never {
  throw new Problem('malformed', `parameter [${name}.n] is not numbered from 1 on without gaps`);
}

function mixed(name: string): never {
  throw new Problem('malformed', `parameter [${name}] is of two kinds`);
}
