/**
 * Where the model keeps VIPs: as blocks of NICs that are no interfaces, by subnet and account one for each kind of who may speak for them. So what is a VIP counts as
 * taken, and the fabric knows it.
 */
import type { NicId, SubnetId } from '../../cloud/cloud.ts';
import type { Ip } from '../../net/address.ts';
import { hostCidr } from '../../net/cidr.ts';
import { defaultGroup } from '../calls/groups.ts';
import { newId } from '../calls/token.ts';
import type { Transaction } from '../model/model.ts';
import type { Nic, State } from '../model/objects.ts';
import { freshMac } from './nics.ts';

/** Who may speak for a VIP: nobody while its job runs. */
export type Speakers = NonNullable<Nic['floating']>;

/** Who may, once the job is done. */
export function speakersOf({ vipsNeedAspoof }: { readonly vipsNeedAspoof: boolean }): Speakers {
  return vipsNeedAspoof ? 'by any-source NICs' : 'by all NICs';
}

/** Where VIPs are and whose. */
export type Place = Pick<Nic, 'subnet' | 'account'>;

/** An empty holder, in no state yet. */
export function newHolder({ state, now_ms }: Transaction, subnet: SubnetId, floating: Speakers): Nic {
  return {
    id: newId<NicId>('nic'),
    mac: freshMac(state),
    subnet,
    blocks: [],
    securityGroups: [defaultGroup(state).id],
    tags: {},
    description: 'no interface: VIPs of its subnet',
    floating,
    createdAt_ms: now_ms,
  };
}

/** Holds the addresses, which must be free. */
export function hold(transaction: Transaction, { subnet, account }: Place, ips: readonly Ip[], speakers: Speakers): void {
  if (ips.length === 0) return;
  const holder =
    holdersOf(transaction.state, subnet).find((one) => one.floating === speakers && one.account === account) ??
    newHolder(transaction, subnet, speakers);
  transaction.put('nic', { ...holder, ...(account !== undefined && { account }), blocks: [...holder.blocks, ...ips.map(hostCidr)] });
}

/** Frees the addresses. Succeeds for those that nobody holds. */
export function free(transaction: Transaction, subnet: SubnetId, ips: readonly Ip[]): void {
  const gone = new Set(ips.map(hostCidr));
  for (const holder of holdersOf(transaction.state, subnet)) {
    const blocks = holder.blocks.filter((block) => !gone.has(block));
    if (blocks.length === 0) transaction.remove('nic', holder.id);
    else if (blocks.length < holder.blocks.length) transaction.put('nic', { ...holder, blocks });
  }
}

/** Says of all VIPs whose job is done who may speak for them. */
export function setSpeakers(transaction: Transaction, speakers: Speakers): void {
  for (const nic of transaction.state.nic.values())
    if (nic.floating !== undefined && nic.floating !== 'by no NIC') transaction.put('nic', { ...nic, floating: speakers });
}

function holdersOf(state: State, subnet: SubnetId): Nic[] {
  return [...state.nic.values()].filter((nic) => nic.floating !== undefined && nic.subnet === subnet);
}
