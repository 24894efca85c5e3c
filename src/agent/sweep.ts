/**
 * Releases attachments whose Pod is gone although no DEL came: a reboot, a runtime that lost its state. Two signs are believed, each by itself: the
 * namespace is missing, or the runtime does not list the sandbox.
 *
 * Invariants
 * - one look is never enough: a sign must have held in every round for a grace time; a round in which the runtime did not answer begins that anew
 * - the runtime's list counts only for attachments that came from a kubelet (they have a Pod's uid, or a former plugin made them): podman and cnitool are not in it
 * - how old an attachment is, is told by a clock that does not jump: one that is set back must not make a Pod that is just starting seem old
 * - a sandbox that is not ready is kept: the runtime may still stop it, which brings a DEL
 * - an attachment with a verb at work is left alone; one that cannot be released does not keep others from it
 */
import { asFailure, sentence } from '../errors/failure.ts';
import { isAdopted } from '../datapath/interface.ts';
import { isAlive } from './adopted/standing.ts';
import { endAttachment } from './del.ts';
import { type Attachment, keyOf, type NodeAgent } from './node-agent.ts';
import { now_ms } from './pools.ts';
import { sandboxList } from './sandbox-list.ts';
import { honourSpool } from './spool.ts';

/** Without a configuration, as its defaults have it. */
const unconfigured = { runtimeSocket: undefined, sweepEvery_s: 15, sweepGrace_s: 60 };
/**
 * containerd (1.6 and 2.x, seen) lists a sandbox only when all of its network is up, and all else besides: after an image was pulled, perhaps. kubelet
 * waits four minutes for that; so only an attachment known for this many grace times (five minutes) can be one that the list should have.
 */
const STARTING_GRACES = 5;

/** Why an attachment is taken for dead. */
type Sign = 'namespace' | 'sandbox';

/** What one round knows. */
export interface Round {
  /** Milliseconds of a clock that does not jump. */
  readonly now: number;
  readonly grace_ms: number;
  /** Ids of the runtime's sandboxes; undefined when it did not say. */
  readonly listed: ReadonlySet<string> | undefined;
}

/** Since when each sign has held without a break, by sign and attachment; carried from round to round. */
export interface Signs extends Readonly<Record<Sign, Map<string, number>>> {
  /** Since when each attachment is known here; of those that the first round found, since their ADD. */
  readonly known: Map<string, number>;
  begun: boolean;
}

/** Nothing seen yet. */
export function noSigns(): Signs {
  return { namespace: new Map(), sandbox: new Map(), known: new Map(), begun: false };
}

/** Starts sweeping, spooled releases first. Returns the way to stop, which waits for the round at work. */
export function startSweep(node: NodeAgent, spool: string): () => Promise<void> {
  const { runtimeSocket, sweepEvery_s, sweepGrace_s } = node.cloud?.config ?? unconfigured;
  const list = sandboxList(runtimeSocket, node.log);
  const signs = noSigns();
  const stopping = new AbortController();
  const round = async (): Promise<void> => {
    await honourSpool(node, spool);
    const listed = await list(stopping.signal);
    if (!stopping.signal.aborted) await sweep(node, signs, { now: now_ms(), grace_ms: sweepGrace_s * 1000, listed });
  };
  let atWork: Promise<void> | undefined;
  const timer = setInterval(() => {
    // One that takes longer than the interval is the next one as well.
    atWork ??= round()
      .catch((error: unknown) => node.log.error(`sweep failed: ${sentence(asFailure(error))}`))
      .finally(() => (atWork = undefined));
  }, sweepEvery_s * 1000);
  return async () => {
    clearInterval(timer);
    stopping.abort();
    await atWork;
  };
}

/** One round. Resolves always: what could not be released is said, and tried again by the next. */
export async function sweep(node: NodeAgent, signs: Signs, round: Round): Promise<void> {
  const attachments = node.attachments.list();
  const keys = new Set(attachments.map(keyOf));
  for (const since of [signs.namespace, signs.sandbox, signs.known]) for (const key of since.keys()) if (!keys.has(key)) since.delete(key);
  for (const attachment of attachments) {
    const key = keyOf(attachment);
    if (!signs.known.has(key)) signs.known.set(key, signs.begun ? round.now : Math.min(attachment.created_ms, round.now));
  }
  signs.begun = true;
  for (const attachment of attachments) {
    const why = death(node, attachment, signs, round);
    if (why === undefined || node.locks.held(keyOf(attachment))) continue;
    await release(node, attachment, why);
  }
}

/** Notes both signs; the reason when one of them has held for long enough. */
function death(node: NodeAgent, attachment: Attachment, signs: Signs, { now, grace_ms, listed }: Round): string | undefined {
  const { container, netns, pod, interface: own } = attachment;
  // One that no record named has its link's name in place of a container's id: no runtime knows such a sandbox.
  const isKubelets = pod.uid !== undefined || (isAdopted(own) && own.hostEnd?.link !== container);
  const known_ms = now - (signs.known.get(keyOf(attachment)) ?? now);
  const held = (sign: Sign, holds: boolean): boolean => {
    const key = keyOf(attachment);
    if (!holds) {
      signs[sign].delete(key);
      return false;
    }
    const since = signs[sign].get(key);
    if (since === undefined) signs[sign].set(key, now);
    return since !== undefined && now - since >= grace_ms;
  };
  const namespaceGone = held('namespace', !isAlive(node, attachment));
  const sandboxGone = held('sandbox', isKubelets && listed !== undefined && !listed.has(container));
  if (namespaceGone) return netns === '' ? 'its interface is gone' : `its namespace ${netns} is gone`;
  if (sandboxGone && known_ms >= STARTING_GRACES * grace_ms) return 'the container runtime has no such sandbox';
  return undefined;
}

async function release(node: NodeAgent, attachment: Attachment, why: string): Promise<void> {
  const key = keyOf(attachment);
  try {
    await endAttachment(node, attachment);
    node.log.warn(`swept ${key}: ${why} and no DEL came`, { addresses: attachment.interface.addresses.join(' ') });
  } catch (error) {
    node.log.error(`${key} was not swept, and is tried again later: ${sentence(asFailure(error))}`);
  }
}
