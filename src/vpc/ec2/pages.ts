/** Pages of describing calls: MaxResults and NextToken. A token belongs to one request, and ids go with no pages. */
import { createHash } from 'node:crypto';
import type { Filter } from './filters.ts';
import type { Parameters } from './parameters.ts';
import { invalid, notTogether } from './refused.ts';

/** The page that is asked for. */
export interface Page {
  readonly most: number | undefined;
  readonly token: string | undefined;
}

/** @throws Refused InvalidParameterValue; InvalidParameterCombination when ids are given too. */
export function pageIn(parameters: Parameters, ids: readonly string[], most = 1000): Page {
  const page = { most: parameters.whole('MaxResults', 5, most), token: parameters.text('NextToken') };
  if (ids.length > 0 && page.most !== undefined) throw notTogether('The parameters for ids cannot be used with the parameter MaxResults');
  return page;
}

/** The objects of the page, in the order of their ids, and the token for the next. @throws Refused InvalidParameterValue. */
export function paged<T extends { readonly id: string }>(
  objects: readonly T[],
  { most, token }: Page,
  filters: readonly Filter[],
): { items: T[]; nextToken: string | undefined } {
  const digest = createHash('sha256').update(JSON.stringify(filters)).digest('base64url').slice(0, 12);
  const after = token === undefined ? '' : afterIn(token, digest);
  const rest = objects.filter(({ id }) => id > after).sort((a, b) => (a.id < b.id ? -1 : 1));
  const items = rest.slice(0, most ?? rest.length);
  const last = items.at(-1);
  return {
    items,
    nextToken: last === undefined || items.length === rest.length ? undefined : Buffer.from(`${digest} ${last.id}`).toString('base64url'),
  };
}

function afterIn(token: string, digest: string): string {
  const [whose, after] = Buffer.from(token, 'base64url').toString().split(' ');
  if (whose !== digest || after === undefined) throw invalid('Unable to parse pagination token');
  return after;
}
