/**
 * Waits for the Pod's addresses to be ones that the kernel takes as a sender. An IPv6 address is not while the kernel asks its network whether somebody
 * else has it, a second or two; of the plugins before us some wait for that, some only with a gateway.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { VethToHostAttachment } from '../../cni/veth-to-host-request.ts';
import { failure } from '../../errors/failure.ts';
import type { LinkAddress } from '../../kernel/netlink/address.ts';
import type { Snapshot } from '../../kernel/snapshot.ts';
import { inNetns } from '../../kernel/state.ts';
import type { ChainNode } from './chain-node.ts';

/** As long as the reference plugins wait (pkg/ipam, SettleAddresses). */
const WITHIN_ms = 10_000;
const AGAIN_ms = 50;
const reasons = {
  taken: 'somebody else on its network has it: duplicate address detection failed',
  asking: `duplicate address detection has not ended within ${WITHIN_ms / 1000} s`,
} as const satisfies Record<NonNullable<LinkAddress['unusable']>, string>;

/** What the Pod holds once none of the addresses is in doubt. @throws Failure underlayAddressUnusable, netnsMissing. */
export async function lookOnceUsable(node: ChainNode, { netns, ifname, addresses }: VethToHostAttachment): Promise<Snapshot> {
  const deadline = performance.now() + WITHIN_ms;
  for (;;) {
    const pod = node.kernel.look(inNetns(netns));
    const link = pod.links.get(ifname)?.index;
    const own = pod.addresses.filter((one) => one.link === link && addresses.some(({ ip }) => ip === one.address));
    const doubtful = own.find(({ unusable }) => unusable !== undefined);
    if (doubtful?.unusable === undefined) return pod;
    if (doubtful.unusable === 'taken' || performance.now() >= deadline)
      throw failure('underlayAddressUnusable', { ifname, netns, address: doubtful.address, why: reasons[doubtful.unusable] });
    await sleep(AGAIN_ms);
  }
}
