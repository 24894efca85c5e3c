/** Taking addresses for an attachment, and giving them back: a commit each. Memory and database change together. */
import type { AddRequest } from '../cni/request.ts';
import { type AttachedInterface, isAdopted } from '../datapath/interface.ts';
import { failure, isFailure } from '../errors/failure.ts';
import type { Taken } from '../ipam/pool.ts';
import type * as stored from '../store/attachments.ts';
import { lacksServiceAccount, type PodFacts } from '../store/kubernetes/node-pods.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { asksForClaim } from './claims.ts';
import type { RecordOf } from './interface-record.ts';
import { faultPoint } from './fault-point.ts';
import { type Attachment, type CloudPart, keyOf, type NodeAgent } from './node-agent.ts';
import { now_ms, type Wanting } from './pools.ts';
import { chooseSubnets } from './subnet-choice.ts';
import { untilClaimed } from './until-claimed.ts';

/** What of a request an attachment is made from. */
export interface AttachRequest extends Pick<AddRequest, 'container' | 'ifname' | 'netns' | 'pod' | 'ips'> {
  readonly config: Pick<AddRequest['config'], 'name' | 'subnet' | 'mtu'>;
  /** Whether addresses that belong to the Pod (IPClaims) are for this interface. */
  readonly claims: boolean;
}

/** Addresses, and of which PodSubnet. */
interface Granted {
  readonly subnet: PodSubnet;
  readonly taken: Taken;
}

const IPV6_MINIMUM_MTU = 1280;
/** The runtime may be faster than our watch; a Pod that nobody knows by then is served by what is known of its namespace. */
const KNOWN_WITHIN_ms = 2000;

/**
 * Leases addresses and commits the attachment.
 * @throws Failure noSubnet, namespaceUnknown, serviceAccountUnknown, configInvalid, addressesExhausted, claimNotHere, notReady, address*, store*, and as `recordOf`; nothing is leased then.
 */
export async function attach<I extends AttachedInterface>(
  node: NodeAgent,
  cloud: CloudPart,
  request: AttachRequest,
  recordOf: RecordOf<I>,
): Promise<stored.Attachment<I>> {
  const facts = await factsOf(cloud, request);
  const { subnet, taken } =
    request.claims && facts !== undefined && asksForClaim(facts)
      ? await untilClaimed(node, cloud, facts)
      : await leaseFromPool(cloud, request, facts);
  faultPoint('add:2 address taken');
  try {
    refuseSmallMtu(request, subnet);
    const nic = cloud.grants.nics.find((named) => named.nic.id === taken.nic);
    if (nic === undefined) throw failure('notReady', { reason: `NIC ${taken.nic} was unplugged`, details: '' });
    const { container, ifname, netns } = request;
    const attachment: stored.Attachment<I> = {
      container,
      ifname,
      network: request.config.name,
      pod: request.pod,
      netns,
      subnet: subnet.metadata.name,
      nic: nic.nic.id,
      state: 'opening',
      created_ms: Date.now(),
      interface: recordOf({ subnet, nic, addresses: taken.addresses }),
    };
    node.attachments.open(attachment);
    return attachment;
  } catch (error) {
    cloud.pools.release(subnet.metadata.name, taken.addresses, 0);
    throw error;
  }
}

/** What the API server says of the Pod; nothing outside of a cluster. */
async function factsOf({ pods, grants }: CloudPart, { pod, config }: AttachRequest): Promise<PodFacts | undefined> {
  if (pods === undefined || pod.namespace === undefined || pod.name === undefined) return undefined;
  const facts = await pods.find(pod.namespace, pod.name, pod.uid, KNOWN_WITHIN_ms);
  // Without its labels and annotations the Pod could get an address of a subnet that is not its own.
  if (facts !== undefined && facts.namespace === undefined)
    throw failure('namespaceUnknown', { pod: `${pod.namespace}/${pod.name}`, namespace: pod.namespace });
  if (facts !== undefined && config.subnet === undefined && lacksServiceAccount(grants.subnets, facts)) {
    const account = `${pod.namespace}/${facts.pod.serviceAccount ?? ''}`;
    throw failure('serviceAccountUnknown', { pod: `${pod.namespace}/${pod.name}`, account });
  }
  return facts;
}

async function leaseFromPool(cloud: CloudPart, request: AttachRequest, facts: PodFacts | undefined): Promise<Granted> {
  const pod = podName(request);
  const { namespace } = request.pod;
  const known = facts ?? { namespace: namespace === undefined ? undefined : cloud.pods?.namespace(namespace) };
  const candidates = chooseSubnets(cloud.grants.subnets, { pod, namespace, subnet: request.config.subnet, facts: known });
  // Before anything is waited for.
  for (const subnet of candidates) refuseSmallMtu(request, subnet);
  return await leaseFromFirst(cloud, candidates, { pod, requested: request.ips });
}

/** Asks one subnet after the other; those that are full and do not grow are passed over, the last one is asked in any case. */
async function leaseFromFirst({ pools, config }: CloudPart, candidates: readonly PodSubnet[], wanting: Wanting): Promise<Granted> {
  const end = performance.now() + config.addressWait_s * 1000;
  const last = candidates.at(-1);
  for (const subnet of candidates) {
    if (subnet !== last && !pools.mayServe(subnet)) continue;
    try {
      return { subnet, taken: await pools.lease(subnet, wanting, Math.max(0, end - performance.now())) };
    } catch (error) {
      if (subnet === last || !isFailure(error, 'addressesExhausted')) throw error;
    }
  }
  throw new Error('there was no candidate');
}

/** Below 1280 the kernel takes IPv6 off the link, and then refuses its addresses without saying why (RFC 8200, section 5). */
function refuseSmallMtu({ config: { mtu } }: AttachRequest, { metadata, spec }: PodSubnet): void {
  if (mtu === undefined || mtu >= IPV6_MINIMUM_MTU || !spec.families.includes(6)) return;
  const wanted = `${IPV6_MINIMUM_MTU} or more, since Pods of PodSubnet ${metadata.name} get IPv6 addresses,`;
  throw failure('configInvalid', { key: 'mtu', found: `the number ${mtu}`, wanted });
}

/** Commits that the attachment is over; its addresses rest from now on, or not at all when they never were on the wire. @throws Failure store*. */
export function detach(node: NodeAgent, attachment: Attachment, everUsed: boolean): void {
  const cooldown_ms = everUsed ? (node.cloud?.config.cooldown_s ?? 0) * 1000 : 0;
  const until_ms = now_ms() + cooldown_ms;
  node.attachments.close(attachment, cooldown_ms === 0 ? 0 : until_ms);
  node.interrupted.delete(keyOf(attachment));
  const [{ subnet, interface: own }, rested_ms] = [attachment, cooldown_ms === 0 ? 0 : until_ms];
  if (isAdopted(own)) for (const address of own.addresses) node.cloud?.pools.endOrphan(address, rested_ms);
  else node.cloud?.pools.release(subnet, own.addresses, rested_ms);
}

/** `namespace/name`, or the container when the runtime does not say. */
export function podName(request: {
  readonly container: string;
  readonly pod: { readonly namespace?: string; readonly name?: string };
}): string {
  const { namespace, name } = request.pod;
  if (name === undefined) return `container ${request.container}`;
  return namespace === undefined ? name : `${namespace}/${name}`;
}
