/** Files that an ipam section names. */
import { readFileSync, statSync } from 'node:fs';
import { failure } from '../../errors/failure.ts';

/** A resolver's or whereabouts' configuration has a few hundred bytes; anything this long is something else. */
const LONGEST = 1 << 20;

/** The text of the file; undefined when there is none. @throws Failure ipamFileUnreadable. */
export function readText(path: string): string | undefined {
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    if (there === undefined) return undefined;
    if (!there.isFile() || there.size > LONGEST) throw new Error(`it is no file of at most ${LONGEST} bytes`);
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw failure('ipamFileUnreadable', { path, reason: cause instanceof Error ? cause.message : String(cause) }, cause);
  }
}
