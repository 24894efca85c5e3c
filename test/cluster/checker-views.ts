/** Who has which address, as each part of a cluster sees it: the API server, the nodes' agents, the VPC. */
import type { NodeReport } from '../../src/agent/status-report.ts';
import { askAgent } from '../../src/cli/ask.ts';
import { tryParseIp } from '../../src/net/address.ts';
import { contains, parseCidr } from '../../src/net/cidr.ts';
import type { KubeObject } from './admin.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterNode } from './node.ts';

/** A Pod, as far as addresses go. */
export interface PodObject extends KubeObject {
  readonly spec: { readonly nodeName?: string; readonly hostNetwork?: boolean };
  readonly status: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly state: { readonly terminated?: object } }[];
  };
}

/** A NIC in the VPC. */
export interface CloudNic {
  readonly id: string;
  readonly blocks: readonly string[];
  readonly primary4?: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly attachment?: { readonly instance: string; readonly deviceIndex: number };
}

/** What an agent says of a Pod whose namespace is there. */
export type LivePod = NodeReport['pods'][number];

const PATIENCE_ms = 5000;

/** Whether the addresses in its status are the Pod's own, and in use as far as the kubelet has said. */
export function usesAddresses({ spec, status, metadata }: PodObject): boolean {
  if (spec.hostNetwork === true || (status.phase !== 'Running' && status.phase !== 'Pending')) return false;
  const { containerStatuses = [] } = status;
  const isOver = containerStatuses.length > 0 && containerStatuses.every(({ state }) => state.terminated !== undefined);
  return !(metadata.deletionTimestamp !== undefined && isOver);
}

/** Addresses in the Pod's status. */
export function addressesOf({ status }: PodObject): string[] {
  return status.podIPs?.map(({ ip }) => ip) ?? (status.podIP === undefined ? [] : [status.podIP]);
}

/** `namespace/name`. */
export function nameOf({ metadata }: PodObject): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** The report of a node's agent. @throws Failure when it does not answer. */
export function reportOf(node: ClusterNode): Promise<NodeReport> {
  return askAgent<NodeReport>(node.path('/run/flatpod/cni.sock'), 'report', PATIENCE_ms);
}

/** The same; undefined when the node is off, or nobody answers there. */
export async function reportIfAny(node: ClusterNode): Promise<NodeReport | undefined> {
  return node.machine.isOn ? await reportOf(node).catch(() => undefined) : undefined;
}

interface LedgerObject extends KubeObject {
  readonly spec: { readonly shares: readonly { readonly node: string; readonly podSubnet: string; readonly blocks: readonly string[] }[] };
}

/** NICs of the VPC; those of a cluster in a test are fewer than a page. Without a VPC, one for each share of a range that a node has. @throws Failure */
export async function nicsOf(cluster: Cluster): Promise<CloudNic[]> {
  if (!cluster.isOnBridge) return (await cluster.vpc.api.call<{ items: CloudNic[] }>('GET', '/v1/nics?limit=1000')).items;
  const ledgers = await cluster.admin.list<LedgerObject>('/apis/flatpod.dev/v1alpha1/addressledgers');
  return ledgers
    .flatMap(({ spec }) => spec.shares)
    .map(({ node, podSubnet, blocks }) => ({
      id: `range:${podSubnet}/${node}`,
      blocks,
      tags: {},
      attachment: { instance: node, deviceIndex: 128 },
    }));
}

/** Those that are plugged into the node. */
export function nicsAt(cluster: Cluster, nics: readonly CloudNic[], node: string): CloudNic[] {
  const instance = cluster.isOnBridge ? node : cluster.vpc.lab.machines.get(node)?.id;
  return nics.filter(({ attachment }) => attachment?.instance === instance);
}

/** Whether one of the NICs has the address for a Pod: a NIC that was made for a Pod alone has none but its own. */
export function holds(nics: readonly CloudNic[], address: string): boolean {
  const ip = tryParseIp(address);
  return ip !== undefined && nics.some((nic) => blocksOf(nic).some((block) => contains(parseCidr(block), ip)));
}

/** What Pods may have of a NIC. */
export function blocksOf(nic: CloudNic): readonly string[] {
  return isForOnePod(nic) && nic.primary4 !== undefined ? [`${nic.primary4}/32`] : nic.blocks;
}

/** Whether the whole NIC is for one Pod. */
export function isForOnePod({ tags }: CloudNic): boolean {
  return tags['flatpod.dev/use'] === 'pod' || tags['flatpod.dev/use'] === 'branch';
}
