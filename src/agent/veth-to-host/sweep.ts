/**
 * Takes away helpers whose Pod is gone although no DEL came, and rules of helpers that nobody knows any more: a process that was killed in mid-DEL left them.
 *
 * One look is never enough: a namespace must have been missing in every round for a grace time.
 */
import { chainedHostPlan } from '../../datapath/veth-to-host.ts';
import { chainedProtocol } from '../../datapath/veth-to-host-numbers.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import { isNetns } from '../../kernel/netns.ts';
import { describe, host, type RuleObject } from '../../kernel/state.ts';
import { type ChainNode, chainedName, chainedLinksOf } from './chain-node.ts';
import { del } from './del.ts';

/** As for the main plugin's Pods, by default (src/store/node-config.ts). */
const [EVERY_ms, GRACE_ms] = [15_000, 60_000];

/** Sweeps now and from time to time. Returns the way to stop, which waits for the round at work. */
export function startChainedSweep(node: ChainNode): () => Promise<void> {
  const missing = new Map<string, number>();
  const round = (): Promise<void> =>
    sweepChained(node, missing, { now: performance.now(), grace_ms: GRACE_ms }).catch((error: unknown) =>
      node.log.error(`helpers were not swept: ${sentence(asFailure(error))}`),
    );
  let atWork: Promise<void> | undefined = round();
  const timer = setInterval(() => {
    atWork = (atWork ?? Promise.resolve()).then(round);
  }, EVERY_ms);
  return async () => {
    clearInterval(timer);
    await atWork;
    atWork = undefined;
  };
}

/** One round; `missing`: since when each namespace has been, by helper, carried from round to round. @throws Failure store*, helperUnreadable, kernelRefused. */
export async function sweepChained(
  node: ChainNode,
  missing: Map<string, number>,
  { now, grace_ms }: { readonly now: number; readonly grace_ms: number },
): Promise<void> {
  const links = chainedLinksOf(node).list();
  const gone = links.filter((link) => !isNetns(link.interface.netns));
  const names = new Set(gone.map(chainedName));
  for (const name of missing.keys()) if (!names.has(name)) missing.delete(name);
  for (const link of gone) {
    const since = missing.get(chainedName(link)) ?? now;
    missing.set(chainedName(link), since);
    if (now - since < grace_ms) continue;
    await del(node, link);
    node.log.warn(`swept ${chainedName(link)}: its namespace ${link.interface.netns} is gone and no DEL came`);
  }
  await removeLeftovers(node);
}

/** Only what no record wants, judged while nobody changes records. */
async function removeLeftovers(node: ChainNode): Promise<void> {
  if (node.kernel.owned(chainedProtocol).rules.length === 0) return;
  let removal: Promise<void> | undefined;
  chainedLinksOf(node).change((records) => {
    const ends = new Set(records.list().map((link) => link.interface.hostEnd));
    const { rules } = node.kernel.owned(chainedProtocol);
    const stale = rules
      .filter(({ iif }) => iif !== undefined && !ends.has(iif))
      .map((rule): RuleObject => ({ kind: 'rule', where: host, ...rule }));
    for (const rule of stale) node.log.warn(`removed ${describe(rule)}: it belonged to no helper`);
    // Neither holds a link: they are gone when the call returns.
    removal = node.kernel.remove([...stale, ...(ends.size === 0 ? chainedHostPlan([4, 6]) : [])]);
  });
  await removal;
}
