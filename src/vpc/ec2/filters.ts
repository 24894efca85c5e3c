/** Filters of describing calls: all must hold, each by any of its values; `*` and `?` stand for characters, a backslash takes their meaning away. */
import type { Tags } from '../../cloud/cloud.ts';
import type { Parameters } from './parameters.ts';
import { invalid, Refused } from './refused.ts';

const MOST_FILTERS = 50;
const MOST_VALUES = 200;

/** One filter as it was asked for. */
export interface Filter {
  readonly name: string;
  readonly values: readonly string[];
}

type Value = string | undefined;

/** What an object has under each filter's name: one value or several. `tag:<key>` and `tag-key` need no entry. */
export type Fields<T> = Readonly<Record<string, (object: T) => Value | readonly Value[]>>;

/** @throws Refused FilterLimitExceeded, MissingParameter. */
export function filtersOf(parameters: Parameters): Filter[] {
  const filters = parameters.items('Filter').map((one) => ({ name: one.needed('Name'), values: one.texts('Value') }));
  if (filters.length > MOST_FILTERS || filters.some(({ values }) => values.length > MOST_VALUES))
    throw new Refused('FilterLimitExceeded', `At most ${MOST_FILTERS} filters with ${MOST_VALUES} values each may be given`);
  for (const { name, values } of filters) if (values.length === 0) throw invalid(`The filter '${name}' must have at least one value`);
  return filters;
}

/** Those objects that all filters let through. @throws Refused InvalidParameterValue for a filter that there is not. */
export function filtered<T extends object>(objects: readonly T[], filters: readonly Filter[], fields: Fields<T>): T[] {
  const tests = filters.map(({ name, values }) => {
    const patterns = values.map(patternOf);
    const read = readerOf(name, fields);
    return (object: T): boolean => {
      const found = read(object);
      const all = typeof found === 'object' ? found : [found];
      return all.some((value) => value !== undefined && patterns.some((one) => one.test(value)));
    };
  });
  return objects.filter((object) => tests.every((holds) => holds(object)));
}

function readerOf<T extends object>(name: string, fields: Fields<T>): Fields<T>[string] {
  if (name === 'tag-key') return (object) => Object.keys(tagsOf(object));
  const key = /^tag:(.+)$/s.exec(name)?.[1];
  if (key !== undefined) return (object) => tagsOf(object)[key];
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (field === undefined) throw invalid(`The filter '${name}' is invalid`);
  return field;
}

/** Types and zones have no tags. */
function tagsOf(object: { readonly tags?: Tags }): Tags {
  return object.tags ?? {};
}

/** EC2's wildcards as a pattern. */
function patternOf(value: string): RegExp {
  const source = value.replace(/\\([*?\\])|([*?])|[.+^${}()|[\]\\]/g, (sign, plain?: string, wild?: string) => {
    if (plain !== undefined) return `\\${plain}`;
    if (wild !== undefined) return wild === '*' ? '.*' : '.';
    return `\\${sign}`;
  });
  return new RegExp(`^${source}$`, 's');
}
