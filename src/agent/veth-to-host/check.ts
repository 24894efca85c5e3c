/** CHECK of veth-to-host: is everything still as ADD made it, and the host where the Pod looks for it? Names each difference; changes nothing. */
import type { VethToHostAttachment } from '../../cni/veth-to-host-request.ts';
import { type ChainedVeth, chainedHostPlan, chainedPlan, familiesOf } from '../../datapath/veth-to-host.ts';
import { failure } from '../../errors/failure.ts';
import { sayDifference } from '../../kernel/compare.ts';
import { host } from '../../kernel/state.ts';
import { type ChainNode, chainedKey, chainedName, chainedLinksOf } from './chain-node.ts';
import { hostDifferences } from './host-addresses.ts';

/** @throws Failure notAttached, drifted, netnsMissing. */
export async function check(node: ChainNode, request: VethToHostAttachment): Promise<void> {
  using _turn = await node.locks.take(chainedKey(request));
  const { container, ifname, config } = request;
  const link = chainedLinksOf(node)
    .of(container, ifname)
    .find(({ name }) => name === config.containerInterface);
  if (link === undefined) throw failure('notAttached', { container, ifname: config.containerInterface });
  const { interface: veth } = link;
  const differences = [
    ...node.kernel.compare([...chainedHostPlan(familiesOf(veth)), ...chainedPlan(veth)]).map(sayDifference),
    ...hostDifferences(veth, node.kernel.look(host)),
    ...untold(veth, request),
  ];
  if (differences.length > 0) throw failure('drifted', { pod: chainedName(link), differences: differences.join('; ') });
}

/** What a later plugin of the list added to the result is not ours to judge; that ours is still in it is. */
function untold(veth: ChainedVeth, { prevResult }: VethToHostAttachment): string[] {
  const [names, addresses] = [
    new Set(prevResult.interfaces.map(({ name }) => name)),
    new Set(prevResult.ips.map(({ address }) => address.split('/')[0])),
  ];
  return [
    // Results below 0.3.0 have no interfaces.
    ...(names.size === 0
      ? []
      : [veth.hostEnd, veth.helper].filter((name) => !names.has(name)).map((name) => `prevResult lacks our interface ${name}`)),
    ...veth.addresses.filter((address) => !addresses.has(address)).map((address) => `prevResult lacks the address ${address}`),
  ];
}
