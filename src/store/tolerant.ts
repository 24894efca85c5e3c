/** Reading what a newer Flatpod wrote. */
import * as z from 'zod';

/**
 * The same schema for what the API server returns: keys it does not know are dropped instead of refused. The server has checked the object already, by the
 * schema of the newest Flatpod installed; a program that is about to be upgraded must go on meanwhile.
 */
export function tolerant<T extends z.ZodType>(schema: T): z.ZodPreprocess<T> {
  return z.preprocess((value) => withoutUnknown(schema, value), schema);
}

function withoutUnknown(schema: z.ZodType, value: unknown): unknown {
  const unknown = schema.safeParse(value).error?.issues.filter((issue) => issue.code === 'unrecognized_keys') ?? [];
  if (unknown.length === 0) return value;
  const copy: unknown = structuredClone(value);
  for (const { path, keys } of unknown) {
    // The issue is about a mapping at that path, which the copy therefore has.
    const at = path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown>)[key], copy) as Record<string, unknown>;
    for (const key of keys) delete at[key];
  }
  return copy;
}
