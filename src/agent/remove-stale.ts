/** What GC does with attachments that the runtime no longer knows, whichever plugin made them. */
import { asFailure, failure, sentence } from '../errors/failure.ts';

/** Removes one after the other; goes on after a failure, and reports all of them together. `nameOf`: for the error. @throws Failure gcIncomplete. */
export async function removeStale<T>(stale: readonly T[], nameOf: (one: T) => string, remove: (one: T) => Promise<void>): Promise<void> {
  const errors: string[] = [];
  for (const one of stale) {
    try {
      await remove(one);
    } catch (error) {
      errors.push(`${nameOf(one)}: ${sentence(asFailure(error))}`);
    }
  }
  if (errors.length > 0) throw failure('gcIncomplete', { failed: errors.length, stale: stale.length, errors: errors.join('; ') });
}
