/** A whole list out of its pages. */
import * as z from 'zod';
import { isFailure } from '../errors/failure.ts';
import { garbled, parsed } from './answers.ts';
import type { Asked, Listed, ListOptions } from './asked.ts';
import type { Query, Selection } from './paths.ts';

/** As client-go has it: an answer of some megabytes at most. */
const PAGE = 500;
/** A server that always has one more must not keep us for ever. */
const MOST_PAGES = 2000;

const pageSchema = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  // Go writes an empty list as null.
  items: z.array(z.unknown()).nullable(),
});

/**
 * Reads page by page; all pages are of the moment of the first. When the server has forgotten that moment in between, the list is read again in one piece.
 * A version that the server does not have yet, as after a change of servers, is waited for by the server a while; then the newest is taken.
 */
export async function listAll<T>(
  page: (query: Query) => Promise<unknown>,
  parse: (item: unknown) => T,
  { fieldSelector, labelSelector, notOlderThan }: Selection & ListOptions,
  asked: Asked,
): Promise<Listed<T>> {
  const selection = { fieldSelector, labelSelector };
  const from = notOlderThan === undefined ? {} : { resourceVersion: notOlderThan, resourceVersionMatch: 'NotOlderThan' };
  try {
    return await pages(page, parse, { ...selection, ...from }, asked);
  } catch (error) {
    if (isFailure(error, 'kubeExpired')) return await pages(page, parse, { ...selection, limit: undefined }, asked);
    if (notOlderThan !== undefined && isFailure(error, 'kubeFailing')) return await pages(page, parse, selection, asked);
    throw error;
  }
}

async function pages<T>(
  page: (query: Query) => Promise<unknown>,
  parse: (item: unknown) => T,
  first: Query,
  asked: Asked,
): Promise<Listed<T>> {
  const items: T[] = [];
  let query: Query = { limit: PAGE, ...first };
  for (let read = 0; read < MOST_PAGES; read++) {
    const { metadata, items: some } = parsed(await page(query), (value) => pageSchema.parse(value), asked);
    for (const item of some ?? []) items.push(parse(item));
    if (metadata.continue === undefined || metadata.continue === '') return { items, resourceVersion: metadata.resourceVersion };
    // A token says which moment; a version beside it is refused.
    const { resourceVersion: _version, resourceVersionMatch: _match, ...rest } = query;
    query = { ...rest, continue: metadata.continue };
  }
  throw garbled(`more than ${MOST_PAGES} pages`, asked);
}
