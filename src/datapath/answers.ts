/** On a network where no cloud says who has which address, the node answers for Pods that it routes to (RFC 1027, RFC 4861 section 7.2.8). */
import { host, type KernelObject } from '../kernel/state.ts';
import type { Family } from '../net/address.ts';
import type { RoutedInterface, UnderlayInterface } from './interface.ts';

/** What makes it answer for this Pod; nothing where the cloud or the Pod's own link does. Pure. */
export function answersFor({ answeredOn, addresses, protocol }: RoutedInterface | UnderlayInterface): KernelObject[] {
  if (answeredOn === undefined) return [];
  const { link, mac } = answeredOn;
  return addresses.map((address): KernelObject => ({ kind: 'proxy', where: host, link, linkMac: mac, address, protocol }));
}

/** What the link needs so that it answers at once: the kernel waits up to 0.8 s before it answers for another (arp(7), proxy_delay). */
export function answeringOn(link: string, families: readonly Family[]): KernelObject[] {
  const sysctl = (key: string, value: string): KernelObject => ({ kind: 'sysctl', where: host, key: `net/${key}`, value });
  const of6 = [sysctl(`ipv6/conf/${link}/proxy_ndp`, '1'), sysctl(`ipv6/neigh/${link}/proxy_delay`, '0')];
  return [...(families.includes(4) ? [sysctl(`ipv4/neigh/${link}/proxy_delay`, '0')] : []), ...(families.includes(6) ? of6 : [])];
}
