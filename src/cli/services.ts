/** Services of type LoadBalancer, where the configuration has load balancers. */
import { systemClock } from '../cloud/clock.ts';
import type { SubnetId } from '../cloud/cloud.ts';
import { openEvents } from '../controller/cluster/events.ts';
import { loadBalancedServices } from '../controller/services/services.ts';
import type { Ip } from '../net/address.ts';
import { contains } from '../net/cidr.ts';
import type { ClusterSubnets } from '../store/kubernetes/cluster-subnets.ts';
import type { CloudInUse } from './cloud.ts';
import { sayHeldServices } from './held-services.ts';
import type { Leading } from './leading.ts';

/** They are served until it is disposed of. */
export interface ServedServices extends AsyncDisposable {
  /** PodSubnets have other blocks now. */
  blocksChanged(): void;
}

/** Starts serving them; undefined: they are left to others. */
export function serveServices(
  { api, config: { cluster, cloud: where }, candidate, log }: Pick<Leading, 'api' | 'config' | 'candidate' | 'log'>,
  { loadBalancers: balancers }: Pick<CloudInUse, 'loadBalancers'>,
  subnets: Pick<ClusterSubnets, 'list'>,
): ServedServices | undefined {
  if (where.type !== 'openstack') return undefined;
  if (where.loadBalancers === undefined || balancers === undefined) {
    void sayHeldServices(api, log);
    return undefined;
  }
  const events = openEvents(api, candidate, systemClock, log);
  const rules = { cluster, isDefault: where.loadBalancers.default, subnetOf: (ip: Ip) => subnetOf(subnets, ip) };
  const services = loadBalancedServices({ api, balancers, rules, releases: where.releases, events, clock: systemClock, log });
  return {
    blocksChanged: () => services.placesChanged(),
    async [Symbol.asyncDispose]() {
      events.stop();
      await services.stop();
    },
  };
}

/** Of a PodSubnet whose blocks, as the cloud told them, have the address; undefined: of none, such as a node's. */
function subnetOf(subnets: Pick<ClusterSubnets, 'list'>, ip: Ip): SubnetId | undefined {
  const found = subnets.list().find(({ status }) => status.cidrs.some((cidr) => contains(cidr, ip)));
  if (found === undefined) return undefined;
  const { subnet, status } = found;
  // Which of several it is, the driver knows, which knows their blocks. Ids as the configuration has them: the cloud's own.
  const ids = subnet.spec.cloudSubnet ?? status.cloudSubnets.join('+');
  return ids === '' ? undefined : (ids as SubnetId);
}
