/** The repository's own text files. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';

/** The folder that holds package.json. */
export const root = resolve(import.meta.dirname, '../..');

/** What .gitignore leaves out, and git itself. */
const foreign = new Set(['.git', '.cache', 'node_modules', 'dist', '.state']);

/** Paths from the root of all files of the repository, sorted. */
export const paths: readonly string[] = readdirSync(root)
  .filter((name) => !foreign.has(name))
  .flatMap((name) => [...filesBelow(join(root, name))])
  .map((path) => relative(root, path))
  .toSorted();

function* filesBelow(path: string): Generator<string> {
  const entries = membersOf(path);
  if (entries === undefined) yield path;
  else for (const name of entries) yield* filesBelow(join(path, name));
}

/** Undefined for what is no folder. */
function membersOf(path: string): string[] | undefined {
  try {
    return readdirSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOTDIR' || error.code === 'ENOENT')) return undefined;
    throw error;
  }
}

/** The text of a file, given from the root; empty when somebody deleted it a moment ago. */
export function textOf(path: string): string {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw error;
  }
}

/** Paths and texts of the TypeScript files in the folders. */
export function sources(...folders: readonly string[]): (readonly [path: string, text: string])[] {
  return paths
    .filter((path) => path.endsWith('.ts') && folders.some((folder) => path.startsWith(`${folder}/`)))
    .map((path) => [path, textOf(path)] as const);
}
