/** Pods that a former plugin made and that live on: what of them the node stands for. */
import { adopted } from '../../datapath/adopted.ts';
import { type AttachedInterface, isAdopted, isMade } from '../../datapath/interface.ts';
import { isNetns } from '../../kernel/netns.ts';
import type { Plan } from '../../kernel/state.ts';
import type { Ip } from '../../net/address.ts';
import { type Attachment, keyOf, type NodeAgent } from '../node-agent.ts';

/** Addresses that they use. */
export function adoptedAddresses(attachments: readonly Attachment[]): Ip[] {
  return attachments.flatMap(({ interface: own }) => (isAdopted(own) ? own.addresses : []));
}

/** Whether the Pod's namespace is there; of one whose namespace nobody could name, whether the host's end of its veth is. */
export function isAlive({ kernel }: NodeAgent, { netns, interface: own }: Attachment): boolean {
  if (netns !== '' || !isAdopted(own)) return isNetns(netns);
  const { hostEnd } = own;
  return hostEnd !== undefined && kernel.links().some(({ name, mac }) => name === hostEnd.link && mac === hostEnd.mac);
}

/** Plans to defend: of Pods whose end would be seen, and that no verb works on. What goes with a Pod must not be put back after it. */
export function adoptedPlans(node: NodeAgent): Plan[] {
  return node.attachments.list().flatMap((attachment) => {
    const { interface: own, netns } = attachment;
    return isAdopted(own) && netns !== '' && !node.locks.held(keyOf(attachment)) ? [adopted(own)] : [];
  });
}

/** The host's end of the interface's veth; empty: it has none that we know of. */
export function hostEndOf(attached: AttachedInterface): string {
  if (isMade(attached)) return attached.hostEnd;
  return isAdopted(attached) ? (attached.hostEnd?.link ?? '') : '';
}
