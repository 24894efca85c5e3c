/**
 * The real network: a namespace with the router and a bridge per subnet, one for the internet, one per instance.
 *
 * Invariants
 * - every run looks at the kernel and brings it to the state: a program that was killed, or a link that somebody deleted, is made good by the next run
 * - what is not marked as this VPC's is never touched
 * - instances outlive the program: their namespaces go only when they are terminated, or with destroy()
 */
import { failure } from '../../errors/failure.ts';
import { newAddress } from '../../kernel/netlink/address.ts';
import { decodeLink, dumpLinks, getLink, newVeth, setLink } from '../../kernel/netlink/link.ts';
import { MAIN_TABLE, newRoute } from '../../kernel/netlink/route.ts';
import type { NetlinkSocket } from '../../kernel/netlink/socket.ts';
import { NAMED, type Netns, openNetns } from '../../kernel/netns.ts';
import { writeSysctl } from '../../kernel/sysctl.ts';
import { type Ip, bitsOf, familyOf } from '../../net/address.ts';
import { type Cidr, cidrFamily, hostCidr } from '../../net/cidr.ts';
import { networkOf } from '../model/find.ts';
import type { State } from '../model/objects.ts';
import { dropsIn } from './drops.ts';
import { fabricElements, internetElements } from './elements.ts';
import type { Fabric } from './fabric.ts';
import { type Filter, filterOf } from './filter.ts';
import { fabricNetns, internetNetns, portName, UPLINK } from './names.ts';
import { ensureNetns, ownNetns, removeNetns } from './netns.ts';
import { indexOf } from './plug.ts';
import { bringTo, PROTOCOL } from './router.ts';
import { securityChains } from './security.ts';
import { namespacesOf, pluggedNics, wantedFor } from './wanted.ts';

/** Both ends of the line between VPC and internet (RFC 5737 and RFC 3849 addresses: nobody is ever asked for them). */
const uplinks = { fabric: ['192.0.2.1', '2001:db8:fffe::1'] as Ip[], internet: ['192.0.2.2', '2001:db8:fffe::2'] as Ip[] };
const defaults = ['0.0.0.0/0', '::/0'] as Cidr[]; // literals in canonical form

/** One router's namespace, held open. */
interface Open {
  readonly netns: Netns;
  readonly socket: NetlinkSocket;
  readonly filter: Filter;
}

/** Opens the network of a VPC, which the first sync builds. `state` is read when drops are told. */
export function openFabric(vpc: string, state: State): Fabric {
  let routers: { fabric: Open; internet: Open } | undefined;
  let health: Fabric['state'] = 'ready';
  const close = (): void => {
    for (const { socket, netns } of routers === undefined ? [] : [routers.fabric, routers.internet]) {
      socket.close();
      netns[Symbol.dispose]();
    }
    routers = undefined;
  };
  const syncNow = (now: State): void => {
    routers ??= openRouters(vpc);
    const { cidrs, mtu } = networkOf(now);
    const wanted = wantedFor(vpc, mtu, now);
    for (const name of wanted.instances) ensureNetns(vpc, name);
    routeUplink(routers.internet.socket, uplinks.fabric, [...cidrs]);
    const failed = [...bringTo(routers.fabric, wanted.fabric), ...bringTo(routers.internet, wanted.internet)];
    routers.fabric.filter.update(fabricElements(now), securityChains(now));
    routers.internet.filter.update(internetElements(now));
    const keep = new Set(namespacesOf(vpc, wanted));
    removeNetns(ownNetns(vpc).filter((name) => !keep.has(name)));
    if (failed.length > 0) throw failure('vpcFabric', { vpc, text: failed.map(({ message }) => message).join('; ') }, failed[0]);
  };
  return {
    get state() {
      return health;
    },
    async sync(now) {
      try {
        syncNow(now);
        health = 'ready';
      } catch (error) {
        health = 'failed';
        throw error;
      }
    },
    drops: () => (routers === undefined ? [] : dropsIn(routers.fabric.netns, state)),
    lost() {
      if (routers === undefined) return [];
      const there = new Set(routers.fabric.socket.dump(dumpLinks(), decodeLink).map(({ name }) => name));
      return pluggedNics(state).flatMap(({ nic }) => (there.has(portName(nic.id)) ? [] : [nic.id]));
    },
    close,
    async destroy() {
      close();
      removeNetns(ownNetns(vpc));
    },
  };
}

function openRouters(vpc: string): { fabric: Open; internet: Open } {
  const fabric = openRouter(vpc, fabricNetns(vpc), { 'bridge ports': 'ports.nft', 'inet security': 'security.nft' });
  try {
    const internet = openRouter(vpc, internetNetns(vpc), { 'ip gateway': 'gateway.nft' });
    try {
      connect(fabric, internet);
      return { fabric, internet };
    } catch (error) {
      closeRouter(internet);
      throw error;
    }
  } catch (error) {
    closeRouter(fabric);
    throw error;
  }
}

function openRouter(vpc: string, name: string, tables: Readonly<Record<string, string>>): Open {
  ensureNetns(vpc, name);
  const netns = openNetns(`${NAMED}/${name}`);
  try {
    for (const [key, value] of routerSysctls) writeSysctl(netns, key, value);
    const filter = filterOf(netns, tables);
    filter.load();
    return { netns, socket: netns.socket(), filter };
  } catch (error) {
    netns[Symbol.dispose]();
    throw error;
  }
}

function closeRouter({ socket, netns }: Open): void {
  socket.close();
  netns[Symbol.dispose]();
}

/** Bridged packets pass the inet hooks, where connections are tracked; no redirects for what comes in and goes out by one bridge. */
const routerSysctls = [
  ['net/ipv4/ip_forward', '1'],
  ['net/ipv6/conf/all/forwarding', '1'],
  ['net/ipv6/conf/default/accept_dad', '0'],
  ['net/ipv4/conf/all/rp_filter', '0'],
  ['net/ipv4/conf/default/rp_filter', '0'],
  ['net/ipv4/conf/all/send_redirects', '0'],
  ['net/ipv4/conf/default/send_redirects', '0'],
  ['net/bridge/bridge-nf-call-iptables', '1'],
  ['net/bridge/bridge-nf-call-ip6tables', '1'],
  ['net/bridge/bridge-nf-call-arptables', '0'],
] as const;

/** The line between the two, unless it is there. */
function connect(fabric: Open, internet: Open): void {
  if (fabric.socket.get(getLink(UPLINK), decodeLink) === undefined) {
    fabric.socket.request(newVeth({ name: UPLINK, up: true }, { name: UPLINK, netnsFd: internet.netns.fd }));
  }
  for (const [{ socket }, addresses] of [[fabric, uplinks.fabric] as const, [internet, uplinks.internet] as const]) {
    const link = indexOf(socket, UPLINK);
    socket.request(setLink(link, { up: true }));
    for (const address of addresses) socket.request(newAddress({ link, address, length: bitsOf(familyOf(address)) }));
  }
  routeUplink(fabric.socket, uplinks.internet, defaults);
}

/** Routes by way of the other end of the line. */
function routeUplink(socket: NetlinkSocket, others: readonly Ip[], destinations: readonly Cidr[]): void {
  const route = { link: indexOf(socket, UPLINK), table: MAIN_TABLE, protocol: PROTOCOL } as const;
  for (const via of others) {
    socket.request(newRoute({ ...route, dst: hostCidr(via), scope: 'link' }));
    for (const dst of destinations)
      if (cidrFamily(dst) === familyOf(via)) socket.request(newRoute({ ...route, dst, via, scope: 'global' }));
  }
}
