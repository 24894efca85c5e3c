/**
 * A plain bridge under a cluster, without a cloud: each Pod block is routed to its node. Beside it there may be a second network, as an office or a rack has
 * one: a segment that every node has an interface without addresses on, and a machine that is not in the cluster. The control plane's machine is the router
 * of both.
 */
import { execFileSync } from 'node:child_process';
import { createNetns, deleteNetns, NAMED } from '../../src/kernel/netns.ts';
import { machineNames, type Underlay } from './underlay.ts';

/** Of node number i, from 1. */
export function podBlockOf(i: number): string {
  return `10.20.${127 + i}.0/24`;
}

const GATEWAY = '10.20.0.4';

/** The second network. */
export const lan = {
  /** What of it is for Pods, the router's address aside. The machine beside them is not in it: kube-proxy takes whoever is for a Pod. */
  pods4: '10.20.224.0/25',
  /** The nodes' interface. */
  parent: 'lan0',
  cidr4: '10.20.224.0/24',
  router4: '10.20.224.1',
  desk4: '10.20.224.250',
  cidr6: 'fd00:20:224::/64',
  desk6: 'fd00:20:224::fa',
} as const;

/** The machine on it that is not in the cluster. */
const DESK = 'desk';

/** Makes the namespaces, the bridge in the control plane's, and a cable to each node; with `withLan` the second network too. */
export async function bridgeUnderlay(name: string, nodes: number, withLan = false): Promise<Underlay> {
  const names = machineNames(nodes);
  const all = [names.control, ...names.nodes];
  const remove = (): void => [...all, DESK].forEach((one) => deleteNetns(`${name}-${one}`));
  const address = (host: string): string => (host === DESK ? lan.desk4 : `10.20.0.${4 + all.indexOf(host)}`);
  const wire = (host: string): void => {
    createNetns(`${name}-${host}`);
    const [control, node] = [`${name}-${names.control}`, `${name}-${host}`];
    // The old end goes with the old namespace, but some time later.
    tryIp(control, 'link', 'delete', host);
    ip(control, 'link', 'add', host, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', node);
    ip(control, 'link', 'set', host, 'master', 'br0', 'up');
    ip(control, 'route', 'replace', podBlockOf(all.indexOf(host)), 'via', address(host));
    for (const link of ['lo', 'eth0']) ip(node, 'link', 'set', link, 'up');
    ip(node, 'address', 'add', `${address(host)}/24`, 'dev', 'eth0');
    ip(node, 'route', 'add', 'default', 'via', GATEWAY);
    if (withLan) plugIntoLan(name, host, lan.parent);
  };
  try {
    const control = `${name}-${names.control}`;
    createNetns(control);
    ip(control, 'link', 'set', 'lo', 'up');
    ip(control, 'link', 'add', 'br0', 'type', 'bridge');
    ip(control, 'link', 'set', 'br0', 'up');
    ip(control, 'address', 'add', `${GATEWAY}/24`, 'dev', 'br0');
    execFileSync('nsenter', [`--net=${NAMED}/${control}`, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    if (withLan) makeLan(name);
    names.nodes.forEach(wire);
  } catch (error) {
    remove();
    throw error;
  }
  return {
    host(host) {
      if (!all.includes(host) && !(withLan && host === DESK)) throw new Error(`the bridge has no machine ${host}`);
      return { name: host, netns: `${NAMED}/${name}-${host}`, address: address(host) };
    },
    unplug: async (host) => deleteNetns(`${name}-${host}`),
    plug: async (host) => {
      deleteNetns(`${name}-${host}`);
      wire(host);
    },
    [Symbol.asyncDispose]: async () => remove(),
  };
}

/** The segment's bridge with the router on it, and the machine that is on it alone. */
function makeLan(name: string): void {
  const [control, desk] = [`${name}-${machineNames(0).control}`, `${name}-${DESK}`];
  ip(control, 'link', 'add', 'br1', 'type', 'bridge');
  ip(control, 'link', 'set', 'br1', 'up');
  ip(control, 'address', 'add', `${lan.router4}/24`, 'dev', 'br1');
  createNetns(desk);
  plugIntoLan(name, DESK, 'eth0');
  ip(desk, 'link', 'set', 'lo', 'up');
  ip(desk, 'address', 'add', `${lan.desk4}/24`, 'dev', 'eth0');
  ip(desk, 'address', 'add', `${lan.desk6}/64`, 'dev', 'eth0', 'nodad');
  ip(desk, 'route', 'add', 'default', 'via', lan.router4);
}

function plugIntoLan(name: string, host: string, link: string): void {
  const [control, end] = [`${name}-${machineNames(0).control}`, `${host}-lan`];
  tryIp(control, 'link', 'delete', end);
  ip(control, 'link', 'add', end, 'type', 'veth', 'peer', 'name', link, 'netns', `${name}-${host}`);
  ip(control, 'link', 'set', end, 'master', 'br1', 'up');
  ip(`${name}-${host}`, 'link', 'set', link, 'up');
}

function ip(netns: string, ...args: readonly string[]): void {
  execFileSync('ip', ['-n', netns, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
}

function tryIp(netns: string, ...args: readonly string[]): void {
  try {
    ip(netns, ...args);
  } catch {
    // It is as asked.
  }
}
