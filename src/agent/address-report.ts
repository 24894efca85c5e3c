/** What `flatpod ip` shows, as data: who has an address on this node, and who had it before. */
import { isAdopted } from '../datapath/interface.ts';
import { type Ip, familyOf } from '../net/address.ts';
import { type Cidr, contains, firstOf, sizeOf } from '../net/cidr.ts';
import type { FormerLease } from '../store/address-history.ts';
import type { GrantedNic } from '../store/node-network.ts';
import { subnetOfBlock } from '../store/nic-shares.ts';
import { quarantineOf } from '../store/quarantine.ts';
import { excludedOf } from '../store/within.ts';
import { podName } from './attach.ts';
import type { NodeAgent } from './node-agent.ts';
import { orphansIn } from './orphans.ts';
import { now_ms } from './pools.ts';

/**
 * How things stand with an address on a node.
 * - `leased`: a Pod has it; `orphan`: a Pod that the agent has no record of has it
 * - `taken`: somebody else was found to have it on the network, so it rests
 * - `cooling`: its last Pod has gone a moment ago; `free`: the next Pod may get it; `excluded`: no Pod gets it
 * - `claimed`: belongs to an IPClaim, whose Pod is not there
 * - `reclaiming`: free, but the controller wants it back; `returned`: given back, the controller is about to take it
 * - `interface`: a NIC's own; `gateway`: the subnet's
 * - `notHeld`: none of this node's
 */
export type AddressState =
  | 'leased'
  | 'orphan'
  | 'cooling'
  | 'taken'
  | 'free'
  | 'excluded'
  | 'claimed'
  | 'reclaiming'
  | 'returned'
  | 'interface'
  | 'gateway'
  | 'notHeld';

/** The answer; every field is plain JSON, texts are empty where there is nothing to tell. Times are milliseconds since the epoch. */
export interface AddressReport {
  readonly node: string;
  readonly address: string;
  readonly state: AddressState;
  readonly subnet: string;
  readonly nic: string;
  /** The block of the node's grants that it is of. */
  readonly block: string;
  /** Of a lease. */
  readonly holder?: { readonly pod: string; readonly container: string; readonly ifname: string; readonly since_ms: number };
  /** Of a rest, also because it is `taken`. */
  readonly until_ms?: number;
  /** Of `taken`: who has it, and the node's interface on that network. */
  readonly other?: { readonly holder: string; readonly link: string };
  /** The latest first. */
  readonly former: readonly (Omit<FormerLease, 'pod' | 'address'> & { readonly pod: string })[];
}

/** Reads memory, the history, and the routes of the kernel. */
export function addressReport(node: NodeAgent, address: Ip): AddressReport {
  const former = node.attachments.former(address).map(({ address: _, ...lease }) => ({ ...lease, pod: podName(lease) }));
  const nic = nicOf(node, address);
  const block = nic?.blocks.find((one) => contains(one, address));
  const place = { subnet: subnetAt(nic, block) ?? '', nic: nic?.id ?? '', block: block ?? '' };
  return { node: node.cloud?.name ?? '(no configuration)', address, ...place, ...standing(node, address, nic, block), former };
}

type Standing = Pick<AddressReport, 'state' | 'holder' | 'until_ms' | 'other'> & Partial<Pick<AddressReport, 'subnet' | 'nic'>>;

function standing(node: NodeAgent, address: Ip, nic: GrantedNic | undefined, block: Cidr | undefined): Standing {
  const lease = node.attachments.list().find((attachment) => attachment.interface.addresses.includes(address));
  if (lease !== undefined) {
    const holder = { pod: podName(lease), container: lease.container, ifname: lease.ifname, since_ms: lease.created_ms };
    // Of which PodSubnet and NIC a former plugin's address is, the grants say if anybody.
    return { state: 'leased', holder, ...(!isAdopted(lease.interface) && { subnet: lease.subnet, nic: lease.nic }) };
  }
  if (isOrphan(node, address)) return { state: 'orphan' };
  const other = quarantineOf(node.database, address, now_ms());
  if (other !== undefined) return { state: 'taken', until_ms: other.until_ms, other: { holder: other.holder, link: other.link } };
  const until_ms = node.attachments.restsUntil_ms(address);
  if (until_ms !== undefined && until_ms > now_ms()) return { state: 'cooling', until_ms };
  if (nic === undefined) return { state: 'notHeld' };
  if (nic.primary4 === address || nic.primary6 === address) return { state: 'interface' };
  if (block === undefined) return { state: nic.gateway4 === address || nic.gateway6 === address ? 'gateway' : 'notHeld' };
  if (nic.claimed?.includes(block) === true) return { state: 'claimed' };
  if (node.cloud?.pools.giveBack().includes(block) === true) return { state: 'returned' };
  if (isExcluded(node, nic, block, address)) return { state: 'excluded' };
  return { state: nic.reclaiming.includes(block) ? 'reclaiming' : 'free' };
}

/** The NIC that has the address, or whose subnet it is the gateway of. */
function nicOf({ cloud }: NodeAgent, address: Ip): GrantedNic | undefined {
  const nics = cloud?.grants.status?.nics ?? [];
  return (
    nics.find((nic) => nic.primary4 === address || nic.primary6 === address || nic.blocks.some((block) => contains(block, address))) ??
    nics.find((nic) => nic.gateway4 === address || nic.gateway6 === address)
  );
}

function isOrphan({ cloud, kernel }: NodeAgent, address: Ip): boolean {
  return cloud !== undefined && orphansIn(kernel, cloud.config.numbers.protocol, new Set()).includes(address);
}

/** An interface's own address and its gateway are told with the PodSubnet it is for first. */
function subnetAt(nic: GrantedNic | undefined, block: Cidr | undefined): string | undefined {
  return nic === undefined || block === undefined ? nic?.subnet : subnetOfBlock(nic, block);
}

/** As in src/ipam/usable.ts. */
function isExcluded({ cloud }: NodeAgent, nic: GrantedNic, block: Cidr, address: Ip): boolean {
  const spec = cloud?.grants.subnets.find(({ metadata }) => metadata.name === subnetAt(nic, block))?.spec;
  const isFirstOfPrefix = familyOf(address) === 6 && sizeOf(block) > 1n && firstOf(block) === address;
  return isFirstOfPrefix || (spec !== undefined && excludedOf(spec).some((one) => contains(one, address)));
}
