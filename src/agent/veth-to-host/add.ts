/**
 * ADD of veth-to-host: gives a Pod that has its main interface a second way out, to the host, or leaves nothing behind.
 *
 * Invariants
 * - the record is committed, with a routing table that nobody else has, before the kernel hears of it; until all is there, nobody repairs it
 * - whatever was applied before a refusal is removed again, and the Pod has the default route that it came with
 */
import type { VethToHostAttachment } from '../../cni/veth-to-host-request.ts';
import type { Result } from '../../cni/result.ts';
import { type ChainedVeth, chainedHostPlan, chainedPlan, familiesOf, formerWays } from '../../datapath/veth-to-host.ts';
import { mostInOnePod } from '../../datapath/veth-to-host-numbers.ts';
import { asFailure, failure, sentence } from '../../errors/failure.ts';
import type { Snapshot } from '../../kernel/snapshot.ts';
import { host as hostNamespace } from '../../kernel/state.ts';
import { faultPoint } from '../fault-point.ts';
import { freeRank } from '../free-rank.ts';
import { type ChainedLink, type ChainNode, chainedKey, chainedName, chainedLinksOf } from './chain-node.ts';
import { remove } from './del.ts';
import { keptRouters } from './kept-routers.ts';
import { hostEndsOf, recordOf } from './record.ts';
import { lookOnceUsable } from './usable.ts';

/** Tables of the kernel itself: compat, default, main, local (linux/rtnetlink.h). */
const kernelTables = [252, 253, 254, 255];
const LAST_TABLE = 0xffff_ffff;
/** More than a node has Pods: whoever has taken so many in a row has taken all. */
const TABLES_TRIED = 65_536;

/** @throws Failure; nothing of the helper is left then, or what the kernel would not let go of keeps its record for DEL. */
export async function add(node: ChainNode, request: VethToHostAttachment): Promise<Result> {
  using _turn = await node.locks.take(chainedKey(request));
  const pod = await lookOnceUsable(node, request);
  const host = node.kernel.look(hostNamespace);
  const record = recordOf(request, host, pod);
  await demandFree(node, request, host, pod);
  const link = commit(node, request, record, host);
  faultPoint('add:3 attachment committed');
  try {
    node.kernel.apply(keptRouters(node.kernel, familiesOf(link.interface)));
    node.kernel.apply([...chainedHostPlan(familiesOf(link.interface)), ...chainedPlan(link.interface)]);
    faultPoint('add:4 kernel applied');
    // What the store refuses is taken away again as well: ADD has failed then.
    chainedLinksOf(node).change((records) => records.mark(link, 'there'));
  } catch (refusal) {
    await undo(node, link);
    throw refusal;
  }
  return resultOf(request, link.interface);
}

/** A helper of ours that nobody answered for, because who made it died, goes first; any other stands in the way. @throws Failure helperExists, linkTaken. */
async function demandFree(node: ChainNode, request: VethToHostAttachment, host: Snapshot, pod: Snapshot): Promise<void> {
  const { container, ifname, netns } = request;
  const name = request.config.containerInterface;
  const known = chainedLinksOf(node)
    .of(container, ifname)
    .find((link) => link.name === name);
  const ends = Object.values(hostEndsOf({ container, ifname, name })).filter((end) => host.links.has(end));
  if (known?.state === 'there' && ends.length > 0 && pod.links.has(name)) throw failure('helperExists', { container, ifname, name });
  if (known !== undefined || ends.length > 0) await remove(node, { container, ifname, name });
  else if (pod.links.has(name)) throw failure('linkTaken', { name, netns });
}

/** The lowest table from routeTableStart that no rule leads to and no record has. @throws Failure tablesTaken, helpersTooMany, store*. */
function commit(node: ChainNode, request: VethToHostAttachment, record: Omit<ChainedVeth, 'table' | 'rank'>, host: Snapshot): ChainedLink {
  const { container, ifname, config } = request;
  const taken = new Set([...kernelTables, ...[...host.rules.values()].flat().map(({ table }) => table)]);
  let link: ChainedLink | undefined;
  chainedLinksOf(node).change((records) => {
    const others = records.list();
    for (const other of others) taken.add(other.interface.table);
    const rank = freeRank(others.map((other) => other.interface).filter(({ netns }) => netns === record.netns));
    if (rank >= mostInOnePod) throw failure('helpersTooMany', { container, most: mostInOnePod });
    let table = config.routeTableStart;
    const last = Math.min(table + TABLES_TRIED, LAST_TABLE);
    while (table <= last && taken.has(table)) table++;
    if (table > last) throw failure('tablesTaken', { container, first: config.routeTableStart, last });
    link = {
      container,
      ifname,
      name: config.containerInterface,
      network: config.name,
      state: 'coming',
      created_ms: Date.now(),
      interface: { ...record, table, rank },
    };
    records.put(link);
  });
  if (link === undefined) throw new Error('the change did not run');
  return link;
}

async function undo(node: ChainNode, link: ChainedLink): Promise<void> {
  try {
    await remove(node, link);
    node.kernel.apply(formerWays(link.interface));
  } catch (error) {
    node.log.error(`${chainedName(link)}: what was made could not be removed again: ${sentence(asFailure(error))}`);
  }
}

/** What the plugins before us said, and both ends of the helper after it. Addresses and routes stay theirs. */
function resultOf({ prevResult }: VethToHostAttachment, { hostEnd, hostMac, helper, mac, mtu, netns }: ChainedVeth): Result {
  const ends = [
    { name: hostEnd, mac: hostMac, mtu },
    { name: helper, mac, mtu, sandbox: netns },
  ];
  return { ...prevResult, interfaces: [...prevResult.interfaces, ...ends] };
}
