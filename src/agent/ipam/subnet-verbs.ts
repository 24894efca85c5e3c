/**
 * Addresses of PodSubnets for interfaces that other main plugins make: leased by the agent as for Pods of its own, asked for on the network as well, and
 * kept as attachments without a plan. DEL, GC, the sweep and a restart find them as they find any other.
 */
import { parseArgs } from '../../cni/args.ts';
import type { AttachmentAsked } from '../../cni/asked.ts';
import type { IpamConfig } from '../../cni/ipam/config.ts';
import type { Result, ResultIp } from '../../cni/result.ts';
import type { AttachmentName } from '../../cni/valid-attachments.ts';
import { isLeased, type LeasedInterface } from '../../datapath/interface.ts';
import { failure } from '../../errors/failure.ts';
import { familyOf, type Ip } from '../../net/address.ts';
import { lengthOf } from '../../net/cidr.ts';
import type { GrantedNic } from '../../store/node-network.ts';
import { detach } from '../attach.ts';
import { answeredAdd } from '../answered-adds.ts';
import { attachUnrivalled } from '../attach-unrivalled.ts';
import { endAttachment } from '../del.ts';
import { faultPoint } from '../fault-point.ts';
import { type Attachment, type CloudPart, keyOf, type NodeAgent } from '../node-agent.ts';
import { removeStale } from '../remove-stale.ts';
import { draining } from '../status.ts';
import type { PodSubnetLeases } from './subnet-leases.ts';
import type { IpamBooks } from './verbs.ts';
import { leasesOf } from './books.ts';
import { whichSubnet } from './which-subnet.ts';

/** The books of this node's agent. */
export function booksOf(node: NodeAgent): IpamBooks {
  return { leases: leasesOf(node.database), podSubnets: podSubnetsOf(node), log: node.log };
}

function podSubnetsOf(node: NodeAgent): PodSubnetLeases {
  return {
    serves: ({ clusterWide, subnet, sets }) => clusterWide && (subnet !== undefined || (sets.length > 0 && node.cloud?.pods !== undefined)),
    ready: (config) => void whichSubnet(config, cloudOf(node, config).grants.subnets),
    add: (asked, config) => add(node, asked, config),
    answered: (of) => answeredAdd(node, of),
    check: (asked, prevResult) => check(node, asked, prevResult),
    release: (of, network, upTo_ms) => release(node, of, network, upTo_ms),
    collect: (network, living) => collect(node, network, living),
  };
}

/** @throws Failure ipamSubnetUnknown, notReady. */
function cloudOf({ cloud }: NodeAgent, { subnet }: IpamConfig): CloudPart {
  if (cloud === undefined)
    throw failure('ipamSubnetUnknown', { subnet: subnet ?? '', reason: 'the agent of this node has no configuration' });
  if (cloud.grants.draining !== undefined) throw failure('notReady', draining);
  return cloud;
}

/** Commits before it answers, as the main plugin's ADD does. */
async function add(node: NodeAgent, asked: AttachmentAsked, config: IpamConfig): Promise<readonly ResultIp[]> {
  const cloud = cloudOf(node, config);
  const subnet = whichSubnet(config, cloud.grants.subnets).metadata.name;
  using _turn = await node.locks.take(keyOf(asked));
  const known = before(node, asked, config);
  if (known !== undefined) return placesOf(cloud, known);
  const { container, ifname, netns } = asked;
  const { pod, ips } = parseArgs(asked.args);
  const request = { container, ifname, netns, pod, ips: config.requested.length > 0 ? config.requested : ips };
  const attaching = { ...request, config: { name: config.network, subnet, mtu: undefined }, claims: false };
  let places: readonly ResultIp[] = [];
  // Before the commit: what cannot be told to the other plugin must not be leased.
  await attachUnrivalled(node, cloud, attaching, ({ nic, addresses }): LeasedInterface => {
    places = addresses.map((address) => placeOf(nic.nic, address));
    return { datapath: 'none', netns, ifname, addresses };
  });
  faultPoint('add:3 attachment committed');
  return places;
}

/** What the interface has already, where it may ask again; what a predecessor died over goes first. @throws Failure attachmentServed. */
function before(node: NodeAgent, asked: AttachmentAsked, { sameAgain }: IpamConfig): Attachment | undefined {
  const known = node.attachments.find(asked.container, asked.ifname);
  if (known === undefined) return undefined;
  const isOurs = isLeased(known.interface);
  if (isOurs && sameAgain) return known;
  if (isOurs && node.interrupted.has(keyOf(asked))) {
    detach(node, known, true);
    return undefined;
  }
  const { container, ifname } = asked;
  throw failure('attachmentServed', {
    container,
    ifname,
    ranges: `PodSubnet ${known.subnet}`,
    address: known.interface.addresses.join(', '),
  });
}

function placesOf({ grants }: CloudPart, { nic: id, interface: { addresses } }: Attachment): ResultIp[] {
  const named = grants.nics.find(({ nic }) => nic.id === id);
  if (named === undefined) throw failure('notReady', { reason: `NIC ${id} was unplugged`, details: '' });
  return addresses.map((address) => placeOf(named.nic, address));
}

/** The address with the length and the gateway of its network. */
function placeOf({ id, cidr4, gateway4, cidr6, gateway6 }: GrantedNic, ip: Ip): ResultIp {
  const [cidr, gateway] = familyOf(ip) === 4 ? [cidr4, gateway4] : [cidr6, gateway6];
  if (cidr === undefined) throw failure('notReady', { reason: `NIC ${id} has no IPv${familyOf(ip)} subnet`, details: '' });
  return { address: `${ip}/${lengthOf(cidr)}`, ...(gateway !== undefined && { gateway }) };
}

function check(node: NodeAgent, { container, ifname }: AttachmentName, prevResult: Result | undefined): void {
  const attachment = node.attachments.find(container, ifname);
  if (attachment === undefined || !isLeased(attachment.interface))
    throw failure('leaseUnknown', { container, ifname, scope: 'any PodSubnet' });
  const told = new Set(prevResult?.ips.map(({ address }) => address.split('/')[0]));
  const missing = prevResult === undefined ? [] : attachment.interface.addresses.filter((address) => !told.has(address));
  const differences = missing.map((address) => `prevResult lacks ${address}, which is leased`).join('; ');
  if (differences !== '') throw failure('leaseDiffers', { container, ifname, differences });
}

async function release(node: NodeAgent, of: AttachmentName, network: string | undefined, upTo_ms: number): Promise<void> {
  const isMeant = (one: Attachment): boolean =>
    isLeased(one.interface) && (network === undefined || one.network === network) && one.created_ms <= upTo_ms;
  await endAttachment(node, of, isMeant);
}

async function collect(node: NodeAgent, network: string, living: ReadonlySet<string>): Promise<void> {
  const own = node.attachments.list().filter((one) => one.network === network && isLeased(one.interface));
  await removeStale(
    own.filter((one) => !living.has(keyOf(one))),
    keyOf,
    async (one) => {
      if (await endAttachment(node, one, (now) => now.created_ms === one.created_ms))
        node.log.info(`GC released ${one.interface.addresses.join(', ')} of ${keyOf(one)}`);
    },
  );
}
