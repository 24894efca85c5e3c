/** The kernel as the rest of the agent sees it: plans go in, differences and events come out. */
import type { Ip } from '../net/address.ts';
import { type Cidr, hostCidr } from '../net/cidr.ts';
import { announceFrom } from './address-announce.ts';
import { findRival } from './address-probe.ts';
import { applyPlan } from './apply.ts';
import { comparePlan, comparePlans, type Difference } from './compare.ts';
import type { Rival } from './ethernet.ts';
import { type KernelEvent, watchKernel } from './monitor.ts';
import { type Host, Namespaces } from './namespaces.ts';
import { decodeAddress, dumpAddresses, type LinkAddress } from './netlink/address.ts';
import { decodeLink, dumpLinks, type Link } from './netlink/link.ts';
import { decodeProxy, dumpProxies, type ProxyNeighbour } from './netlink/neighbour.ts';
import { decodeRoute, dumpRoutes, LOCAL_TABLE, MAIN_TABLE, type Route } from './netlink/route.ts';
import { decodeRule, dumpRules, type Rule } from './netlink/rule.ts';
import { NetlinkSocket } from './netlink/socket.ts';
import type { Netns } from './netns.ts';
import { watchNft } from './nft-watch.ts';
import type { Failure } from '../errors/failure.ts';
import { LinkRemover } from './remove-links.ts';
import { removePlan } from './remove.ts';
import { type Snapshot, snapshotOf } from './snapshot.ts';
import type { Plan, Where } from './state.ts';
import { readSysctl } from './sysctl.ts';

/** The kernel of one namespace, which plans call the host. Close it. */
export interface Kernel extends Disposable {
  /** Adds all of the plan, synchronously. @throws Failure on the first refusal; what was added until then stays. */
  apply(plan: Plan): void;
  /** Removes all of the plan; what is gone already is fine. */
  remove(plan: Plan): Promise<void>;
  /** What of the plan is missing or different. */
  compare(plan: Plan): Difference[];
  /** The same for many plans, in their order, with one reading of the host: a Failure where a namespace of the plan cannot be opened. */
  compareAll(plans: readonly Plan[]): (Difference[] | Failure)[];
  /** All links of the host. */
  links(): Link[];
  /** All addresses of the host. */
  addresses(): LinkAddress[];
  /** What a namespace holds now, read whole but for the routes: those of the main table. @throws Failure when it cannot be opened, NetlinkError. */
  look(where: Where): Snapshot;
  /** A parameter of the host, its key parted by slashes as in sysctl.ts; undefined when there is no such key. @throws Failure sysctlRefused. */
  sysctl(key: string): string | undefined;
  /** All routes, rules and proxy neighbours of the host that carry the protocol number. */
  owned(protocol: number): { readonly routes: Route[]; readonly rules: Rule[]; readonly proxies: ProxyNeighbour[] };
  /** All routes of a table of the host's. */
  routes(table: number): Route[];
  /** The host's routes to these very addresses, in every table, and its rules that go by them, whoever made them. */
  about(addresses: readonly Ip[]): { readonly routes: Route[]; readonly rules: Rule[] };
  /** Asks the network that a link of the host is on whether somebody else has the address; undefined after 150 ms of silence. @throws Failure networkNotAsked. */
  findRival(link: string, address: Ip): Promise<Rival | undefined>;
  /** Tells the network that a link of the host is on that the addresses are there from now on. @throws NetlinkError. */
  announce(link: string, addresses: readonly Ip[]): void;
  /** Calls back for each change in the host's network that others made. Returns the way to stop. */
  watch(listener: (event: KernelEvent) => void): () => void;
}

/**
 * Opens sockets in the process's own namespace, or in `netns`, which stays the caller's: a node inside of one process. `nftTables`: tables whose
 * changes by others are told.
 * @throws NetlinkError without CAP_NET_ADMIN.
 */
export function openKernel(nftTables: readonly string[] = [], netns?: Netns): Kernel {
  const socket = netns?.socket() ?? new NetlinkSocket();
  const host: Host = { socket, netns, born: new Set() };
  const remover = new LinkRemover(host);
  const listeners = new Set<(event: KernelEvent) => void>();
  const tell = (event: KernelEvent): void => {
    for (const listener of listeners) listener(event);
  };
  const stop = watchKernel(netns, socket.port, (event) => {
    if (!isOurs(event, host, remover)) tell(event);
  });
  const stopNft =
    nftTables.length === 0
      ? undefined
      : watchNft(netns, nftTables, (change) => tell(change.kind === 'changed' ? { ...change, kind: 'nft-changed' } : change));
  return {
    apply: (plan) => applyPlan(host, plan),
    remove: (plan) => removePlan(host, remover, plan),
    compare: (plan) => comparePlan(host, plan),
    compareAll: (plans) => comparePlans(host, plans),
    links: () => socket.dump(dumpLinks(), decodeLink),
    addresses: () => socket.dump(dumpAddresses(), decodeAddress),
    look(where) {
      using namespaces = new Namespaces(host);
      return snapshotOf(namespaces.at(where), { table: MAIN_TABLE });
    },
    sysctl: (key) => readSysctl(netns, key),
    owned: (protocol) => ({
      routes: ([4, 6] as const).flatMap((family) => socket.dump(dumpRoutes(family, { protocol }), decodeRoute)),
      rules: ([4, 6] as const).flatMap((family) => socket.dump(dumpRules(family), decodeRule)).filter((rule) => rule.protocol === protocol),
      proxies: socket.dump(dumpProxies(), decodeProxy).filter((proxy) => proxy.protocol === protocol),
    }),
    routes: (table) => ([4, 6] as const).flatMap((family) => socket.dump(dumpRoutes(family, { table }), decodeRoute)),
    about(addresses) {
      const own = new Set(addresses.map(hostCidr));
      const isOwn = (cidr: Cidr | undefined): boolean => cidr !== undefined && own.has(cidr);
      return {
        routes: ([4, 6] as const)
          .flatMap((family) => socket.dump(dumpRoutes(family), decodeRoute))
          .filter(({ dst, table }) => isOwn(dst) && table !== LOCAL_TABLE),
        rules: ([4, 6] as const)
          .flatMap((family) => socket.dump(dumpRules(family), decodeRule))
          .filter(({ from, to }) => isOwn(from) || isOwn(to)),
      };
    },
    findRival: (link, address) => findRival(netns, link, address),
    announce: (link, addresses) => announceFrom(netns, link, addresses),
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    [Symbol.dispose]() {
      stop();
      stopNft?.();
      remover.close();
      socket.close();
    },
  };
}

/** Whether the event tells of what we are doing: a link that is being made, which is down at first and then up, or one that is being removed. */
function isOurs(event: KernelEvent, { born }: Host, remover: LinkRemover): boolean {
  if (event.kind !== 'link' && event.kind !== 'link-gone') return false;
  const { name, up, index } = event.link;
  if (event.kind === 'link-gone') return [born.delete(name), remover.gone(index)].includes(true);
  return up ? born.delete(name) : born.has(name);
}
