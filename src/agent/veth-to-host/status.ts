/** STATUS of veth-to-host: is the host there that its Pods are to be led to? */
import type { VethToHostStatus } from '../../cni/veth-to-host-request.ts';
import { failure } from '../../errors/failure.ts';
import { host } from '../../kernel/state.ts';
import type { ChainNode } from './chain-node.ts';
import { hostAnswer } from './host-addresses.ts';

/** @throws Failure hostInterfaceMissing, hostAddressMissing. */
export function status({ kernel }: ChainNode, { config: { hostInterface } }: VethToHostStatus): void {
  const seen = kernel.look(host);
  if (!seen.links.has(hostInterface))
    throw failure('hostInterfaceMissing', { hostInterface, found: [...seen.links.keys()].slice(0, 16).join(', ') });
  const { hostAddresses } = hostAnswer({ hostInterface, hostAddresses: [], hostLinks: [], underlay: [], mainRoutes: [] }, seen);
  if (hostAddresses.length === 0) throw failure('hostAddressMissing', { hostInterface, family: 'IPv4 or IPv6' });
}
