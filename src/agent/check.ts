/** CHECK: is everything still as ADD made it? Names each difference; changes nothing. */
import type { CheckRequest } from '../cni/request.ts';
import { planOf } from '../datapath/datapath.ts';
import { isLeased } from '../datapath/interface.ts';
import { failure } from '../errors/failure.ts';
import { sayDifference } from '../kernel/compare.ts';
import { podName } from './attach.ts';
import { keyOf, type NodeAgent } from './node-agent.ts';

/** @throws Failure notAttached, drifted, netnsMissing. */
export async function check(node: NodeAgent, request: CheckRequest): Promise<void> {
  using _turn = await node.locks.take(keyOf(request));
  const { container, ifname } = request;
  const attachment = node.attachments.find(container, ifname);
  if (attachment === undefined || isLeased(attachment.interface)) throw failure('notAttached', { container, ifname });
  const differences = node.kernel.compare(planOf(attachment.interface)).map(sayDifference);
  // What a later plugin of the list added is not ours to judge; that our address is still in the result is.
  const told = new Set(request.prevResult.ips.map(({ address }) => address.split('/')[0]));
  for (const address of attachment.interface.addresses) if (!told.has(address)) differences.push(`prevResult lacks our address ${address}`);
  if (differences.length > 0)
    throw failure('drifted', { pod: podName({ ...request, pod: attachment.pod }), differences: differences.join('; ') });
}
