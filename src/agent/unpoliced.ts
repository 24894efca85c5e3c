/** Networks on which nobody but their hosts says who has which address. */
import { isAdopted } from '../datapath/interface.ts';
import { isRoutedByNode } from '../datapath/underlay.ts';
import type { Attachment, CloudPart } from './node-agent.ts';

/** The node's interface on such a network, where the Pod is on one; undefined: a cloud says who has what, or the node routes to the Pod. */
export function unpoliced({ grants }: CloudPart, { nic: id, interface: pod }: Attachment): string | undefined {
  const granted = grants.nics.find(({ nic }) => nic.id === id);
  if (granted?.nic.parent === undefined || isAdopted(pod)) return undefined;
  // Whoever makes the interface has it on the range's network, or the PodSubnet is not the one for it.
  if (pod.datapath === 'none') return granted.link;
  return pod.datapath === 'routed-veth' || isRoutedByNode(pod) ? undefined : pod.underlay.parent;
}
