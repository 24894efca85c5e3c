/** What one Pod asks for, from its annotations, and which IPClaim serves it. */
import { isFailure } from '../../errors/failure.ts';
import { familyOf, type Ip, tryParseIp } from '../../net/address.ts';
import type { ClusterPod } from '../../store/kubernetes/core-objects.ts';
import { claimKey, type HeldAddress, type StoredClaim } from '../../store/kubernetes/stored-claim.ts';
import { matches } from '../../store/label-selector.ts';
import type { ClaimAsked } from '../../store/node-network.ts';
import type { ClaimBook } from './book.ts';

/** Something a person has to put right; its message goes into the Pod's event. */
export class Unservable extends Error {}

/** Which of the claim's addresses is to be the Pod's. */
export type Choice =
  | { readonly kind: 'held'; readonly held: HeldAddress }
  /** One that the claim does not have yet; absent: any. */
  | { readonly kind: 'new'; readonly address: Ip | undefined };

/** The claim that serves the Pod; made when it is to have one of its own. @throws Unservable, Failure kube* */
export async function claimFor(book: ClaimBook, asked: ClaimAsked, pod: ClusterPod): Promise<StoredClaim> {
  const { namespace } = asked;
  if (asked.claim !== undefined) {
    const claim = book.get(`${namespace}/${asked.claim}`);
    if (claim === undefined)
      throw new Unservable(`there is no IPClaim ${asked.claim} in namespace ${namespace}, which annotation flatpod.dev/ip-claim names`);
    return fitting(claim, pod);
  }
  const addresses = addressesAsked(pod);
  const known = book.get(`${namespace}/${pod.name}`);
  if (known !== undefined) return fitting(known, pod);
  for (const address of addresses) refuseHeld(book, address);
  const spec = { pod: pod.name, addresses, ...reclaimOf(pod), ...(asked.subnets[0] !== undefined && { subnet: asked.subnets[0] }) };
  try {
    return await book.create(namespace, pod.name, spec);
  } catch (error) {
    if (isFailure(error, 'kubeInvalid')) throw new Unservable(`its annotations make no valid IPClaim: ${error.details}`);
    throw error;
  }
}

/**
 * Which address the Pod gets. `coming`: addresses that are being assigned for other Pods of the claim; undefined among them for any.
 * @throws Unservable: all of them have Pods, or another claim has the one asked for.
 */
export async function choose(
  book: ClaimBook,
  claim: StoredClaim,
  coming: readonly (Ip | undefined)[],
  gone: (held: HeldAddress) => Promise<boolean>,
): Promise<Choice> {
  const { spec, status } = claim;
  for (const held of status.addresses) {
    // Of a claim for one Pod by name, whoever had it before is gone: no two Pods have one name.
    if (held.podUid === undefined || spec.pod !== undefined || (await gone(held))) return { kind: 'held', held };
  }
  if (status.addresses.length + coming.length >= spec.count) {
    const holders = status.addresses.map(({ address, pod }) => `${address}: ${pod ?? 'nobody'}`).join(', ');
    throw new Unservable(`all ${spec.count} addresses of IPClaim ${claimKey(claim)} have Pods (${holders}); raise its spec.count`);
  }
  const known = new Set([...status.addresses.map(({ address }) => address), ...coming]);
  const address = spec.addresses.find((ip) => !known.has(ip));
  if (address !== undefined) refuseHeld(book, address);
  return { kind: 'new', address };
}

function refuseHeld(book: ClaimBook, address: Ip): void {
  const holder = book.holderOf(address);
  if (holder === undefined) return;
  const held = holder.status.addresses.find((one) => one.address === address);
  const whose =
    held?.pod === undefined ? '' : `, for Pod ${holder.namespace}/${held.pod}${held.node === undefined ? '' : ` on ${held.node}`}`;
  throw new Unservable(`${address} belongs to IPClaim ${claimKey(holder)} already${whose}`);
}

function fitting(claim: StoredClaim, pod: ClusterPod): StoredClaim {
  const { spec } = claim;
  if (claim.leaving) throw new Unservable(`IPClaim ${claimKey(claim)} is being deleted`);
  if (spec.pod !== undefined && spec.pod !== pod.name) throw new Unservable(`IPClaim ${claimKey(claim)} is for Pod ${spec.pod}`);
  if (spec.podSelector !== undefined && !matches(spec.podSelector, pod.labels))
    throw new Unservable(`IPClaim ${claimKey(claim)} is for Pods with other labels (spec.podSelector)`);
  return claim;
}

/** `fixed`: none by value. */
function addressesAsked({ annotations }: ClusterPod): Ip[] {
  const text = annotations['flatpod.dev/ip'] ?? 'fixed';
  if (text === 'fixed') return [];
  return text.split(',').map((part) => {
    const ip = tryParseIp(part.trim());
    if (ip === undefined)
      throw new Unservable(`annotation flatpod.dev/ip says ${JSON.stringify(part.trim())}: write fixed, or an address such as 10.20.0.17`);
    if (familyOf(ip) === 6) throw new Unservable(`annotation flatpod.dev/ip asks for ${ip}: only IPv4 addresses can be fixed`);
    return ip;
  });
}

function reclaimOf({ annotations }: ClusterPod): { reclaim?: string; ttl_s?: number } {
  const text = annotations['flatpod.dev/ip-reclaim'];
  if (text === undefined) return {};
  const [, seconds] = /^TTL[=:](\d{1,8})$/.exec(text) ?? [];
  if (seconds !== undefined) return { reclaim: 'TTL', ttl_s: Number(seconds) };
  if (text === 'Retain' || text === 'Delete') return { reclaim: text };
  throw new Unservable(`annotation flatpod.dev/ip-reclaim says ${JSON.stringify(text)}: write Retain, Delete or TTL=SECONDS`);
}
