/**
 * Lists in pages. A page is never more than 100, whatever is asked, and a list may change between two of them: what is listed is keyed, and read once more
 * when there was less than was promised, or the promise changed: what goes between two pages has another skipped.
 */
import { count, list, Mismatch, object, type Read } from '../wire/shape.ts';

/** A page as it is answered. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly total: number;
}

/** What one page may have. */
export const PAGE = 100;
/** A server that always promises more must not keep us for ever. */
const MOST_PAGES = 500;

/** All of a list, each once. @throws Mismatch when it does not end, and what `page` throws */
export async function allPages<T>(keyOf: (item: T) => string, page: (offset: number) => Promise<Page<T>>): Promise<T[]> {
  const found = new Map<string, T>();
  const { total, isSteady } = await through(keyOf, page, found);
  if (found.size < total || !isSteady) await through(keyOf, page, found);
  return [...found.values()];
}

/** Once through. Answers with how many there should be, and whether all pages said so. */
async function through<T>(
  keyOf: (item: T) => string,
  page: (offset: number) => Promise<Page<T>>,
  found: Map<string, T>,
): Promise<{ readonly total: number; readonly isSteady: boolean }> {
  const totals = new Set<number>();
  for (let [offset, pages] = [0, 0]; pages < MOST_PAGES; pages++) {
    const { items, total } = await page(offset);
    totals.add(total);
    for (const item of items) found.set(keyOf(item), item);
    offset += items.length;
    if (items.length === 0 || offset >= total) return { total, isSteady: totals.size === 1 };
  }
  throw new Mismatch(`more than ${MOST_PAGES} pages`);
}

/** The page of the answer's list of that name. */
export function pageOf<T>(set: string, read: Read<T>): Read<Page<T>> {
  return (value, at) => {
    const from = object(value, at);
    // An empty list may be left out.
    const items = from[set] === undefined || from[set] === null ? [] : list(read)(from[set], `${at}.${set}`);
    return { items, total: from['total_count'] === undefined ? items.length : count(from['total_count'], `${at}.total_count`) };
  };
}
