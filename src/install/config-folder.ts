/**
 * The runtime's folder of network configurations. A file there makes a runtime call its network ready: it comes last, and goes first.
 *
 * containerd (go-cni) watches the folder and ignores "created" and "attributes changed": a file renamed in from another folder is never loaded.
 * So the unfinished file lies inside, under an extension that no runtime reads.
 */
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { failure } from '../errors/failure.ts';
import { isOurs } from './config-list.ts';
import { attempt, type Placed, placeFile, removeFile, removeUnfinished, replaceFile } from './place-file.ts';
import type { Tell } from './step.ts';

/** The name of our list. */
const listName = '10-flatpod.conflist';
const unfinished = /^\.10-flatpod\.(\d+)\.tmp$/;
/** What runtimes take for a configuration (libcni ConfFiles). */
const configuration = /\.(conf|conflist|json)$/;
/** A configuration longer than this is nobody's. */
const LONGEST = 1 << 20;

/** Where the list lies in that folder. */
export function listPath(confDir: string): string {
  return join(confDir, listName);
}

/**
 * Writes the list. One that somebody else wrote, or edited, is kept beside it as `.bak`, which no runtime reads.
 * @throws Failure installFile, configListForeign when that name is taken by another text.
 */
export function writeList(confDir: string, text: string, tell: Tell): void {
  attempt('make', confDir, () => mkdirSync(confDir, { recursive: true, mode: 0o755 }));
  removeUnfinished(confDir, unfinished);
  const path = listPath(confDir);
  const there = existsSync(path) ? textAt(path) : undefined;
  if (there !== undefined && there !== text && !isOurs(there)) {
    const copy = `${path}.bak`;
    if (!existsSync(copy)) attempt('keep a copy of', path, () => linkSync(path, copy));
    else if (textAt(copy) !== there) throw failure('configListForeign', { path, copy });
    tell({ done: 'set aside', path: copy, note: 'a list that flatpod install had not written' });
  }
  tell({ done: placeFile(placed(path, text)), path, note: '' });
}

/** Writes the list once more as it is, so that a runtime that missed it sees it. @throws Failure installFile. */
export function writeListAgain(confDir: string, text: string): void {
  replaceFile(placed(listPath(confDir), text));
}

/** Takes the list away; the folder stays, as runtimes watch it. A list that is not ours stays too. @throws Failure installFile. */
export function removeList(confDir: string, tell: Tell): void {
  const path = listPath(confDir);
  const there = existsSync(path) ? textAt(path) : undefined;
  if (there !== undefined && !isOurs(there)) tell({ done: 'kept', path, note: 'not written by flatpod install, or edited since' });
  else tell({ done: removeFile(path) ? 'removed' : 'absent', path, note: '' });
  for (const left of removeUnfinished(confDir, unfinished)) tell({ done: 'removed', path: left, note: 'unfinished' });
}

/** Names of configurations in the folder that come before our list: a runtime that takes only the first will not take ours. */
export function before(confDir: string): string[] {
  if (!existsSync(confDir)) return [];
  // Runtimes sort by bytes; file names are compared as such.
  return attempt('read', confDir, () => readdirSync(confDir))
    .filter((name) => configuration.test(name) && Buffer.compare(Buffer.from(name), Buffer.from(listName)) < 0)
    .toSorted();
}

function placed(path: string, text: string): Placed {
  return { path, contents: Buffer.from(text), mode: 0o644, temporary: `.10-flatpod.${process.pid}.tmp` };
}

function textAt(path: string): string {
  return attempt('read', path, () => {
    const { size } = statSync(path);
    if (size > LONGEST) throw new RangeError(`it has ${size} bytes`);
    return readFileSync(path, 'utf8');
  });
}
