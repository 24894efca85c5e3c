/** What Pods with a service veth reach through the node: the node itself, Services, and what the configuration adds. */
import type { LinkAddress } from '../kernel/netlink/address.ts';
import type { Ip } from '../net/address.ts';
import { aggregate, type Cidr, contains, hostCidr, parseCidr } from '../net/cidr.ts';
import type { NodeConfig } from '../store/node-config.ts';
import type { NodeSettings } from '../store/node-network.ts';

/** Loopback and link-local addresses (RFC 6890): the same ones are everywhere, so nobody's in particular. */
const nobodys = ['127.0.0.0/8', '169.254.0.0/16', '::1/128', 'fe80::/10'].map(parseCidr);

/** The destinations, each once. `addresses`: those of the node; `told`: what the controller says beside the configuration. */
export function viaNode(
  addresses: readonly LinkAddress[],
  { serviceCidrs, viaNode: more }: NodeConfig['spec'],
  told: NodeSettings | undefined,
): Cidr[] {
  const own = addresses.map(({ address }) => address).filter(isSomebodys);
  return aggregate([...own.map(hostCidr), ...serviceCidrs, ...(told?.serviceCidrs ?? []), ...more]);
}

function isSomebodys(address: Ip): boolean {
  return !nobodys.some((block) => contains(block, address));
}
