/**
 * NodeNetworks whose Node is gone.
 *
 * Invariants
 * - as long as the instance lives its Pods may use their addresses: everything stays as it is, and says so; of a machine of no cloud a person says that it
 *   is off
 * - when the cloud says that it is terminated, our interfaces that are left go first, then the object, then what claims and ceilings counted for it
 * - of interfaces that are not ours, such as its own first one, which may outlive it, goes what the Node was granted; what serves another instance now stays.
 *   What was assigned on one and not granted yet, since a controller ended in between, stays too: nothing on the interface tells it from its owner's. Where
 *   the cloud keeps reservations, these say whose it is, and the sweep ends them
 * - a Node of that name that came back in the meantime keeps all of it
 */
import type { Clock } from '../../cloud/clock.ts';
import { isRangeNic } from '../../cloud/range/ids.ts';
import type { Cloud, CloudInstance, CloudNic, NicId } from '../../cloud/cloud.ts';
import { pauseAfter } from '../../cloud/limits/backoff.ts';
import { asFailure, isFailure, sentence } from '../../errors/failure.ts';
import type { Log } from '../../log.ts';
import type { ClusterNodeNetworks } from '../../store/kubernetes/cluster-node-networks.ts';
import type { NodeNetwork } from '../../store/node-network.ts';
import type { Claims } from '../claims/claims.ts';
import { tagsOfNode } from '../tags.ts';
import { withReady } from '../conditions.ts';
import { seldom } from './seldom.ts';

/** With what to work. */
export interface DepartedOptions {
  readonly cluster: string;
  readonly networks: Pick<ClusterNodeNetworks, 'list' | 'node' | 'remove' | 'writeConditions'>;
  readonly cloud: Pick<Cloud, 'instance' | 'nics' | 'detachNic' | 'deleteNic' | 'unassign'>;
  readonly claims: Claims;
  /** It is gone for good. */
  readonly forget: (node: string) => void;
  readonly clock: Clock;
  readonly log: Log;
}

const EVERY_ms = 15_000;

/** Interfaces that could not be unplugged: how often, and until when they are left alone. */
type Refused = Map<NicId, { readonly times: number; readonly until_ms: number }>;

type Looking = DepartedOptions & { readonly refused: Refused };

/** Starts looking after them, now and every few seconds. */
export function departed(of: DepartedOptions): { stop(): Promise<void> } {
  const how = { clock: of.clock, log: of.log, every_ms: EVERY_ms, first_ms: 1000, what: 'Nodes that are gone were not looked after' };
  const refused: Refused = new Map();
  const work = seldom(how, async (keys) => {
    const gone = (await of.networks.list()).filter(({ name }) => of.networks.node(name) === undefined);
    for (const one of gone) {
      await lookAfter({ ...of, refused }, one).catch((error: unknown) => {
        of.log.warn(`NodeNetwork ${one.name}, whose Node is gone, stays: ${sentence(asFailure(error))}`, { node: one.name });
      });
    }
    return keys;
  });
  work.ask('all');
  return { stop: () => work.stop() };
}

async function lookAfter(of: Looking, node: NodeNetwork): Promise<void> {
  const { networks, cloud, cluster, clock, log } = of;
  const { name, spec, status } = node;
  const machine = spec.instance === '' ? undefined : await machineOf(cloud, spec.instance);
  const left = await cloud.nics({ tags: tagsOfNode(cluster, name) });
  // That a cloud has terminated it proves that no Pod of it runs; of ranges alone nothing does.
  const isOff = spec.instance !== '' && machine?.isBare !== true && machine?.state !== 'running';
  const mayBeUsed = left.some(({ id, blocks }) => isRangeNic(id) && blocks.length > 0) && !isOff;
  if (machine?.state === 'running' || mayBeUsed) {
    const message =
      machine !== undefined && machine.isBare !== true
        ? `there is no Node ${name}, but its instance ${spec.instance} runs: its addresses stay with it until it is terminated, or the Node comes back`
        : `there is no Node ${name}, but its Pods may run: its addresses stay with it until the Node comes back, or until somebody who knows that the machine is off says so: kubectl delete nodenetwork ${name}`;
    const before = status.conditions ?? [];
    const conditions = withReady(before, { status: 'False', reason: 'NodeGone', message }, clock.now_ms());
    if (before.find(({ type }) => type === 'Ready')?.message !== message) await networks.writeConditions(name, conditions);
    return;
  }
  // Each answer took its time, in which the Node may have come back.
  const isBack = (): boolean => networks.node(name) !== undefined;
  for (const { id, attachment, branch } of left) {
    if (isBack()) return;
    if (attachment === undefined && branch === undefined) await cloud.deleteNic(id);
  }
  if (isBack()) return;
  if (isOff) await unassignGranted(cloud, node, new Set(left.map(({ id }) => id)), isBack);
  // A machine may have ended while they were plugged in: then the cloud does not unplug them by itself.
  if (isOff)
    await unplug(
      of,
      left.filter(({ attachment }) => attachment?.instance === spec.instance),
    );
  if (left.some(({ attachment, branch }) => attachment !== undefined || branch !== undefined) || isBack()) return;
  const { here, away } = of.claims.on(node, []);
  if (here.size + away.size > 0) await of.claims.left(name, [...here, ...away]);
  await networks.remove(name);
  of.forget(name);
  log.info(`NodeNetwork ${name} is gone: there is no such Node, and instance ${spec.instance} is terminated`, { node: name });
}

/** One that cannot be keeps no other. @throws Failure cloud*: the first refusal */
async function unplug({ cloud, clock, refused }: Looking, nics: readonly CloudNic[]): Promise<void> {
  const failures: unknown[] = [];
  for (const { id, attachment, branch } of nics) {
    const { times = 0, until_ms = 0 } = refused.get(id) ?? {};
    if (branch !== undefined || attachment?.state === 'detaching' || until_ms > clock.now_ms()) continue;
    try {
      await cloud.detachNic(id);
      refused.delete(id);
    } catch (error) {
      // One call in a while needs no spreading.
      refused.set(id, { times: times + 1, until_ms: clock.now_ms() + pauseAfter('settled', times + 1, () => 1) });
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** On interfaces that are there still, and are not `ours`. One that is gone with its machine leaves at most reservations, and these the sweep finds. */
async function unassignGranted(
  cloud: Pick<Cloud, 'nics' | 'unassign'>,
  { spec, status }: NodeNetwork,
  ours: ReadonlySet<NicId>,
  isBack: () => boolean,
): Promise<void> {
  const granted = status.nics.filter(({ id, blocks }) => blocks.length > 0 && !ours.has(id) && !isRangeNic(id));
  if (granted.length === 0) return;
  for (const { id, blocks, attachment, branch } of await cloud.nics({ ids: granted.map((one) => one.id) })) {
    // Somebody plugged it in elsewhere: what it has may be in use there.
    if (branch !== undefined || (attachment !== undefined && attachment.instance !== spec.instance)) continue;
    const back = blocks.filter((block) => granted.some((one) => one.id === id && one.blocks.includes(block)));
    if (back.length > 0 && !isBack()) await cloud.unassign(id, back);
  }
}

/** undefined: the cloud does not know it any more. */
async function machineOf(cloud: Pick<Cloud, 'instance'>, instance: NodeNetwork['spec']['instance']): Promise<CloudInstance | undefined> {
  try {
    return await cloud.instance(instance);
  } catch (error) {
    // Clouds forget terminated instances after a while.
    if (isFailure(error, 'cloudNotFound')) return undefined;
    throw error;
  }
}
