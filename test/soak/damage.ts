/** What others take away from us: on the host, where the agent sees it, and inside of a Pod, where CHECK must. */
import { execFileSync } from 'node:child_process';
import { NAMED } from '../../src/kernel/netns.ts';
import { nodeOf, type Stage } from './stage.ts';
import type { hostDamages, podDamages } from './steps.ts';
import type { Key } from './world.ts';

/** Takes it from the host. What an earlier damage took away already cannot be taken twice, and that is fine. */
export async function damageHost(stage: Stage, what: (typeof hostDamages)[number], { box, ifname }: Key): Promise<void> {
  const node = nodeOf(stage, box);
  const { container } = stage.container(box);
  const pod = (await node.report()).pods.find((one) => one.container === container && one.ifname === ifname);
  const [address = '', link = ''] = [pod?.addresses[0], pod?.link];
  const family = address.includes(':') ? '-6' : '-4';
  switch (what) {
    case 'rule to Pods':
      return tolerant(node.netns, `ip ${family} rule del priority 700`);
    case 'rule of a NIC':
      return tolerant(node.netns, `ip ${family} rule del priority 740`);
    case 'route':
      return tolerant(node.netns, `ip route del ${address} table 7000`);
    case 'link down':
      return tolerant(node.netns, `ip link set ${link} down`);
    case 'link gone':
      return tolerant(node.netns, `ip link del ${link}`);
    case 'table':
      return tolerant(node.netns, 'nft delete table inet flatpod');
    case 'elements':
      return tolerant(node.netns, 'nft flush set inet flatpod vpc4');
    case 'NIC routes':
      return tolerant(node.netns, 'ip route flush table 7001');
  }
}

/** Takes it from inside of the Pod. */
export function damagePod(stage: Stage, what: (typeof podDamages)[number], key: Key): void {
  const { container, netns } = stage.container(key.box);
  const address = stage.ledger.addressesOf(`${container}/${key.ifname}`).find((one) => !one.includes(':')) ?? '';
  switch (what) {
    case 'default route':
      return tolerant(netns, `ip route del default dev ${key.ifname}`);
    case 'address':
      return tolerant(netns, `ip addr del ${address}/32 dev ${key.ifname}`);
    case 'neighbour':
      return tolerant(netns, `ip neigh del 169.254.1.1 dev ${key.ifname}`);
    case 'link down':
      return tolerant(netns, `ip link set ${key.ifname} down`);
  }
}

function tolerant(netns: string, command: string): void {
  try {
    execFileSync('ip', ['netns', 'exec', netns.slice(NAMED.length + 1), ...command.split(' ')], { stdio: ['ignore', 'pipe', 'pipe'] });
  } catch {
    // It was not there (any more): see damageHost.
  }
}
