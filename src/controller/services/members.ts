/** Which addresses are behind a port of a Service: those of its EndpointSlices, in which Kubernetes has them. Pure. */
import type { SubnetId } from '../../cloud/cloud.ts';
import type { WantedMember } from '../../cloud/load-balancers.ts';
import { type Ip, tryParseIp } from '../../net/address.ts';
import type { ClusterSlice, Endpoint, ServicePort } from '../../store/kubernetes/service-objects.ts';

/**
 * Pods that are ready; when none is, those that still answer on their way out (as kube-proxy has it, KEP-1669). Each address and port once, in order.
 * `subnetOf`: where an address is.
 */
export function membersOf(port: ServicePort, slices: readonly ClusterSlice[], subnetOf: (ip: Ip) => SubnetId | undefined): WantedMember[] {
  const all = slices.flatMap((slice) => {
    const target = slice.ports.find(({ name, transport }) => name === port.name && transport === port.transport)?.port;
    return target === undefined ? [] : slice.endpoints.map((endpoint) => ({ endpoint, target }));
  });
  const ready = all.filter(({ endpoint }) => endpoint.ready);
  const chosen = ready.length > 0 ? ready : all.filter(({ endpoint }) => isLastResort(endpoint));
  const members = new Map<string, WantedMember>();
  for (const { endpoint, target } of chosen) {
    // All of them are the same Pod's; the first is to be used (discovery.k8s.io/v1).
    const address = tryParseIp(endpoint.addresses[0] ?? '');
    if (address === undefined) continue;
    const subnet = subnetOf(address);
    members.set(`${address} ${target}`, { address, port: target, ...(subnet !== undefined && { subnet }) });
  }
  return [...members].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, member]) => member);
}

function isLastResort({ serving, leaving }: Endpoint): boolean {
  return serving && leaving;
}
