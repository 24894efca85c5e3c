/** Whose an address is, by the cluster's objects. Pure. */
import type { Ip } from '../../net/address.ts';
import { contains } from '../../net/cidr.ts';
import type { StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import type { GrantedNic } from '../../store/node-network.ts';
import { type Place as NicPlace, placeOf as placeIn } from '../../store/nic-shares.ts';
import type { NodeView, PodView } from './core.ts';
import type { SubnetView } from './objects.ts';
import type { StoredNodeNetwork } from '../../store/kubernetes/stored-node-network.ts';
import { nameOfPod } from './why-facts.ts';
import { sayCloudSubnets } from '../../store/subnet-id.ts';

/** What was read. */
export interface OwnerFacts {
  readonly address: Ip;
  readonly networks: readonly StoredNodeNetwork[];
  readonly subnets: readonly SubnetView[];
  readonly nodes: readonly NodeView[];
  /** Pods that have the address, or had it: others may be among them. */
  readonly pods: readonly PodView[];
  readonly claims: readonly StoredClaim[];
}

/**
 * - `pod`: a Pod has it; `claim`: it is kept for a Pod of an IPClaim; `held`: a node has it, and no Pod that the API server knows of
 * - `interface`: a NIC's own; `node`: a Node's; `gateway`: a subnet's; `excluded`: no Pod may get it
 * - `subnet`: of a PodSubnet, but no node's; `nobody`: of none
 */
export type OwnerKind = 'pod' | 'claim' | 'held' | 'interface' | 'node' | 'gateway' | 'excluded' | 'subnet' | 'nobody';

/** The answer; texts are empty where there is nothing to tell. */
export interface Owner {
  readonly kind: OwnerKind;
  readonly sentence: string;
  readonly pod: string;
  /** The node whose NIC has it. */
  readonly node: string;
  readonly nic: string;
  readonly subnet: string;
  readonly block: string;
  readonly claim: string;
}

interface Place extends NicPlace {
  readonly node: string;
}

/** Answers. */
export function ownerOf(facts: OwnerFacts): Owner {
  const { address } = facts;
  const place = placeOf(facts);
  const claim = facts.claims.find(({ status }) => status.addresses.some((held) => held.address === address));
  const subnet = place?.subnet ?? subnetOf(facts)?.metadata.name ?? '';
  const common = {
    node: place?.node ?? '',
    nic: place?.nic.id ?? '',
    subnet,
    block: place?.block ?? '',
    claim: claim === undefined ? '' : `${claim.namespace}/${claim.name}`,
    pod: '',
  };
  const where =
    place === undefined
      ? 'no node was granted it'
      : `NIC ${place.nic.id} of node ${place.node}, block ${place.block}, PodSubnet ${subnet || '-'}`;
  const pod = facts.pods.find((one) => has(one, address));
  if (pod !== undefined) {
    const name = nameOfPod(pod);
    const of = claim === undefined ? '' : ` by IPClaim ${common.claim}`;
    return { ...common, kind: 'pod', pod: name, sentence: `${address} is ${name}'s${of}, on node ${pod.node ?? '?'}: ${where}` };
  }
  const held = claim?.status.addresses.find((one) => one.address === address);
  if (held !== undefined) {
    const whom = held.pod === undefined ? '' : ` for Pod ${held.pod}`;
    return {
      ...common,
      kind: 'claim',
      sentence: `${address} is kept by IPClaim ${common.claim}${whom}: ${held.phase} since ${held.since}; ${where}`,
    };
  }
  return withoutPod(facts, common, place, where);
}

function withoutPod(facts: OwnerFacts, common: Omit<Owner, 'kind' | 'sentence'>, place: Place | undefined, where: string): Owner {
  const { address, networks, nodes } = facts;
  const own = nicsOf(networks).find(({ nic }) => nic.primary4 === address || nic.primary6 === address);
  const node = nodes.find(({ addresses }) => addresses.includes(address));
  if (own !== undefined) {
    const also = node === undefined ? '' : `; it is the address of node ${node.name} too`;
    const sentence = `${address} is the own address of NIC ${own.nic.id} of node ${own.node}, and no Pod's${also}`;
    return { ...common, kind: 'interface', node: own.node, nic: own.nic.id, subnet: own.nic.subnet ?? common.subnet, sentence };
  }
  if (node !== undefined)
    return { ...common, kind: 'node', node: node.name, sentence: `${address} is the address of node ${node.name}, and no Pod's` };
  const gateway = nicsOf(networks).find(({ nic }) => nic.gateway4 === address || nic.gateway6 === address);
  if (gateway !== undefined) {
    const sentence = `${address} is the gateway of the subnet of NIC ${gateway.nic.id} (PodSubnet ${gateway.nic.subnet ?? '-'}), and no Pod's`;
    return { ...common, kind: 'gateway', subnet: gateway.nic.subnet ?? '', sentence };
  }
  const subnet = facts.subnets.find(({ metadata }) => metadata.name === common.subnet);
  if (subnet?.spec.exclude.some((block) => contains(block, address)) === true) {
    return {
      ...common,
      kind: 'excluded',
      sentence: `${address} is for no Pod: spec.exclude of PodSubnet ${common.subnet} names it; ${where}`,
    };
  }
  if (place !== undefined) return { ...common, kind: 'held', sentence: `${address} is no Pod's: ${where}` };
  if (subnet !== undefined) {
    const [what, next] =
      subnet.spec.range !== undefined
        ? ['its range', 'any may get it']
        : [`cloud subnet ${sayCloudSubnets(subnet)}`, 'the cloud may give it to any, or to somebody else'];
    const sentence = `${address} is of PodSubnet ${common.subnet} (${what}), and no node holds it: ${next}`;
    return { ...common, kind: 'subnet', sentence };
  }
  return { ...common, kind: 'nobody', sentence: `${address} is of no PodSubnet that is known, and no node's` };
}

/** A Pod on its node's network has the node's address; one that has ended has given its own back. */
function has({ hostNetwork, phase, ips }: PodView, address: Ip): boolean {
  return !hostNetwork && phase !== 'Succeeded' && phase !== 'Failed' && ips.includes(address);
}

/** The node and NIC whose grants have it. */
function placeOf({ address, networks }: Pick<OwnerFacts, 'address' | 'networks'>): Place | undefined {
  for (const { name, status } of networks) {
    const place = placeIn(status?.nics ?? [], address);
    if (place !== undefined) return { ...place, node: name };
  }
  return undefined;
}

/** Names of the nodes whose grants, or interfaces, have it. */
export function nodesWith(address: Ip, networks: readonly StoredNodeNetwork[]): string[] {
  const found = nicsOf(networks).filter(
    ({ nic }) => nic.primary4 === address || nic.primary6 === address || nic.blocks.some((block) => contains(block, address)),
  );
  return [...new Set(found.map(({ node }) => node))];
}

function subnetOf({ address, subnets, networks }: OwnerFacts): SubnetView | undefined {
  const known = subnets.find(({ status }) => status?.cidrs.some((cidr) => contains(cidr, address)) === true);
  if (known !== undefined) return known;
  const near = nicsOf(networks).find(({ nic }) => [nic.cidr4, nic.cidr6].some((cidr) => cidr !== undefined && contains(cidr, address)));
  return subnets.find(({ metadata }) => metadata.name === near?.nic.subnet);
}

function nicsOf(networks: readonly StoredNodeNetwork[]): { readonly node: string; readonly nic: GrantedNic }[] {
  return networks.flatMap(({ name, status }) => (status?.nics ?? []).map((nic) => ({ node: name, nic })));
}
