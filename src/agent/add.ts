/**
 * ADD: gives a container its interface and its addresses, or leaves nothing behind.
 *
 * Invariants
 * - the lease is committed before the kernel hears of it: a crash may leave too little, never two Pods with one address
 * - whatever was applied before a refusal is removed again
 * - a warm ADD makes no call to a cloud or an API server, forks nothing, and dumps no kernel table; on a network without a cloud it asks that network first
 */
import type { AddRequest } from '../cni/request.ts';
import type { Result } from '../cni/result.ts';
import { planOf } from '../datapath/datapath.ts';
import { isMade } from '../datapath/interface.ts';
import { asFailure, failure, sentence } from '../errors/failure.ts';
import { openNetns } from '../kernel/netns.ts';
import type { Plan } from '../kernel/state.ts';
import { announce } from './announce.ts';
import { detach, podName } from './attach.ts';
import { attachUnrivalled } from './attach-unrivalled.ts';
import { recordByDatapath } from './interface-record.ts';
import { faultPoint } from './fault-point.ts';
import { type Attachment, keyOf, type NodeAgent } from './node-agent.ts';
import { resultOf } from './result.ts';
import { draining } from './status.ts';

/** @throws Failure; nothing of the attachment is left then, or what the kernel would not let go of keeps its lease. */
export async function add(node: NodeAgent, request: AddRequest): Promise<Result> {
  faultPoint('add:1 request read');
  if (node.cloud === undefined) throw failure('notConfigured', {});
  if (node.cloud.grants.draining !== undefined) throw failure('notReady', draining);
  using _turn = await node.locks.take(keyOf(request));
  openNetns(request.netns)[Symbol.dispose](); // says what is wrong with it before an address is taken
  await replaceInterrupted(node, request);
  const attachment = await attachUnrivalled(node, node.cloud, { ...request, claims: true }, recordByDatapath(node, node.cloud, request));
  faultPoint('add:3 attachment committed');
  const plan = planOf(attachment.interface);
  try {
    node.kernel.apply(plan);
  } catch (refusal) {
    await undo(node, attachment, plan);
    throw refusal;
  }
  faultPoint('add:4 kernel applied');
  announce(node, node.cloud, attachment);
  return resultOf(attachment.interface, request);
}

/** What cannot be removed keeps its lease, so that nobody else gets the address: DEL and GC take it up. */
async function undo(node: NodeAgent, attachment: Attachment, plan: Plan): Promise<void> {
  try {
    await node.kernel.remove(plan);
  } catch (error) {
    node.log.error(`${podName(attachment)}: what was made could not be removed again: ${sentence(asFailure(error))}`);
    return;
  }
  detach(node, attachment, false);
}

/** An ADD that a predecessor may not have answered, because it died in it, may be asked for again: what it left goes first. Any other may not. */
async function replaceInterrupted(node: NodeAgent, request: AddRequest): Promise<void> {
  const known = node.attachments.find(request.container, request.ifname);
  if (known === undefined) return;
  if (!node.interrupted.has(keyOf(request)) || !isMade(known.interface)) {
    const { container, ifname } = request;
    throw failure('attachmentExists', { container, ifname, addresses: known.interface.addresses.join(', ') });
  }
  await node.kernel.remove(planOf(known.interface));
  detach(node, known, true);
}
