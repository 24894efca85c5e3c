/** The mark by which EC2 tells an interface's own IPv6 address from those of Pods. It is lost when the interface is detached. */
import type { NicId } from '../cloud.ts';
import type { Left } from './ec2.ts';
import { confirmed } from './fields.ts';
import { Refused } from './refused.ts';
import type { Aws } from './surroundings.ts';

/**
 * Has EC2 mark the interface's first IPv6 address, if the last answer about it lacked the mark; it is attached, or a branch of a trunk, by now. What EC2
 * refuses stays unmarked: by our tag the address is known all the same. @throws Failure cloud* when the answer is lost
 */
export async function markIpv6(nic: NicId, aws: Aws, left: Left): Promise<void> {
  if (!aws.known.lacksMark(nic)) return;
  const parameters = { NetworkInterfaceId: nic, EnablePrimaryIpv6: true };
  const answer = await aws.ec2.ask({ action: 'ModifyNetworkInterfaceAttribute', parameters, object: nic, read: confirmed }, left);
  if (!(answer instanceof Refused)) aws.known.marked(nic);
}
