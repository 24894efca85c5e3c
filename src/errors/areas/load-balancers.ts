/** FP370–FP379: Services of type LoadBalancer. */
import type { ErrorEntry } from '../entry.ts';

/** Entries of this area, by name. */
export const loadBalancerErrors = {
  serviceUnfit: {
    code: 370,
    cni: 370,
    message: 'no load balancer for Service {service} as it is',
    details: '{reason}',
    hint: 'put it right in the Service; until then what it had before stays as it is, but for its Pods, which are followed',
  },
  loadBalancerBroken: {
    code: 371,
    cni: 371,
    message: '{cloud} gave up on load balancer {id} of Service {service}',
    details: '{text}',
    hint: 'one that no user was told of is made anew; another one may go on serving, and whoever runs the cloud can mend it (openstack loadbalancer failover). To have a new one with another address, delete it or the Service',
  },
} as const satisfies Record<string, ErrorEntry>;
