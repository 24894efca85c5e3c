/**
 * Keeps Pods with a helper in touch with a host that changes: its addresses are the Pods' gateway and the destinations they reach by the helper. Without an
 * agent each request brings all of them up to date instead.
 */
import { type ChainedVeth, chainedHostPlan, chainedPlan, familiesOf, looseLink } from '../../datapath/veth-to-host.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { KernelEvent } from '../../kernel/monitor.ts';
import type { Snapshot } from '../../kernel/snapshot.ts';
import { host, type Plan } from '../../kernel/state.ts';
import { replacePlan } from '../replace-plan.ts';
import { type ChainedLink, type ChainNode, chainedKey, chainedName, chainedLinksOf } from './chain-node.ts';
import { withHostNow } from './host-addresses.ts';
import { keptRouters } from './kept-routers.ts';

/** An address that is replaced goes and comes in two events; so does a link. */
const GATHER_ms = 100;

/** Follows the kernel's events, from the host as it is now. Returns the way to stop, which waits for what is under way. */
export function followHost(node: ChainNode): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let atWork: Promise<void> | undefined;
  let isStopped = false;
  const look = (): void => {
    timer = undefined;
    atWork = (atWork ?? Promise.resolve()).then(() => (isStopped ? undefined : bringUpToDate(node)));
  };
  const unwatch = node.kernel.watch((event) => {
    if (isOfHost(event)) timer ??= setTimeout(look, GATHER_ms);
  });
  look();
  return async () => {
    isStopped = true;
    unwatch();
    clearTimeout(timer);
    await atWork;
  };
}

/** Tells every Pod with a helper of the host's addresses as they are now. Resolves always: what fails is a line in the log. */
export async function bringUpToDate(node: ChainNode): Promise<void> {
  try {
    const links = chainedLinksOf(node).list();
    if (links.length === 0) return;
    const now = node.kernel.look(host);
    for (const link of links) if (withHostNow(link.interface, now) !== link.interface) await move(node, link, now);
    const served = links.filter((link) => link.state === 'there' && familiesOf(link.interface).includes(4));
    const names = new Set(served.flatMap((link) => link.interface.hostLinks));
    node.kernel.apply([...names].filter((name) => now.links.has(name)).map(looseLink));
  } catch (error) {
    node.log.error(`what changed in the host's addresses is not told to Pods with a helper: ${sentence(asFailure(error))}`);
  }
}

async function move(node: ChainNode, link: ChainedLink, now: Snapshot): Promise<void> {
  using _turn = await node.locks.take(chainedKey(link));
  const links = chainedLinksOf(node);
  const current = links.of(link.container, link.ifname).find(({ name }) => name === link.name);
  if (current?.state !== 'there') return;
  const next = withHostNow(current.interface, now);
  if (next === current.interface) return;
  try {
    let isThere = false;
    links.change((records) => {
      // Another process may have taken it away meanwhile.
      isThere = records.list().some(({ state, interface: one }) => state === 'there' && one.hostEnd === next.hostEnd);
      if (isThere) records.put({ ...current, interface: next });
    });
    if (!isThere) return;
    node.kernel.apply(keptRouters(node.kernel, familiesOf(next)));
    replacePlan(node.kernel, node.log, wholePlan(current.interface), wholePlan(next));
    node.log.info(`${chainedName(link)}: the host is ${next.hostAddresses.join(', ')} now`, {
      before: current.interface.hostAddresses.join(' '),
    });
  } catch (error) {
    node.log.error(`${chainedName(link)}: the host's new addresses could not be told: ${sentence(asFailure(error))}`);
  }
}

/** With what all share: a family may be new to the host. */
function wholePlan(veth: ChainedVeth): Plan {
  return [...chainedHostPlan(familiesOf(veth)), ...chainedPlan(veth)];
}

/** Helpers of ours come and go with Pods, and say nothing of the host. */
function isOfHost(event: KernelEvent): boolean {
  if (event.kind === 'link' || event.kind === 'link-gone') return !event.link.name.startsWith('vth');
  return event.kind === 'address' || event.kind === 'address-gone' || event.kind === 'overrun';
}
