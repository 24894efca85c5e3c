/** A proxy between the driver and the bed that counts, and loses what it is told to lose: the request, or the answer to what was done. */
import { faultProxy } from '../cloud/fault-proxy.ts';
import { openStackDialect } from './dialect.ts';

/** See the head of this file. */
export interface LossyProxy extends AsyncDisposable {
  /** Of Keystone, through the proxy; its catalogue leads through it too. */
  readonly authUrl: string;
  /** `METHOD /path` of each changing request since the last plan. */
  readonly changes: string[];
  /** How many reading requests came since then. */
  readonly reads: number;
  /** Loses the n-th changing request from now on, or its answer; none when absent. Whether it did: `lost`. */
  plan(lose?: { readonly nth: number; readonly what: 'request' | 'answer' }): void;
  readonly lost: boolean;
}

/** Listens on a port of the kernel's choice. */
export async function lossyProxy(keystone: string): Promise<LossyProxy> {
  // With the ids, and without the service's name that the catalogue puts before the path.
  const nameOf = ({ method, path }: { method: string; path: string }): string => `${method} ${path.replace(/^\/[^/]+/, '')}`;
  const proxy = await faultProxy(keystone, { ...openStackDialect(keystone), nameOf });
  const changes: string[] = [];
  let lose: Parameters<LossyProxy['plan']>[0];
  let isLost = false;
  let reads = 0;
  proxy.befall = ({ name, isRead }) => {
    if (name.startsWith('GET ')) reads++;
    // A login is no change.
    if (isRead || changes.push(name) !== lose?.nth) return undefined;
    isLost = true;
    return { kind: lose.what === 'request' ? 'cutRequest' : 'cutAnswer' };
  };
  return {
    authUrl: `${proxy.url}/identity`,
    changes,
    plan(next) {
      lose = next;
      changes.length = 0;
      reads = 0;
      isLost = false;
    },
    get reads() {
      return reads;
    },
    get lost() {
      return isLost;
    },
    [Symbol.asyncDispose]: () => proxy[Symbol.asyncDispose](),
  };
}
