/**
 * ADD: gives a container its interface and its addresses, or leaves nothing behind.
 *
 * Invariants
 * - the lease is committed before the kernel hears of it: a crash may leave too little, never two Pods with one address
 * - whatever was applied before a refusal is removed again
 * - a warm ADD makes no call to a cloud or an API server, forks nothing, and dumps no kernel table
 */
import type { AddRequest } from '../cni/request.ts';
import type { Result } from '../cni/result.ts';
import { planOf } from '../datapath/datapath.ts';
import { failure } from '../errors/failure.ts';
import { openNetns } from '../kernel/netns.ts';
import { attach, detach } from './attach.ts';
import { faultPoint } from './fault-point.ts';
import { keyOf, type NodeAgent } from './node-agent.ts';
import { resultOf } from './result.ts';
import { draining } from './status.ts';

/** @throws Failure; nothing of the attachment is left then. */
export async function add(node: NodeAgent, request: AddRequest): Promise<Result> {
  faultPoint('add:1 request read');
  if (node.cloud === undefined) throw failure('notConfigured', {});
  if (node.cloud.grants.draining !== undefined) throw failure('notReady', draining);
  using _turn = await node.locks.take(keyOf(request));
  openNetns(request.netns)[Symbol.dispose](); // says what is wrong with it before an address is taken
  await replaceInterrupted(node, request);
  const attachment = await attach(node, node.cloud, request);
  faultPoint('add:3 attachment committed');
  const plan = planOf(attachment.interface);
  try {
    node.kernel.apply(plan);
  } catch (refusal) {
    await node.kernel.remove(plan);
    detach(node, attachment, false);
    throw refusal;
  }
  faultPoint('add:4 kernel applied');
  return resultOf(attachment.interface, request);
}

/** An ADD that a predecessor may not have answered, because it died in it, may be asked for again: what it left goes first. Any other may not. */
async function replaceInterrupted(node: NodeAgent, request: AddRequest): Promise<void> {
  const known = node.attachments.find(request.container, request.ifname);
  if (known === undefined) return;
  if (!node.interrupted.has(keyOf(request))) {
    const { container, ifname } = request;
    throw failure('attachmentExists', { container, ifname, addresses: known.interface.addresses.join(', ') });
  }
  await node.kernel.remove(planOf(known.interface));
  detach(node, known, true);
}
