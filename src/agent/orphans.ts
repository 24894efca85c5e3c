/**
 * Pods whose record was lost (a database put aside with --rebuild, or deleted) while they live on: their routes in the kernel tell their addresses.
 * Nobody else gets such an address before its route is gone; then its rules go too, and it rests like any other.
 */
import { MAIN_TABLE } from '../kernel/netlink/route.ts';
import { host, type RuleObject } from '../kernel/state.ts';
import { asFailure, sentence } from '../errors/failure.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { Log } from '../log.ts';
import { bitsOf, familyOf, type Ip } from '../net/address.ts';
import { firstOf, lengthOf } from '../net/cidr.ts';

/** Addresses that host routes of ours lead to, but no attachment has. */
export function orphansIn(kernel: Kernel, protocol: number, known: ReadonlySet<Ip>): Ip[] {
  const { routes } = kernel.owned(protocol);
  return routes
    .filter(({ dst, table, via }) => table === MAIN_TABLE && via === undefined && lengthOf(dst) === bitsOf(familyOf(firstOf(dst))))
    .map(({ dst }) => firstOf(dst))
    .filter((ip) => !known.has(ip));
}

/** Waits for the end of each orphan: tells `ended` when its route has gone, and removes its rules. Returns the way to stop. */
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
      const rules = kernel
        .owned(protocol)
        .rules.filter(({ to, from }) => [to, from].some((cidr) => cidr !== undefined && firstOf(cidr) === ip));
      const objects = rules.map((rule): RuleObject => ({ kind: 'rule', where: host, ...rule }));
      kernel.remove(objects).catch((error: unknown) => log.warn(`rules of ${ip} were not removed: ${sentence(asFailure(error))}`));
      log.info(`the Pod without a record that used ${ip} is gone`, { address: ip });
      ended(ip);
    }
  });
}
