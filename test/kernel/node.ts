/** A node and a Pod for the plan engine: two test namespaces, a kernel for the first, and a plan with every kind of object in it. */
import { type Kernel, openKernel } from '../../src/kernel/kernel.ts';
import { MAIN_TABLE } from '../../src/kernel/netlink/route.ts';
import { host, inNetns, type KernelObject, type Plan, type VethObject } from '../../src/kernel/state.ts';
import { writeSysctl } from '../../src/kernel/sysctl.ts';
import { parseIp } from '../../src/net/address.ts';
import { parseCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';
import { type TestNetns, testNetns } from './namespace.ts';

/** The rtnetlink protocol of all routes and rules of {@link planFor}. */
export const PROTOCOL = 114;
/** The table that {@link planFor} makes, when the kernel is opened to watch it. */
export const TABLE = 'fpt';

/** The MAC of the near and of the far end of {@link vethTo}. */
export const macs = { near: parseMac('02:00:00:00:00:0a'), far: parseMac('02:00:00:00:00:0b') } as const;

export interface TestNode extends Disposable {
  readonly host: TestNetns;
  readonly pod: TestNetns;
  readonly kernel: Kernel;
}

/** A node and a Pod, both empty. */
export function openNode(nftTable?: string): TestNode {
  using open = new DisposableStack();
  const [hostNs, pod] = [open.use(testNetns('node')), open.use(testNetns('pod'))];
  const kernel = open.use(openKernel(nftTable === undefined ? [] : [nftTable], hostNs.netns));
  hostNs.ip('link set lo up');
  // What is shown of them must not change by itself: addresses of links would become valid in the middle of a test.
  for (const ns of [hostNs, pod]) writeSysctl(ns.netns, 'net/ipv6/conf/default/accept_dad', '0');
  const all = open.move();
  return { host: hostNs, pod, kernel, [Symbol.dispose]: () => all.dispose() };
}

/** fp0 on the host, eth0 in the namespace at the path. */
export function vethTo(path: string): VethObject {
  const peer = { where: inNetns(path), name: 'eth0', mac: macs.far };
  return { kind: 'veth', where: host, name: 'fp0', mac: macs.near, mtu: 1400, owner: 'flatpod:c:eth0', ipv6: false, peer };
}

/** Every kind of object, on the host and in the Pod: the shape of a Pod's plan, and what a node has besides. */
export function planFor(path: string): Plan {
  const [address, dst] = [parseIp('10.9.0.5'), parseCidr('10.9.0.5/32')];
  const pod = inNetns(path);
  const gateway = parseIp('169.254.1.1');
  const inPod = { kind: 'route', where: pod, link: 'eth0', table: MAIN_TABLE, protocol: PROTOCOL } as const;
  return [
    { kind: 'sysctl', where: host, key: 'net/ipv4/ip_forward', value: '1' },
    vethTo(path),
    { kind: 'route', where: host, dst, link: 'fp0', scope: 'link', table: MAIN_TABLE, protocol: PROTOCOL },
    { kind: 'rule', where: host, family: 4, priority: 700, to: dst, table: MAIN_TABLE, protocol: PROTOCOL },
    { kind: 'rule', where: host, family: 4, priority: 740, from: dst, table: 7001, protocol: PROTOCOL },
    { kind: 'link', where: pod, name: 'eth0' },
    { kind: 'address', where: pod, link: 'eth0', address, length: 32 },
    { ...inPod, dst: parseCidr('169.254.1.1/32'), scope: 'link' },
    { ...inPod, dst: parseCidr('0.0.0.0/0'), via: gateway, scope: 'global' },
    { kind: 'neighbour', where: pod, link: 'eth0', address: gateway, mac: macs.near },
    { kind: 'nft-table', where: host, family: 'inet', table: TABLE, text: 'set s { type ipv4_addr; }\nchain c { accept; }' },
  ];
}

/** The first object of the kind. @throws RangeError when the plan has none. */
export function objectOf<K extends KernelObject['kind']>(plan: Plan, kind: K): Extract<KernelObject, { kind: K }> {
  const found = plan.find((object): object is Extract<KernelObject, { kind: K }> => object.kind === kind);
  if (found === undefined) throw new RangeError(`no ${kind} in the plan`);
  return found;
}

/** What ip and nft show of a namespace, without what the kernel counts, or finds out by and by of a link whose other end went down. */
export function shownIn(ns: TestNetns): string {
  return ['link show', 'addr show', 'route show table all', 'rule show', 'neigh show nud permanent']
    .map((what) => `${what}\n${ns.ip(what)}`)
    .concat(ns.exec('nft list ruleset'))
    .join('\n')
    .replaceAll(/NO-CARRIER,|,LOWER_UP|,M-DOWN| state \w+| tentative/g, '');
}
