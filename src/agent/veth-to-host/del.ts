/**
 * DEL of veth-to-host: takes the helper away. Succeeds when there is nothing to take: no netns, no record, no prevResult.
 *
 * Invariants
 * - it never stands in the way of the plugins before it in the list, which are asked after it: only what the kernel or the disk refuse is an error
 * - without a record the helper is found by its name, which is made from container, main interface and the helper's own name
 * - what all helpers of the host share goes with the last of them, and not while another one is being made
 */
import { chainedHostPlan, chainedPlan } from '../../datapath/veth-to-host.ts';
import { chainedProtocol } from '../../datapath/veth-to-host-numbers.ts';
import { isFailure, sentence } from '../../errors/failure.ts';
import { host, type Plan } from '../../kernel/state.ts';
import { faultPoint } from '../fault-point.ts';
import { forgetConnections } from '../forget-connections.ts';
import { type ChainedLink, type ChainNode, chainedKey, chainedLinksOf } from './chain-node.ts';
import { hostEndsOf, ownerOf } from './record.ts';

/** One helper. */
export type ChainedName = Pick<ChainedLink, 'container' | 'ifname' | 'name'>;

/** Whose helpers are taken away. */
export interface Release {
  readonly container: string;
  readonly ifname: string;
  /** One that should be among them, should its record be lost. */
  readonly name?: string | undefined;
  /** Those that are younger stay: a release that was kept on disk is not for them. */
  readonly before_ms?: number;
}

/** Takes away all helpers of the main interface. @throws Failure. */
export async function del(node: ChainNode, request: Release): Promise<void> {
  const { container, ifname, name, before_ms } = request;
  faultPoint('del:1 request read');
  using _turn = await node.locks.take(chainedKey(request));
  const names = new Set([...(name === undefined ? [] : [name]), ...chainedLinksOf(node).names(container, ifname, before_ms)]);
  for (const one of names) await remove(node, { container, ifname, name: one });
}

/** Takes one helper away, with its record. @throws Failure kernelRefused, nftRefused, store*. */
export async function remove(node: ChainNode, helper: ChainedName): Promise<void> {
  const { container, ifname, name } = helper;
  const links = chainedLinksOf(node);
  const isKnown = links.names(container, ifname).includes(name);
  // From here on an agent that sees things go does not put them back.
  if (isKnown) links.change((records) => records.mark(helper, 'going'));
  const known = readable(node, () => links.of(container, ifname).find((link) => link.name === name));
  if (known !== undefined) await node.kernel.remove(chainedPlan(known.interface));
  // Also of one whose record cannot be read, or that an earlier configuration called otherwise.
  await node.kernel.remove(traces(node, helper));
  faultPoint('del:2 kernel removed');
  if (known !== undefined) await forgetConnections(node.log, known.interface.addresses);
  if (!isKnown) return;
  let shared: Promise<void> | undefined;
  links.change((records) => {
    records.remove(helper);
    // There is no link in it, so it is gone when the call returns: before anybody else can add a record.
    if (records.count() === 0) shared = node.kernel.remove(chainedHostPlan([4, 6]));
  });
  await shared;
  // An agent may have looked at the record a moment before it was marked, and have put back what it saw go.
  await node.kernel.remove(traces(node, helper));
  faultPoint('del:3 attachment closed');
}

/** What of a helper is in the host by its name: links that carry our alias, and the rules for them. */
function traces(node: ChainNode, helper: ChainedName): Plan {
  const ends = Object.values(hostEndsOf(helper));
  const rules = node.kernel.owned(chainedProtocol).rules.filter(({ iif }) => iif !== undefined && ends.includes(iif));
  const owner = ownerOf(helper);
  const links = node.kernel.links().filter(({ name, alias }) => ends.includes(name) && alias === owner);
  return [
    ...rules.map((rule) => ({ kind: 'rule', where: host, ...rule }) as const),
    ...links.flatMap(({ name, mac, mtu }) => {
      // A veth always has a MAC. Which peer it has is of no concern to who deletes it.
      const peer = mac && { where: host, name, mac };
      return peer === undefined ? [] : [{ kind: 'veth', where: host, name, mac: peer.mac, mtu, owner, ipv6: true, peer } as const];
    }),
  ];
}

function readable(node: ChainNode, read: () => ChainedLink | undefined): ChainedLink | undefined {
  try {
    return read();
  } catch (error) {
    if (!isFailure(error, 'helperUnreadable')) throw error;
    node.log.warn(sentence(error));
    return undefined;
  }
}
