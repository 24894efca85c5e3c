/**
 * Taking over the Pods that a former plugin made: each becomes an attachment that is left as it is until the Pod ends. Nothing in the kernel changes but for
 * what belongs to Pods that are gone already.
 *
 * Invariants
 * - a Pod is taken over only when something of it is there: its address in a namespace, or the host's end of its veth
 * - its addresses are committed as leased before anybody is told that it was taken over
 * - the same again changes nothing
 */
import { type AdoptedInterface, isAdopted } from '../../datapath/interface.ts';
import { type Failure, failure, isFailure, sentence } from '../../errors/failure.ts';
import { host, type KernelObject } from '../../kernel/state.ts';
import type { Ip } from '../../net/address.ts';
import type { PodIdentity } from '../../store/pod-identity.ts';
import { podName } from '../attach.ts';
import { type Attachment, keyOf, type NodeAgent } from '../node-agent.ts';
import { namespacesOf } from './namespaces.ts';
import { recordOf, unnamedPods } from './record.ts';
import type { FormerPod, TakeoverAsked } from './request.ts';

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

/** Takes over those that live. @throws Failure kernelRefused, store*; those before it are taken over then, and the same again does the rest. */
export async function takeOver(node: NodeAgent, asked: TakeoverAsked): Promise<TakenOver> {
  const done: TakenOver = { taken: [], known: [], ended: [], refused: [] };
  const pods = [...asked.pods, ...unnamedPods(node, asked)];
  const ours = node.attachments.list().flatMap(({ interface: own, netns }) => (isAdopted(own) ? [] : [netns]));
  const namespaces = namespacesOf(node.kernel, asked.netnsFolder, new Set(pods.flatMap(({ addresses }) => addresses)), ours);
  for (const pod of pods) {
    using _turn = await node.locks.take(keyOf(pod));
    const became = await takeOne(node, asked, pod, namespaces);
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
  { madeBy }: TakeoverAsked,
  pod: FormerPod,
  namespaces: ReadonlyMap<Ip, string>,
): Promise<'taken' | 'known' | 'ended' | Failure> {
  const { container, ifname, addresses } = pod;
  const before = node.attachments.find(container, ifname);
  if (before !== undefined && isAdopted(before.interface)) return 'known';
  const own = recordOf(node, madeBy, pod, namespaces);
  if (own.netns === '' && own.hostEnd === undefined) {
    await node.kernel.remove(own.rules.map((rule): KernelObject => ({ kind: 'rule', where: host, ...rule })));
    return 'ended';
  }
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
  return 'taken';
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
