/** What one Pod asks for, from its annotations, and which IPClaim serves it. */
import type { SubnetId } from '../../cloud/cloud.ts';
import { failure, isFailure } from '../../errors/failure.ts';
import { type Family, type Ip, tryParseIp } from '../../net/address.ts';
import type { Cidr } from '../../net/cidr.ts';
import { CLAIM, IP, RECLAIM } from '../../store/claim-annotations.ts';
import type { ClusterPod } from '../../store/kubernetes/core-objects.ts';
import { claimKey, type StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import { matches } from '../../store/label-selector.ts';
import type { ClaimAsked } from '../../store/node-network.ts';
import type { ClaimBook } from './book.ts';

/** One Pod's wish, as far as it was followed. */
export interface Wish {
  readonly node: string;
  readonly uid: string;
  asked: ClaimAsked;
  /** Key of the claim that serves it. */
  claim?: string;
  /** What its PodSubnet gives each Pod, in this order; absent: not followed yet. */
  families?: readonly Family[];
  /** What its claim does not have yet. */
  fresh?: Fresh | undefined;
  /** Candidates (by their keys) that were tried in vain in this round, and why. */
  readonly tried: Map<string, string>;
  /** A block that another Pod, or the pool of a node, has, and that is asked back there. */
  inTheWay?: InTheWay | undefined;
  /** Why it is not served, in a sentence. Of what is wrong with the wish itself, or of what the cloud or the node lacks. */
  trouble?: { readonly text: string; readonly of: 'wish' | 'cloud' } | undefined;
  /** No interface could be made with its addresses; until they are assigned. */
  isRefusedAtBirth?: boolean;
  /** Addresses of our own choice that were somebody's. */
  misses: number;
  /** Not looked at before that time of the clock. */
  again_ms: number;
}

/** A block that is asked back on a node, since an address of it is asked for. */
export interface InTheWay {
  readonly node: string;
  readonly block: Cidr;
  /** Since when that node has it no more; its pool does not grow for a moment, or the cloud might give it the same again. */
  left_ms?: number;
}

/** Addresses that a claim is to get for one Pod. */
export interface Fresh {
  readonly subnet: string;
  /** Of which of its subnets of the cloud. */
  readonly cloudSubnet: SubnetId;
  /** Both, as {@link Wish.tried} has them. */
  readonly candidate: string;
  /** By value, at most one of a family. */
  readonly these: readonly Ip[];
  /** One of `these` was not asked for by anybody: we chose it. */
  readonly chosen: boolean;
  /** And an IPv4 address that the cloud chooses. */
  readonly any4: boolean;
}

/** The claim that serves the Pod; made when it is to have one of its own. @throws Failure claim*, kube* */
export async function claimFor(book: ClaimBook, asked: ClaimAsked, pod: ClusterPod): Promise<StoredClaim> {
  const { namespace } = asked;
  if (asked.claim !== undefined) {
    const claim = book.get(`${namespace}/${asked.claim}`);
    const reason = `is not there, and annotation ${CLAIM} of Pod ${namespace}/${pod.name} names it`;
    if (claim === undefined) throw failure('claimUnfit', { claim: `${namespace}/${asked.claim}`, reason });
    return fitting(claim, pod);
  }
  const addresses = addressesAsked(pod);
  const known = book.get(`${namespace}/${pod.name}`);
  if (known !== undefined) return having(addresses, fitting(known, pod));
  for (const address of addresses) refuseHeld(book, address);
  const spec = { pod: pod.name, addresses, ...reclaimOf(pod) };
  try {
    return await book.create(pod, spec);
  } catch (error) {
    if (isFailure(error, 'kubeInvalid')) throw failure('claimMisspelt', { annotation: IP, reason: error.details }, error);
    throw error;
  }
}

/** @throws Failure claimAddressTaken when a claim has the address, with the name of its Pod. */
export function refuseHeld(book: Pick<ClaimBook, 'holderOf'>, address: Ip): void {
  const holder = book.holderOf(address);
  if (holder === undefined) return;
  const held = holder.status.addresses.find((one) => one.address === address);
  const where = held?.node === undefined ? '' : ` on ${held.node}`;
  const whose = held?.pod === undefined ? '' : `, for Pod ${holder.namespace}/${held.pod}${where}`;
  throw failure('claimAddressTaken', { address, claim: claimKey(holder), whose });
}

function fitting(claim: StoredClaim, pod: ClusterPod): StoredClaim {
  const { spec } = claim;
  const refuse = (reason: string) => failure('claimUnfit', { claim: claimKey(claim), reason });
  if (claim.leaving) throw refuse('is being deleted');
  if (spec.pod !== undefined && spec.pod !== pod.name) throw refuse(`is for Pod ${spec.pod}, not for ${pod.name}`);
  if (spec.podSelector !== undefined && !matches(spec.podSelector, pod.labels))
    throw refuse(`is for Pods with other labels than ${pod.name} has (spec.podSelector)`);
  return claim;
}

/** What the annotation asks for by value must be among what the claim was made with. */
function having(addresses: readonly Ip[], claim: StoredClaim): StoredClaim {
  const known = [...claim.spec.addresses, ...claim.status.addresses.map(({ address }) => address)];
  const missing = addresses.filter((address) => !known.includes(address));
  if (missing.length === 0) return claim;
  const reason = `has ${known.join(', ') || 'no address'}, and annotation ${IP} asks for ${missing.join(', ')}: delete the IPClaim, or change the annotation`;
  throw failure('claimUnfit', { claim: claimKey(claim), reason });
}

/** `fixed`: none by value. */
function addressesAsked({ annotations }: ClusterPod): Ip[] {
  const text = annotations[IP] ?? 'fixed';
  if (text === 'fixed') return [];
  return text.split(',').map((part) => {
    const ip = tryParseIp(part.trim());
    const reason = `it says ${JSON.stringify(part.trim())}: write fixed, an address such as 10.20.0.17, or one of each family: 10.20.0.17,2001:db8::17`;
    if (ip === undefined) throw failure('claimMisspelt', { annotation: IP, reason });
    return ip;
  });
}

function reclaimOf({ annotations }: ClusterPod): { reclaim?: string; ttl_s?: number } {
  const text = annotations[RECLAIM];
  if (text === undefined) return {};
  const [, seconds] = /^TTL[=:](\d{1,8})$/.exec(text) ?? [];
  if (seconds !== undefined) return { reclaim: 'TTL', ttl_s: Number(seconds) };
  if (text === 'Retain' || text === 'Delete') return { reclaim: text };
  throw failure('claimMisspelt', { annotation: RECLAIM, reason: `it says ${JSON.stringify(text)}: write Retain, Delete or TTL=SECONDS` });
}
