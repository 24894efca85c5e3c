/** From a Service to the load balancer it is to have. Pure. */
import type { SubnetId, Tags } from '../../cloud/cloud.ts';
import type { WantedLoadBalancer } from '../../cloud/load-balancers.ts';
import { tagKeys } from '../../cloud/tag-keys.ts';
import { failure } from '../../errors/failure.ts';
import { type Ip, tryParseIp } from '../../net/address.ts';
import { type Cidr, tryParseCidr } from '../../net/cidr.ts';
import type { ClusterService, ClusterSlice } from '../../store/kubernetes/service-objects.ts';
import { membersOf } from './members.ts';

/** spec.loadBalancerClass of Services that are ours in any case. */
const OWN_CLASS = 'flatpod.dev/octavia';
/** Keeps a Service until its load balancer is gone. */
export const FINALIZER = 'flatpod.dev/load-balancer';
/** What a Service may say of its load balancer. */
const annotations = {
  subnet: 'flatpod.dev/load-balancer-subnet',
  internal: 'flatpod.dev/load-balancer-internal',
  address: 'flatpod.dev/load-balancer-address',
} as const;

/** What is the same for all Services. */
export interface Rules {
  readonly cluster: string;
  /** Whether Services without a class are ours. */
  readonly isDefault: boolean;
  /** Where an address of a Pod is. */
  readonly subnetOf: (ip: Ip) => SubnetId | undefined;
}

/** Whether it is to have a load balancer of ours. */
export function isOurs({ isLoadBalancer, class: its, leaving }: ClusterService, { isDefault }: Pick<Rules, 'isDefault'>): boolean {
  return isLoadBalancer && !leaving && (its === OWN_CLASS || (its === undefined && isDefault));
}

/** By which its load balancer is found, whatever it is called. */
export function tagsOfService(cluster: string, uid: string): Tags {
  return { [tagKeys.cluster]: cluster, [tagKeys.service]: uid };
}

/** Its members alone, which can be said of every Service. */
export function membersFor(
  { namespace, name, uid, ports, families, ingress }: ClusterService,
  slices: readonly ClusterSlice[],
  { cluster, subnetOf }: Rules,
): WantedLoadBalancer & { readonly membersOnly: true } {
  const told = tryParseIp(ingress[0]?.ip ?? '');
  return {
    tags: tagsOfService(cluster, uid),
    name: `${cluster}/${namespace}/${name}`,
    families: families.length === 0 ? [4] : families,
    isInternal: false,
    ...(told !== undefined && { told }),
    listeners: ports.map((port) => ({
      transport: port.transport,
      port: port.port,
      sources: [],
      members: membersOf(port, slices, subnetOf),
    })),
    membersOnly: true,
  };
}

/** @throws Failure serviceUnfit */
export function wantedFor(service: ClusterService, slices: readonly ClusterSlice[], rules: Rules): WantedLoadBalancer {
  const { namespace, name, affinity_s, annotations: said } = service;
  const full = `${namespace}/${name}`;
  const unfit = (reason: string): Error => failure('serviceUnfit', { service: full, reason });
  const sources = service.sourceRanges.map((text): Cidr => {
    const source = tryParseCidr(text.trim());
    if (source !== undefined) return source;
    throw unfit(`${JSON.stringify(text)} of spec.loadBalancerSourceRanges is no CIDR block such as 192.0.2.0/24 (host bits must be zero)`);
  });
  const addressText = said[annotations.address] ?? service.address;
  const address = addressText === undefined ? undefined : tryParseIp(addressText);
  if (addressText !== undefined && address === undefined) throw unfit(`the address ${JSON.stringify(addressText)} it asks for is none`);
  const internal = said[annotations.internal] ?? 'false';
  if (internal !== 'true' && internal !== 'false') throw unfit(`annotation ${annotations.internal} is neither "true" nor "false"`);
  const subnet = said[annotations.subnet];
  if (subnet === '') throw unfit(`annotation ${annotations.subnet} names no subnet`);
  const { membersOnly: _, listeners, ...rest } = membersFor(service, slices, rules);
  return {
    ...rest,
    // The cloud itself says what is wrong with an id.
    ...(subnet !== undefined && { subnet: subnet as SubnetId }),
    ...(address !== undefined && { address }),
    isInternal: internal === 'true',
    listeners: listeners.map((one) => ({ ...one, sources, ...(affinity_s !== undefined && { affinity: { timeout_s: affinity_s } }) })),
  };
}
