/** Files that people and Kubernetes exchange while we run: their text, and whether they are other ones by now. */
import { readFileSync, statSync } from 'node:fs';

/** The text. `unusable` makes the error: `PATH cannot be read: CODE`, and nothing of what stands there. @throws what `unusable` makes */
export function textIn(path: string, unusable: (what: string) => Error): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw unusable(`${path} cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : 'no text'}`);
  }
}

/** What {@link markOf} says of a file that is not there. */
export const ABSENT = 'absent';

/** Another text when the file is another one, by inode, time and length: a Secret is mounted by a link that is exchanged. Never throws: whoever reads the file is told why. */
export function markOf(path: string): string {
  try {
    const found = statSync(path, { throwIfNoEntry: false, bigint: true });
    return found === undefined ? ABSENT : `${found.ino} ${found.mtimeNs} ${found.size}`;
  } catch {
    return 'out of sight';
  }
}
