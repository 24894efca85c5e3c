/** CHECK of the plugin's own ranges: are there leases still, and does the result name them? */
import { type IpamConfig, scopesOf } from '../../cni/ipam/config.ts';
import type { Result } from '../../cni/result.ts';
import { failure } from '../../errors/failure.ts';
import type { RangeLeases } from '../../store/range-leases.ts';

/**
 * Every address that the configuration gives as it is, and every lease, must be in the result; from each set there must be a lease, whichever.
 * Later plugins may have added addresses. @throws Failure leaseUnknown, leaseDiffers, prevResultMissing.
 */
export function checkLeases(
  leases: RangeLeases,
  config: IpamConfig,
  { container, ifname }: { readonly container: string; readonly ifname: string },
  prevResult: Result | undefined,
): void {
  const scopes = scopesOf(config);
  const own = scopes.flatMap((scope) => leases.of(scope, container, ifname));
  if (scopes.length > 0 && own.length === 0) throw failure('leaseUnknown', { container, ifname, scope: scopes.join(', ') });
  if (prevResult === undefined) {
    if (config.fixed.length > 0) throw failure('prevResultMissing', {});
    return;
  }
  const differences: string[] = [];
  const told = new Map(prevResult.ips.map((ip) => [ip.address.split('/')[0] ?? '', ip]));
  for (const { address } of own) if (!told.has(address)) differences.push(`prevResult lacks ${address}, which is leased`);
  for (const { address, gateway } of config.fixed) {
    const found = told.get(address.split('/')[0] ?? '');
    if (found === undefined) differences.push(`prevResult lacks ${address}`);
    else if (gateway !== undefined && found.gateway !== gateway)
      differences.push(`prevResult says gateway ${found.gateway ?? 'none'} for ${address}, the configuration ${gateway}`);
  }
  if (differences.length > 0) throw failure('leaseDiffers', { container, ifname, differences: differences.join('; ') });
}
