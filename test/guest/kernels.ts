/** The kernels that run as guests: User-Mode Linux as Debian packages it, and one of our own configuration, with nftables, that scripts/guest-kernel.sh builds. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');
const packaged = { path: '/usr/bin/linux.uml', modules: '/usr/lib/uml/modules' } as const;

/** A kernel that can be started as a program. */
export interface GuestKernel {
  /** `packaged` has ipvlan, vlan, vrf and dummy, and of nftables the bridge family alone; `built` has all of nftables too. */
  readonly kind: 'packaged' | 'built';
  readonly path: string;
  /** The folder of its modules, named after its release; absent when everything is built in. */
  readonly modules?: string;
}

/** Debian's. undefined where its package is not installed: other distributions, and processors other than amd64. */
export function packagedKernel(): GuestKernel | undefined {
  const release = existsSync(packaged.modules) ? readdirSync(packaged.modules).toSorted().at(-1) : undefined;
  if (release === undefined || !existsSync(packaged.path)) return undefined;
  return { kind: 'packaged', path: packaged.path, modules: join(packaged.modules, release) };
}

/** The one of our own. undefined until `make guest` has built it; the script names the folder after the configuration. */
export function builtKernel(): GuestKernel | undefined {
  const configuration = readFileSync(join(root, 'scripts/guest-kernel.config'));
  const hash = createHash('sha256').update(configuration).digest('hex').slice(0, 16);
  const path = join(root, '.cache/bin', `guest-kernel-${hash}`, 'linux');
  return existsSync(path) ? { kind: 'built', path } : undefined;
}
