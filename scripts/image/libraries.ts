/** Which shared libraries the image needs: those of Node.js, those that src/kernel opens through FFI, and all that these need in turn. */
import { execFileSync } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { basename } from 'node:path';
import type { Entry } from './tar.ts';

/** What src/kernel/nft.ts opens at run time; nothing else is opened by name. */
const OPENED = 'libnftables.so.1';

/** A library as the loader finds it: by its soname, in the folder that Debian's loader looks in. */
export interface Library {
  readonly soname: string;
  readonly path: string;
}

/** The libraries that `program` and libnftables need, by soname. @throws Error naming what is not installed. */
export function librariesOf(program: string): Library[] {
  const nftables = inCache(OPENED);
  const found = new Map<string, Library>([[OPENED, { soname: OPENED, path: nftables }]]);
  for (const path of [program, nftables]) for (const library of neededBy(path)) found.set(library.soname, library);
  return [...found.values()].toSorted((a, b) => (a.soname < b.soname ? -1 : 1));
}

/** As files of the image. The loader itself lies where programs name it (ld.so(8)). */
export function libraryEntries(libraries: readonly Library[]): Entry[] {
  return libraries.map(({ soname, path }) => ({
    kind: 'file',
    path: placeOf(soname, path),
    mode: 0o755,
    contents: readFileSync(realpathSync(path)),
  }));
}

function placeOf(soname: string, path: string): string {
  const isLoader = soname.startsWith('ld-linux');
  return isLoader ? path.slice(1) : `lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/${soname}`;
}

/** `\tNAME => PATH (0x…)`, or `\tPATH (0x…)` for the loader (ldd(1)). */
function neededBy(path: string): Library[] {
  return execFileSync('ldd', [path], { encoding: 'utf8' })
    .split('\n')
    .flatMap((line) => {
      if (line.includes('not found')) throw new Error(`${path} needs ${line.trim()}`);
      const [, named, file] = /^\t(?:(\S+) => )?(\/\S+) \(/.exec(line) ?? [];
      return file === undefined ? [] : [{ soname: named ?? basename(file), path: file }];
    });
}

/** Where the loader would find it (ldconfig(8)). */
function inCache(soname: string): string {
  const cache = execFileSync('/sbin/ldconfig', ['-p'], { encoding: 'utf8' });
  const path = cache
    .split('\n')
    .find((line) => line.trim().startsWith(`${soname} `))
    ?.split(' => ')[1];
  if (path === undefined) throw new Error(`${soname} is not installed: install the Debian package nftables`);
  return path;
}
