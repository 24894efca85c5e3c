/** A host that begins to forward IPv6 goes on to listen to its routers. */
import { forwardingKey, sysctl } from '../../datapath/veth-to-host-numbers.ts';
import type { Kernel } from '../../kernel/kernel.ts';
import { host, type Plan } from '../../kernel/state.ts';
import type { Family } from '../../net/address.ts';

/**
 * What to set before forwarding is: with it a host forgets the routers that told it of themselves, and hears no more of them, on every interface that is
 * left to the default (Documentation/networking/ip-sysctl: accept_ra). Many a node has its default route from one. Empty where IPv6 is not to be
 * forwarded, or is already.
 */
export function keptRouters(kernel: Kernel, families: readonly Family[]): Plan {
  if (!families.includes(6) || kernel.sysctl(forwardingKey[6]) !== '0') return [];
  const keys = kernel.links().map(({ name }) => `net/ipv6/conf/${name}/accept_ra`);
  return keys.filter((key) => kernel.sysctl(key) === '1').map((key) => sysctl(host, key, '2'));
}
