/** Builds what ships into dist/, and says what it built and what it left out. Run by `npm run build`. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, linkSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import process from 'node:process';
import { buildSync } from 'esbuild';

const root = resolve(import.meta.dirname, '..');
const sources = ['shim.c', 'once.c', 'crowd.c', 'spool.c'].map((file) => join(root, 'src/cni', file));
const names = ['flatpod', 'flatpod-ipam', 'veth-to-host'] as const;
const mostBytes = 1024 * 1024;

/** What became of one artefact: a sentence for the person who builds. */
export interface Built {
  readonly artefact: string;
  readonly built: boolean;
  readonly note: string;
}

/**
 * Compiles the CNI executable into `directory`, under its three names. Each file appears whole or not at all, also while an old one is running.
 * The first compiler of the list that exists is used. Compiler messages go to stderr.
 * @throws Error when a compiler exists and fails, or the executable is not smaller than 1 MiB.
 */
export function buildExecutable(directory: string, compilers: readonly string[]): Built[] {
  const artefact = join(directory, names[0]);
  const compiler = compilers.find(exists);
  if (compiler === undefined) return [{ artefact, built: false, note: `no compiler: install ${compilers.join(' or ')}` }];
  mkdirSync(directory, { recursive: true });
  const fresh = join(directory, `.${names[0]}.${process.pid}`);
  try {
    const flags = ['-static', '-Os', '-Wall', '-Wextra', '-Werror', '-ffunction-sections', '-Wl,--gc-sections', '-s'];
    execFileSync(compiler, [...flags, '-o', fresh, ...sources], { stdio: ['ignore', 'inherit', 'inherit'] });
    const { size } = statSync(fresh);
    if (size >= mostBytes) throw new Error(`${artefact} has ${size} bytes; it must stay below ${mostBytes}`);
    const note = `${(size / 1024).toFixed(0)} KiB, static, ${compiler}`;
    for (const name of names) installSame(fresh, join(directory, name));
    return names.map((name, i) => ({
      artefact: join(directory, name),
      built: true,
      note: i === 0 ? note : `the same file as ${names[0]}`,
    }));
  } finally {
    rmSync(fresh, { force: true });
  }
}

/** `to` becomes the same file as `from`: a hard link where the file system has them, else a copy. */
function installSame(from: string, to: string): void {
  const fresh = `${to}.${process.pid}.part`;
  rmSync(fresh, { force: true });
  try {
    linkSync(from, fresh);
  } catch {
    copyFileSync(from, fresh);
  }
  renameSync(fresh, to);
}

function exists(command: string): boolean {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The compilers for this machine: musl first, because its static executables start faster and are a tenth of the size. */
export const nativeCompilers = ['musl-gcc', 'gcc'] as const;

/**
 * Bundles the command into one CommonJS file: an ES module that imports node:http would load undici too, and running sources costs 17 MiB and 90 ms
 * (docs/adr/0003). The nft texts, the API document and the systemd units that the code reads at run time go beside it.
 */
function buildCommand(): Built[] {
  const texts = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.(nft|yaml|service|socket)$/.test(name),
  );
  for (const name of texts) copyFileSync(join(root, 'src', name), join(root, 'dist', basename(name)));
  return [bundle('main.ts', 'flatpod.cjs', `, and ${texts.length} text files`), bundle('main-cni.ts', 'flatpod-cni.cjs', '')];
}

/** One entry of src/ with all it imports, as one file of dist/. */
function bundle(entry: string, name: string, beside: string): Built {
  const artefact = join(root, 'dist', name);
  const result = buildSync({
    entryPoints: [join(root, 'src', entry)],
    outfile: artefact,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node26',
    // Every file sits beside the bundle, so "my folder" is the bundle's.
    define: { 'import.meta.dirname': '__dirname' },
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  });
  const modules = Object.keys(result.metafile.inputs).length;
  return { artefact, built: true, note: `${(statSync(artefact).size / 1024).toFixed(0)} KiB of ${modules} modules${beside}` };
}

function main(): void {
  const cni = join(root, 'dist/cni');
  const built = buildExecutable(cni, nativeCompilers);
  if (process.arch !== 'arm64') built.push(...buildExecutable(join(cni, 'arm64'), ['aarch64-linux-gnu-gcc']));
  built.push(...buildCommand());
  for (const { artefact, note, ...is } of built) console.log(`${is.built ? 'built   ' : 'left out'}  ${relative(root, artefact)}: ${note}`);
  if (!built[0]?.built) process.exitCode = 1;
}

if (import.meta.main) main();
