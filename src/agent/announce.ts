/**
 * Where a Pod's addresses are from now on, told to a network that no cloud polices: neighbours may remember who had them before. So may a cloud's port behind
 * which several MACs are, which macvlan needs: it would lead the Pod's packets to the MAC of whoever had the address before, until the Pod happens to speak.
 * So it is where a cloud leaves it to the node to answer (Neutron, QingCloud). Else a cloud is told nothing: it knows, and many answer for the addresses themselves, so that neighbours who learned the Pod's own MAC would not reach it.
 */
import { isMade } from '../datapath/interface.ts';
import { asFailure, sentence } from '../errors/failure.ts';
import { announceAddresses } from '../kernel/address-announce.ts';
import { podName } from './attach.ts';
import { type Attachment, type CloudPart, keyOf, type NodeAgent } from './node-agent.ts';
import { unpoliced } from './unpoliced.ts';

/** ANNOUNCE_INTERVAL of RFC 5227: the second announcement is for the case that the first was lost. */
const AGAIN_ms = 2000;

/** Announces them now and once more after a while, if the Pod is there still. A failure is a line in the log. */
export function announce(node: NodeAgent, cloud: CloudPart, attachment: Attachment): void {
  const { interface: pod, container, created_ms } = attachment;
  const announced = announcedBy(node, cloud, attachment);
  if (announced === undefined) return;
  const tell = (): void => {
    try {
      announced();
    } catch (error) {
      node.log.warn(`${podName(attachment)}: ${pod.addresses.join(', ')} could not be announced: ${sentence(asFailure(error))}`);
    }
  };
  tell();
  setTimeout(() => {
    const isThere = node.attachments.find(container, pod.ifname)?.created_ms === created_ms;
    if (isThere && !node.locks.held(keyOf(attachment))) tell();
  }, AGAIN_ms).unref();
}

/** By the node where it answers for the Pod, else by the Pod; undefined: the cloud knows by itself. */
function announcedBy({ kernel }: NodeAgent, cloud: CloudPart, attachment: Attachment): (() => void) | undefined {
  const { interface: pod, nic: id } = attachment;
  const answeredOn = isMade(pod) ? pod.answeredOn : undefined;
  if (answeredOn !== undefined) return () => kernel.announce(answeredOn.link, pod.addresses);
  const isAnsweredByPod = pod.datapath === 'ipvlan' && cloud.grants.nics.find(({ nic }) => nic.id === id)?.nic.nodeAnswers === true;
  if (pod.datapath !== 'macvlan' && !isAnsweredByPod && unpoliced(cloud, attachment) === undefined) return undefined;
  return () => announceAddresses(pod.netns, pod.ifname, pod.addresses);
}
