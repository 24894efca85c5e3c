/**
 * Pods whose record was lost (a database put aside with --rebuild, or deleted) while they live on: their routes in the kernel tell their addresses.
 * Nobody else gets such an address before its route is gone; then it rests like any other.
 */
import type { Kernel } from '../kernel/kernel.ts';
import type { Log } from '../log.ts';
import { bitsOf, familyOf, type Ip } from '../net/address.ts';
import { firstOf, lengthOf } from '../net/cidr.ts';

/** Addresses that routes of ours lead to, but no attachment has. */
export function orphansIn(kernel: Kernel, protocol: number, known: ReadonlySet<Ip>): Ip[] {
  const { routes } = kernel.owned(protocol);
  return routes
    .filter(({ dst, via }) => via === undefined && lengthOf(dst) === bitsOf(familyOf(firstOf(dst))))
    .map(({ dst }) => firstOf(dst))
    .filter((ip) => !known.has(ip));
}

/** Waits for the end of each orphan: tells `ended` when its route has gone. Returns the way to stop. */
export function watchOrphans(kernel: Kernel, protocol: number, orphans: readonly Ip[], log: Log, ended: (ip: Ip) => void): () => void {
  const living = new Set(orphans);
  for (const ip of living)
    log.warn(`${ip} is in use by a Pod this agent has no record of: nobody else gets it before that Pod is gone`, { address: ip });
  if (living.size === 0) return () => undefined;
  // A link takes its IPv4 routes along without an event of their own.
  return kernel.watch(({ kind }) => {
    if (living.size === 0 || (kind !== 'link-gone' && kind !== 'route-gone' && kind !== 'overrun')) return;
    const left = new Set(orphansIn(kernel, protocol, new Set()));
    for (const ip of living.difference(left)) {
      living.delete(ip);
      log.info(`the Pod without a record that used ${ip} is gone`, { address: ip });
      ended(ip);
    }
  });
}
