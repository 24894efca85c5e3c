/** A filter's conditions, and whether an interface meets them: a driver believes no list that brings others. */
import type { CloudNic, NicFilter } from './cloud.ts';

/** A condition's values, one or several. */
export function severalOf<T extends string>(values: T | readonly T[] | undefined): readonly T[] {
  if (values === undefined) return [];
  return typeof values === 'string' ? [values] : values;
}

/** Whether the filter selects it. */
export function selects(filter: NicFilter): (nic: CloudNic) => boolean {
  const ids = filter.ids === undefined ? undefined : new Set(filter.ids);
  const instances = filter.instance === undefined ? undefined : new Set<string | undefined>(severalOf(filter.instance));
  const tags = Object.entries(filter.tags ?? {}).map(([key, values]) => [key, new Set<string | undefined>(severalOf(values))] as const);
  return (nic) =>
    (ids?.has(nic.id) ?? true) &&
    (instances?.has(nic.attachment?.instance) ?? true) &&
    tags.every(([key, values]) => values.has(nic.tags[key]));
}
