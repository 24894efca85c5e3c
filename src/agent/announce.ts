/** Where a Pod's addresses are from now on, told to the network that the Pod is on: neighbours may remember who had them before. */
import { isRoutedByNode } from '../datapath/underlay.ts';
import { asFailure, sentence } from '../errors/failure.ts';
import { announceAddresses } from '../kernel/address-announce.ts';
import { podName } from './attach.ts';
import { type Attachment, keyOf, type NodeAgent } from './node-agent.ts';

/** ANNOUNCE_INTERVAL of RFC 5227: the second announcement is for the case that the first was lost. */
const AGAIN_ms = 2000;

/** Announces them now and once more after a while, if the Pod is there still. Of a Pod that its node routes to there is nothing to tell. A failure is a line in the log. */
export function announce(node: NodeAgent, attachment: Attachment): void {
  const { interface: pod, container, created_ms } = attachment;
  if (pod.datapath === 'routed-veth' || isRoutedByNode(pod)) return;
  const tell = (): void => {
    try {
      announceAddresses(pod.netns, pod.ifname, pod.addresses);
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
