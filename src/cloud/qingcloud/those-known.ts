/** Lists for ids of which the cloud may not know all. */
import { isFailure } from '../../errors/failure.ts';

const MOST_IDS = 100;

/** What the ids stand for, a hundred at a time. A cloud that refuses all for one that it does not know is asked one by one. */
export async function thoseKnown<K extends string, T>(ids: readonly K[], read: (some: readonly K[]) => Promise<T[]>): Promise<T[]> {
  const found: T[] = [];
  for (let from = 0; from < ids.length; from += MOST_IDS) {
    const some = ids.slice(from, from + MOST_IDS);
    try {
      found.push(...(await read(some)));
    } catch (error) {
      if (!isFailure(error, 'cloudNotFound')) throw error;
      if (some.length > 1) for (const id of some) found.push(...(await thoseKnown([id], read)));
    }
  }
  return found;
}
