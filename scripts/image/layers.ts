/** The root file system of the image, as layers: what changes with Debian, with Node.js and with Flatpod lies apart, so that an upgrade fetches the last alone. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { libraryEntries, librariesOf } from './libraries.ts';
import type { Entry } from './tar.ts';

const root = resolve(import.meta.dirname, '../..');
const dist = join(root, 'dist');

/** A layer before it is packed. */
export interface Layer {
  readonly name: string;
  readonly entries: readonly Entry[];
}

/**
 * All layers, the lowest first.
 * @throws Error when dist/ is not built, or a library or compiler is missing.
 */
export function layers(): Layer[] {
  if (!existsSync(join(dist, 'flatpod.cjs'))) throw new Error('dist/flatpod.cjs is missing: run make build');
  const node = realpathSync(join(root, 'node_modules', `node-linux-${process.arch}`, 'bin/node'));
  return [
    { name: 'libraries', entries: withFolders([...libraryEntries(librariesOf(node)), ...system()]) },
    { name: 'node', entries: withFolders([{ kind: 'file', path: 'usr/bin/node', mode: 0o755, contents: stripped(node) }]) },
    { name: 'flatpod', entries: withFolders(flatpod()) },
  ];
}

/** What programs expect of a Unix system. The places that things are mounted on are made by the runtime. */
function system(): Entry[] {
  const text = (path: string, contents: string): Entry => ({ kind: 'file', path, mode: 0o644, contents: Buffer.from(contents) });
  return [
    text('etc/passwd', 'root:x:0:0:root:/:/sbin/nologin\nflatpod:x:65532:65532:flatpod:/:/sbin/nologin\n'),
    text('etc/group', 'root:x:0:\nflatpod:x:65532:\n'),
    // Without this file the order depends on the version of glibc.
    text('etc/nsswitch.conf', 'hosts: files dns\n'),
    // Names of what nftables prints (getprotobynumber(3)).
    text('etc/protocols', 'ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nipv6-icmp 58 IPv6-ICMP\nsctp 132 SCTP\n'),
    { kind: 'folder', path: 'tmp', mode: 0o1777 },
    { kind: 'folder', path: 'run', mode: 0o755 },
    // Runtimes name namespaces by either path.
    { kind: 'link', path: 'var/run', to: '../run' },
  ];
}

/** The command where the bundle's own `launcher` looks for it, beside dist/. */
function flatpod(): Entry[] {
  const file = (path: string, from: string, mode: number): Entry => ({ kind: 'file', path, mode, contents: readFileSync(from) });
  const texts = readdirSync(dist, { withFileTypes: true }).filter(
    (entry) => entry.isFile() && /\.(cjs|nft|yaml|service|socket)$/.test(entry.name),
  );
  return [
    { kind: 'file', path: 'opt/flatpod/bin/flatpod', mode: 0o755, contents: compiled('launcher') },
    { kind: 'file', path: 'usr/bin/flatpod-alive', mode: 0o755, contents: compiled('alive') },
    { kind: 'link', path: 'usr/bin/flatpod', to: '../../opt/flatpod/bin/flatpod' },
    ...texts.map(({ name }) => file(`opt/flatpod/dist/${name}`, join(dist, name), 0o644)),
    ...['flatpod', 'flatpod-ipam', 'veth-to-host'].map((name) => file(`opt/flatpod/dist/cni/${name}`, join(dist, 'cni', name), 0o755)),
    file('opt/flatpod/LICENSE', join(root, 'LICENSE'), 0o644),
  ];
}

/** Without symbols for debuggers: those that libraries look up (.dynsym) stay. */
function stripped(program: string): Buffer {
  return made('node', 'strip', (out) => ['-o', out, program]);
}

/** One of the programs that only the image has. */
function compiled(name: 'launcher' | 'alive'): Buffer {
  const compiler = ['musl-gcc', 'gcc'].find((one) => isThere(one));
  if (compiler === undefined) throw new Error('no compiler: install musl-gcc or gcc');
  const flags = ['-static', '-Os', '-Wall', '-Wextra', '-Werror', '-s', '-Wl,--build-id=none'];
  return made(name, compiler, (out) => [...flags, '-o', out, join(root, 'deploy/image', `${name}.c`)]);
}

function isThere(command: string): boolean {
  try {
    execFileSync(command, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** What a program writes into the file it is told. */
function made(name: string, command: string, args: (out: string) => readonly string[]): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'fp-image-'));
  try {
    const out = join(directory, name);
    execFileSync(command, args(out), { stdio: ['ignore', 'inherit', 'inherit'] });
    return readFileSync(out);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** The entries sorted by path, with the folders that they lie in. */
function withFolders(entries: readonly Entry[]): Entry[] {
  const all = new Map(entries.map((entry) => [entry.path, entry]));
  for (const { path } of entries)
    for (let folder = dirname(path); folder !== '.'; folder = dirname(folder))
      if (!all.has(folder)) all.set(folder, { kind: 'folder', path: folder, mode: 0o755 });
  return [...all.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}
