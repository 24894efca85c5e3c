/**
 * Files that appear whole or not at all: written beside their place under another name, synced, renamed.
 * A file that runs at the time keeps running as it was (writing onto it would be ETXTBSY, or half an executable for whoever starts it).
 */
import {
  closeSync,
  existsSync,
  fchmodSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { failure } from '../errors/failure.ts';

/** A file as it shall be. */
export interface Placed {
  readonly path: string;
  readonly contents: Uint8Array;
  readonly mode: number;
  /** Name of the unfinished file in the same folder. */
  readonly temporary: string;
}

/** Writes the file, synced with its folder; a file that is the same already is not touched. @throws Failure installFile. */
export function placeFile(file: Placed): 'written' | 'unchanged' {
  if (isSame(file)) return 'unchanged';
  replaceFile(file);
  return 'written';
}

/** The same, also when it is there already: whoever watches the folder sees it come. @throws Failure installFile. */
export function replaceFile({ path, contents, mode, temporary }: Placed): void {
  attempt('write', path, () => {
    const fresh = join(dirname(path), temporary);
    try {
      writeSynced(fresh, contents, mode);
      renameSync(fresh, path);
    } finally {
      rmSync(fresh, { force: true });
    }
    syncFolder(dirname(path));
  });
}

/** Removes the file, for good. False when there was none. @throws Failure installFile. */
export function removeFile(path: string): boolean {
  return attempt('remove', path, () => {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return false;
    rmSync(path);
    syncFolder(dirname(path));
    return true;
  });
}

/** Removes the unfinished files of that pattern whose writer, the process in its first group, is gone; their paths. @throws Failure installFile. */
export function removeUnfinished(folder: string, pattern: RegExp): string[] {
  if (!existsSync(folder)) return [];
  const names = attempt('read', folder, () => readdirSync(folder));
  const left = names.filter((name) => {
    const pid = pattern.exec(name)?.[1];
    return pid !== undefined && !existsSync(`/proc/${pid}`);
  });
  return left.map((name) => join(folder, name)).filter((path) => removeFile(path));
}

/** Runs a step on that path. @throws Failure installFile with the system's own words. */
export function attempt<T>(action: string, path: string, step: () => T): T {
  try {
    return step();
  } catch (cause) {
    throw failure('installFile', { action, path, text: cause instanceof Error ? cause.message : String(cause) }, cause);
  }
}

function isSame({ path, contents, mode }: Placed): boolean {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined || !there.isFile() || (there.mode & 0o7777) !== mode || there.size !== contents.length) return false;
  return attempt('read', path, () => readFileSync(path)).equals(contents);
}

function writeSynced(path: string, contents: Uint8Array, mode: number): void {
  const fd = openSync(path, 'w', mode);
  try {
    for (let done = 0; done < contents.length; ) done += writeSync(fd, contents, done);
    // The umask has no say.
    fchmodSync(fd, mode);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
