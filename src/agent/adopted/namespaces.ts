/** Which network namespace has an address: the runtime told it to the plugin that is gone, and to nobody else. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isFailure } from '../../errors/failure.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { isNetns } from '../../kernel/netns.ts';
import { inNetns } from '../../kernel/state.ts';
import type { Ip } from '../../net/address.ts';

/**
 * Paths in the folder of the namespaces that have the addresses, by address. A folder that is not there has none. `known`: paths of namespaces that are
 * Pods' of ours, under whatever name: an address that one of them has by now is its own.
 */
export function namespacesOf(kernel: Kernel, folder: string, wanted: ReadonlySet<Ip>, known: readonly string[]): ReadonlyMap<Ip, string> {
  const found = new Map<Ip, string>();
  if (wanted.size === 0) return found;
  const ours = new Set(known.map(identityOf));
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    if (!isNetns(path) || ours.has(identityOf(path))) continue;
    for (const address of addressesIn(kernel, path)) if (wanted.has(address)) found.set(address, path);
  }
  return found;
}

/** The namespace itself, whatever it is called. */
function identityOf(path: string): string {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? path : `${found.dev} ${found.ino}`;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Of one that ends meanwhile, none; nor of the node's own, under whatever name it is there. */
function addressesIn(kernel: Kernel, path: string): Ip[] {
  try {
    return kernel.look(inNetns(path)).addresses.map(({ address }) => address);
  } catch (error) {
    if (isFailure(error, 'netnsMissing') || isFailure(error, 'notNetns') || isFailure(error, 'hostNetns')) return [];
    throw error;
  }
}
