/** A plain bridge under a cluster, without a cloud: each Pod block is routed to its node. To compare with. */
import { execFileSync } from 'node:child_process';
import { createNetns, deleteNetns, NAMED } from '../../src/kernel/netns.ts';
import { machineNames, type Underlay } from './underlay.ts';

/** Of node number i, from 1. */
export function podBlockOf(i: number): string {
  return `10.20.${127 + i}.0/24`;
}

const GATEWAY = '10.20.0.4';

/** Makes the namespaces, the bridge in the control plane's, and a cable to each node. */
export async function bridgeUnderlay(name: string, nodes: number): Promise<Underlay> {
  const names = machineNames(nodes);
  const all = [names.control, ...names.nodes];
  const remove = (): void => all.forEach((one) => deleteNetns(`${name}-${one}`));
  const address = (host: string): string => `10.20.0.${4 + all.indexOf(host)}`;
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
  };
  try {
    const control = `${name}-${names.control}`;
    createNetns(control);
    ip(control, 'link', 'set', 'lo', 'up');
    ip(control, 'link', 'add', 'br0', 'type', 'bridge');
    ip(control, 'link', 'set', 'br0', 'up');
    ip(control, 'address', 'add', `${GATEWAY}/24`, 'dev', 'br0');
    execFileSync('nsenter', [`--net=${NAMED}/${control}`, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
    names.nodes.forEach(wire);
  } catch (error) {
    remove();
    throw error;
  }
  return {
    host(host) {
      if (!all.includes(host)) throw new Error(`the bridge has no machine ${host}`);
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
