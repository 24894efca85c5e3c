/**
 * Taking over the Pods that a former plugin made: each becomes an attachment that is left as it is until the Pod ends. Nothing of that plugin's in the kernel
 * changes but for what belongs to Pods that are gone already; of ours a way to each Pod comes, for Pods of ours on this node (ways.ts).
 *
 * Invariants
 * - a Pod is taken over only when something of it is there: its address in a namespace, or the host's end of its veth
 * - its addresses are committed as leased before anybody is told that it was taken over
 * - the same again changes nothing
 */
import { toAdopted } from '../../datapath/adopted.ts';
import { type AdoptedInterface, isAdopted } from '../../datapath/interface.ts';
import { type Failure, failure, isFailure, sentence } from '../../errors/failure.ts';
import { host, type KernelObject } from '../../kernel/state.ts';
import type { PodIdentity } from '../../store/pod-identity.ts';
import { podName } from '../attach.ts';
import { type Attachment, keyOf, type NodeAgent } from '../node-agent.ts';
import { numbersOf } from './about.ts';
import { namespacesOf } from './namespaces.ts';
import { recordOf, type Sought, unnamedPods } from './record.ts';
import type { FormerPod, TakeoverAsked } from './request.ts';
import { isAlive } from './standing.ts';

/** What became of each Pod, in words: `namespace/name (addresses)`. */
export interface TakenOver {
  /** Now the agent's. */
  readonly taken: string[];
  /** Were so before. */
  readonly known: string[];
  /** Gone already; what was left of them in the kernel is removed. */
  readonly ended: string[];
  /** Cannot be, each with the reason. */
  readonly refused: string[];
}

/** Takes over those that live. `numbers`: of what is ours in the kernel, where no configuration of the agent says them. @throws Failure kernelRefused, store*; those before it are taken over then, and the same again does the rest. */
export async function takeOver(node: NodeAgent, asked: TakeoverAsked, numbers = numbersOf(node)): Promise<TakenOver> {
  const done: TakenOver = { taken: [], known: [], ended: [], refused: [] };
  const pods = [...asked.pods, ...unnamedPods(node, asked)];
  const ours = node.attachments.list().flatMap(({ interface: own, netns }) => (isAdopted(own) ? [] : [netns]));
  const namespaces = namespacesOf(node.kernel, asked.netnsFolder, new Set(pods.flatMap(({ addresses }) => addresses)), ours);
  const sought: Sought = { kernel: node.kernel, madeBy: asked.madeBy, numbers, namespaces };
  for (const pod of pods) {
    using _turn = await node.locks.take(keyOf(pod));
    const became = await takeOne(node, asked.netnsFolder, sought, pod);
    if (typeof became === 'string') done[became].push(`${podName({ ...pod, pod: identityOf(pod) })} (${pod.addresses.join(', ')})`);
    else done.refused.push(sentence(became));
  }
  const { taken, known, ended, refused } = done;
  const counts = { taken: taken.length, known: known.length, ended: ended.length, refused: refused.length };
  node.log.info(`took over ${taken.length} Pods that ${asked.madeBy} made: they keep their network until they end`, counts);
  return done;
}

async function takeOne(
  node: NodeAgent,
  netnsFolder: string,
  sought: Sought,
  pod: FormerPod,
): Promise<'taken' | 'known' | 'ended' | Failure> {
  const { container, ifname, addresses } = pod;
  const before = node.attachments.find(container, ifname);
  if (before !== undefined && isAdopted(before.interface)) return 'known';
  const own = recordOf(sought, pod);
  if (own.netns === '' && own.hostEnd === undefined) {
    if (pod.runs === true) {
      const reason = `the runtime says that it runs, but no namespace in ${netnsFolder} has its address: name the runtime's folder by --netns-dir`;
      return failure('takeoverRefused', { container, ifname, reason });
    }
    await node.kernel.remove(own.rules.map((rule): KernelObject => ({ kind: 'rule', where: host, ...rule })));
    return 'ended';
  }
  forgetGone(node, pod);
  try {
    if (before !== undefined) throw failure('attachmentExists', { container, ifname, addresses: before.interface.addresses.join(', ') });
    node.attachments.open(attachmentOf(pod, own));
  } catch (error) {
    if (!isFailure(error, 'leaseTaken') && !isFailure(error, 'attachmentExists')) throw error;
    const refused = failure('takeoverRefused', { container, ifname, reason: sentence(error) }, error);
    node.log.error(sentence(refused));
    return refused;
  }
  node.cloud?.pools.occupy(addresses);
  node.kernel.apply(toAdopted(own));
  return 'taken';
}

/**
 * Forgets those that had its addresses in an earlier take-over and are gone: the former plugin was back in between, and gave the addresses to this one. What is in
 * the kernel for them is this one's by now.
 */
function forgetGone(node: NodeAgent, { container, ifname, addresses }: FormerPod): void {
  const key = keyOf({ container, ifname });
  for (const one of node.attachments.list()) {
    const had = isAdopted(one.interface) && one.interface.addresses.some((address) => addresses.includes(address));
    if (!had || keyOf(one) === key || node.locks.held(keyOf(one)) || isAlive(node, one)) continue;
    node.attachments.close(one, 0);
    node.log.info(`forgot ${keyOf(one)}, which is gone: another Pod has its address`, { addresses: one.interface.addresses.join(' ') });
  }
}

function attachmentOf(former: FormerPod, own: AdoptedInterface): Attachment {
  const { container, ifname, since_ms } = former;
  // Of a network, a PodSubnet and a NIC that Flatpod knows nothing of.
  const nowhere = { network: '', subnet: '', nic: '' } as const;
  const created_ms = since_ms ?? Date.now();
  return { container, ifname, ...nowhere, pod: identityOf(former), netns: own.netns, state: 'ready', created_ms, interface: own };
}

function identityOf({ pod: { namespace, name, uid } }: FormerPod): PodIdentity {
  return { ...(namespace !== undefined && { namespace }), ...(name !== undefined && { name }), ...(uid !== undefined && { uid }) };
}
