/** Waiting for a Pod's own addresses to be on this node: they may have to come from another one. */
import { setTimeout as sleep } from 'node:timers/promises';
import { failure } from '../errors/failure.ts';
import type { Taken } from '../ipam/pool.ts';
import type { NodeNetworkStatus } from '../store/node-network.ts';
import type { PodFacts } from '../store/kubernetes/node-pods.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { answerTo, takenBy } from './claims.ts';
import type { CloudPart, NodeAgent } from './node-agent.ts';

const POLL_ms = 20;
/** A report that could not be written is tried again. */
const ASK_EVERY_ms = 1000;

/** The addresses the controller granted to this very Pod. @throws Failure FP241 claimNotHere with what is in the way, when they do not come in time. */
export async function untilClaimed(node: NodeAgent, cloud: CloudPart, { pod }: PodFacts): Promise<{ subnet: PodSubnet; taken: Taken }> {
  const { grants, config } = cloud;
  const end = performance.now() + config.addressWait_s * 1000;
  for (let ask_ms = 0; ; ) {
    const found = whatIsGranted(node, cloud, grants.status, pod.uid);
    if ('taken' in found) return found;
    if (performance.now() > end) throw failure('claimNotHere', { pod: `${pod.namespace}/${pod.name}`, ...found });
    if (performance.now() >= ask_ms) {
      grants.demandChanged(true);
      ask_ms = performance.now() + ASK_EVERY_ms;
    }
    await sleep(POLL_ms);
  }
}

function whatIsGranted(
  { attachments }: NodeAgent,
  { grants }: CloudPart,
  status: NodeNetworkStatus | undefined,
  uid: string,
): { subnet: PodSubnet; taken: Taken } | { problem: string } {
  const answer = status === undefined ? undefined : answerTo(status, uid);
  if (status === undefined || answer === undefined) return { problem: 'the controller has not answered yet' };
  const taken = takenBy(status, answer);
  const subnet = grants.subnets.find(({ metadata }) => metadata.name === answer.subnet);
  if (taken === undefined || subnet === undefined)
    return { problem: answer.problem ?? `${answer.addresses.join(', ') || 'its address'} is on its way to this node` };
  const holder = attachments.list().find((attachment) => attachment.interface.addresses.some((ip) => taken.addresses.includes(ip)));
  if (holder === undefined) return { subnet, taken };
  return { problem: `container ${holder.container} on this node still has ${taken.addresses.join(', ')}` };
}
