/** What tests of Pods with a service veth need around them: Services as kube-proxy makes them, and commands in a namespace. */
import { execFileSync } from 'node:child_process';
import { type Container, eventually, type TestNode } from './lab.ts';

/** Runs a shell command in a namespace; returns what it prints. @throws Error with its stderr. */
export function inside(netns: string, command: string, input?: string): string {
  const args = ['netns', 'exec', netns.slice('/run/netns/'.length), 'sh', '-c', command];
  return execFileSync('ip', args, { encoding: 'utf8', timeout: 60_000, ...(input !== undefined && { input }) });
}

/** A Service: what is asked for on the node, and who answers. */
export interface Service {
  /** Destination as nft(8) has it: `ip daddr 10.96.0.10 tcp dport 8080`. */
  readonly asked: string;
  /** `10.20.1.5:8080`, or with brackets for IPv6. */
  readonly endpoint: string;
}

/** Resolves Services on the node, for what comes in and for what the node itself asks, as kube-proxy does; whoever asked keeps its address. */
export function serve(node: Pick<TestNode, 'netns'>, services: readonly Service[]): void {
  const rules = services
    .map(({ asked, endpoint }) => `${asked} dnat ${endpoint.startsWith('[') ? 'ip6' : 'ip'} to ${endpoint};`)
    .join('\n    ');
  const text = `table inet services; delete table inet services;
table inet services {
  chain come { type nat hook prerouting priority dstnat;
    ${rules}
  }
  chain ask { type nat hook output priority -100;
    ${rules}
  }
}`;
  inside(node.netns, 'nft -f -', text);
}

/** ADD, as soon as the node has what it takes: the first interface comes from the cloud. */
export async function addWhenReady(node: TestNode, pod: Container, config: Readonly<Record<string, unknown>> = {}): Promise<string[]> {
  return await eventually('the Pod has its interface', () => node.add(pod, { config }), 40);
}

/** All addresses of a node, of its interfaces for Pods too. */
export function addressesOn(node: Pick<TestNode, 'netns'>): string[] {
  const links = JSON.parse(inside(node.netns, 'ip -j addr')) as { addr_info: { local: string }[] }[];
  return links.flatMap(({ addr_info }) => addr_info.map(({ local }) => local));
}
