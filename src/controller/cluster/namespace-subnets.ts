/**
 * Gives namespaces that ask for one a PodSubnet of their own (namespace-subnet-choice.ts says which).
 *
 * Invariants
 * - the PodSubnet's status names the namespace before the namespace's annotation names the PodSubnet, over the version it was read from: of two
 *   controllers, or two namespaces, only one gets it
 * - nothing is remembered: after a crash in between, the next one finishes what the status says
 */
import type { Clock } from '../../cloud/clock.ts';
import { asFailure, isFailure, sentence } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import { type ObjectCache, watchObjects } from '../../kube/cache.ts';
import type { Log } from '../../log.ts';
import { readNamespace, type ClusterNamespace } from '../../store/kubernetes/core-objects.ts';
import type { ClusterSubnets } from '../../store/kubernetes/cluster-subnets.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import type { NodeNetwork } from '../../store/node-network.ts';
import { SUBNET_ANNOTATION } from '../../store/subnet-order.ts';
import { type Assignments, assignmentsFor } from './namespace-subnet-choice.ts';
import type { Events } from './events.ts';
import { seldom } from './seldom.ts';

/** With what to work. */
export interface Assigning {
  readonly api: KubeApi;
  readonly subnets: ClusterSubnets;
  /** All nodes, for what is in use. */
  readonly nodes: () => Promise<readonly NodeNetwork[]>;
  readonly events: Events;
  readonly clock: Clock;
  readonly log: Log;
}

/** A running one. */
export interface NamespaceSubnets {
  /** Something about PodSubnets is another now. */
  subnetsChanged(): void;
  namespace(name: string): ClusterNamespace | undefined;
  stop(): Promise<void>;
}

const FIRST_ms = 50;
const EVERY_ms = 500;
/** Whether what was in use is free by now. */
const LOOK_AGAIN_ms = 10_000;
const CONDITION = 'flatpod.dev/PodSubnetAssigned';

/** Starts following the namespaces. */
export function namespaceSubnets(of: Assigning): NamespaceSubnets {
  const { api, subnets, clock, log } = of;
  const work = seldom({ clock, log, every_ms: EVERY_ms, first_ms: FIRST_ms, what: 'PodSubnets were not assigned' }, async () => {
    const isMore = await assignAll(of, namespaces);
    return isMore ? ['all'] : [];
  });
  const namespaces: ObjectCache<ClusterNamespace> = watchObjects(
    api,
    { at: resources.namespaces, parse: readNamespace },
    { log, changed: () => work.ask('all') },
  );
  let cancel = (): void => undefined;
  const lookAgain = (): void => {
    cancel = clock.after(LOOK_AGAIN_ms, () => {
      if (subnets.list().some(({ status }) => status.assignedTo.some((name) => namespaces.get(name) === undefined))) work.ask('all');
      lookAgain();
    });
  };
  lookAgain();
  return {
    subnetsChanged: () => work.ask('all'),
    namespace: (name) => namespaces.get(name),
    async stop() {
      cancel();
      namespaces.stop();
      await work.stop();
    },
  };
}

/** Whether there is more to do at once. @throws Failure kube* */
async function assignAll(of: Assigning, cache: ObjectCache<ClusterNamespace>): Promise<boolean> {
  // Before the first list nobody knows who is gone.
  if (cache.stale_ms() === undefined) return true;
  const stored = of.subnets.list().filter(({ subnet }) => subnet.spec.assignable);
  if (stored.length === 0 && !cache.list().some(({ annotations }) => annotations[SUBNET_ANNOTATION] !== undefined)) return false;
  const used = stored.some(({ status }) => status.assignedTo.length > 0) ? inUse(await of.nodes()) : new Set<string>();
  const plan = assignmentsFor(
    cache.list(),
    stored.map(({ subnet, status }) => {
      const isUsable = status.conditions.some(({ type, status: is }) => type === 'Ready' && is === 'True');
      return { subnet, status, isUsable, isUsed: used.has(subnet.metadata.name) };
    }),
  );
  return carryOut(plan, of, cache);
}

async function carryOut({ owners, given, unserved }: Assignments, of: Assigning, cache: ObjectCache<ClusterNamespace>): Promise<boolean> {
  const { api, subnets, log } = of;
  try {
    for (const [name, assignedTo] of owners) await subnets.writeStatus(name, { assignedTo: [...assignedTo] });
  } catch (error) {
    if (!isFailure(error, 'kubeConflict')) throw error;
    return true;
  }
  for (const [name, text] of given) {
    const found = cache.get(name);
    if (found === undefined) continue;
    const body = { metadata: { uid: found.uid, annotations: { [SUBNET_ANNOTATION]: text } } };
    await api.patch({ ...resources.namespaces, name }, { kind: 'merge', body }, readNamespace);
    log.info(`namespace ${name} has PodSubnet ${text} now`, { namespace: name });
    await tell(of, found, { status: 'True', reason: 'Assigned', message: `PodSubnet ${text} is this namespace's` });
  }
  for (const name of unserved) {
    const found = cache.get(name);
    if (found !== undefined) await tell(of, found, { status: 'False', reason: 'NoneFree', message: noneFree(of.subnets) });
  }
  return false;
}

function noneFree(subnets: ClusterSubnets): string {
  const all = subnets.list().filter(({ subnet }) => subnet.spec.assignable);
  const each = all.slice(0, 8).map(({ subnet, status: { assignedTo, conditions } }) => {
    const problem = conditions.find(({ type, status }) => type === 'Ready' && status !== 'True')?.message;
    return `${subnet.metadata.name}: ${assignedTo.length > 0 ? `of namespace ${assignedTo.join(', ')}` : (problem ?? 'not looked at yet')}`;
  });
  const there = each.length === 0 ? 'there is none at all' : each.join('; ');
  return `no assignable PodSubnet is free (${there}); make another with spec.assignable: true, or name one in the annotation ${SUBNET_ANNOTATION}`;
}

/** An event, and a condition of the namespace. */
async function tell(
  { api, events, log }: Assigning,
  { name, uid }: ClusterNamespace,
  said: { status: string; reason: string; message: string },
): Promise<void> {
  const type = said.status === 'True' ? 'Normal' : 'Warning';
  const { isNews } = events.say({
    about: { kind: 'Namespace', name, uid },
    type,
    reason: said.reason,
    action: 'AssignPodSubnet',
    note: said.message,
  });
  if (!isNews) return;
  const condition = { type: CONDITION, ...said, lastTransitionTime: new Date().toISOString() };
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name }, status: { conditions: [condition] } };
  try {
    await api.patch({ ...resources.namespaces, name, subresource: 'status' }, { kind: 'apply', body }, () => undefined);
  } catch (error) {
    log.warn(`the condition of namespace ${name} was not written: ${sentence(asFailure(error))}`, { namespace: name });
  }
}

/** PodSubnets of which Pods have addresses, wait for some, or had some until a moment ago. */
function inUse(nodes: readonly NodeNetwork[]): Set<string> {
  const demands = nodes.flatMap(({ spec }) => spec.demand);
  return new Set(demands.flatMap(({ subnet, inUse: leased, cooling, waiting }) => (leased + cooling + waiting > 0 ? subnet : [])));
}
