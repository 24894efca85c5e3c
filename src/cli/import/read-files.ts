/** Reads the user's files: each whole, or not at all. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { type Failure, failure, isFailure } from '../../errors/failure.ts';
import { type Document, documentsIn, type Mistake } from '../../import/document.ts';

/** A dump of 10 000 Pods has about 80 MiB. */
const LARGEST_bytes = 256 * 1024 * 1024;
const stdin = '-';

/** Their documents, in order, and the mistakes of those that are neither JSON nor YAML. @throws Failure FP500 importFileUnreadable. */
export function readFiles(paths: readonly string[]): { documents: Document[]; mistakes: Mistake[] } {
  const [documents, mistakes]: [Document[], Mistake[]] = [[], []];
  for (const path of paths) {
    const read = documentsIn(path === stdin ? 'stdin' : path, textOf(path));
    if ('mistakes' in read) mistakes.push(...read.mistakes);
    else documents.push(...read);
  }
  return { documents, mistakes };
}

function textOf(path: string): string {
  const bytes = path === stdin ? bytesOfStdin() : bytesOf(path);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw unreadable(path, 'it is not UTF-8 text', cause);
  }
}

function bytesOfStdin(): Uint8Array {
  try {
    const bytes = readFileSync(0);
    if (bytes.length <= LARGEST_bytes) return bytes;
    throw unreadable('stdin', `it has ${bytes.length} bytes; at most ${LARGEST_bytes} are read`);
  } catch (cause) {
    throw isFailure(cause) ? cause : unreadable('stdin', cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function bytesOf(path: string): Uint8Array {
  let file: number;
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for a writer for ever.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw unreadable(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw unreadable(path, 'it is not a regular file');
    if (stat.size > LARGEST_bytes) throw unreadable(path, `it has ${stat.size} bytes; at most ${LARGEST_bytes} are read`);
    return readFileSync(file);
  } catch (cause) {
    throw isFailure(cause) ? cause : unreadable(path, cause instanceof Error ? cause.message : String(cause), cause);
  } finally {
    closeSync(file);
  }
}

function unreadable(path: string, reason: string, cause?: unknown): Failure {
  return failure('importFileUnreadable', { path, reason }, cause);
}
