/** Says in events what users can do something about: Pods that wait for an address which their node cannot get, nodes that cannot grow, claims that cannot be served. */
import * as z from 'zod';
import type { Clock } from '../../cloud/clock.ts';
import { isFailure } from '../../errors/failure.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import { type ClusterNamespace, type PlacedPod, readPlacedPod, readServiceAccount } from '../../store/kubernetes/core-objects.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import type { Growth } from '../../store/node-network.ts';
import type { PodSubnet } from '../../store/pod-subnet.ts';
import { candidatesFor, hangsOnServiceAccount, type PodAsking } from '../../store/subnet-order.ts';
import type { Plan } from '../plan.ts';
import type { Situation } from '../situation.ts';
import type { Events } from './events.ts';
import { vain } from '../node-standing.ts';
import { seldom } from './seldom.ts';

/** With what to work. */
export interface TroublesOptions {
  readonly api: Pick<KubeApi, 'list' | 'get'>;
  readonly events: Events;
  readonly node: (name: string) => { readonly uid: string } | undefined;
  readonly namespace: (name: string) => ClusterNamespace | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** See the head of this file. */
export interface Troubles {
  /** What a pass over a node has seen. */
  observe(situation: Situation, plan: Plan): void;
  stop(): Promise<void>;
}

/** What is over before that is not worth an event. */
const GRACE_ms = 3000;
const EVERY_ms = 5000;

interface Trouble {
  readonly stops: readonly Growth[];
  readonly subnets: readonly PodSubnet[];
}

/** Starts telling. */
export function troubles({ api, events, node, namespace, clock, log }: TroublesOptions): Troubles {
  const open = new Map<string, Trouble>();
  const how = { clock, log, every_ms: EVERY_ms, first_ms: GRACE_ms, what: 'Pods were not told why they wait' };
  const work = seldom(how, async (names) => {
    for (const name of names) {
      const trouble = open.get(name);
      if (trouble !== undefined) await tell(name, trouble);
    }
    return [];
  });

  async function tell(name: string, { stops, subnets }: Trouble): Promise<void> {
    const uid = node(name)?.uid;
    for (const { subnet, text } of stops) {
      const note = `cannot get more addresses of PodSubnet ${subnet} while Pods wait: ${text}`;
      if (uid !== undefined)
        events.say({ about: { kind: 'Node', name, uid }, type: 'Warning', reason: 'AddressesMissing', action: 'Grow', note });
    }
    const { items } = await api.list(resources.pods, readWaiting, { fieldSelector: `spec.nodeName=${name},status.phase=Pending` });
    for (const pod of items) {
      if (pod === undefined || !pod.needsAddress || pod.leaving) continue;
      const why = await whyWaiting(pod, stops, subnets);
      if (why === undefined) continue;
      const note = `waits on node ${name} for an address of PodSubnet ${why.subnet}: ${why.text}`;
      const about = { kind: 'Pod', namespace: pod.namespace, name: pod.name, uid: pod.uid } as const;
      events.say({ about, type: 'Warning', reason: 'NoAddressLeft', action: 'AssignAddress', note });
    }
  }
  /** undefined: one of its subnets still grows, or it is served otherwise. */
  async function whyWaiting(pod: PlacedPod, stops: readonly Growth[], subnets: readonly PodSubnet[]): Promise<Growth | undefined> {
    const of = namespace(pod.namespace);
    if (of === undefined) return undefined;
    const asking: PodAsking = {
      namespace: pod.namespace,
      subnet: undefined,
      podLabels: pod.labels,
      namespaceLabels: of.labels,
      namespaceAnnotations: of.annotations,
    };
    const asked = await withServiceAccount(api, pod, asking, subnets);
    if (asked === undefined) return undefined;
    const its = candidatesFor(subnets, asked).map(({ metadata }) => stops.find(({ subnet }) => subnet === metadata.name));
    return its.includes(undefined) ? undefined : its[0];
  }
  return {
    observe({ node: name, spec, subnets, claims }, { growth }) {
      for (const { namespace: of, pod, uid, problem } of claims.answers) {
        const about = { kind: 'Pod', namespace: of, name: pod, uid } as const;
        if (problem !== undefined)
          events.say({ about, type: 'Warning', reason: 'NoAddressOfItsOwn', action: 'AssignAddress', note: problem });
      }
      const stops = vain(spec, growth);
      if (stops.length === 0) open.delete(name);
      else {
        open.set(name, { stops, subnets });
        work.ask(name);
      }
    },
    stop: () => work.stop(),
  };
}

/** Read where it matters, and for Pods that wait in vain alone; undefined: it cannot be read, which the Pod hears from its node (FP253). */
async function withServiceAccount(
  api: TroublesOptions['api'],
  { namespace: of, serviceAccount }: PlacedPod,
  asking: PodAsking,
  subnets: readonly PodSubnet[],
): Promise<PodAsking | undefined> {
  if (serviceAccount === undefined || !hangsOnServiceAccount(subnets, asking)) return asking;
  try {
    const { labels } = await api.get({ ...resources.serviceAccounts, namespace: of, name: serviceAccount }, readServiceAccount);
    return { ...asking, serviceAccountLabels: labels };
  } catch (error) {
    if (isFailure(error)) return undefined;
    throw error;
  }
}

const addressed = z.object({ status: z.object({ podIP: z.string().optional() }).prefault({}) });

/** undefined: it has an address. @throws ZodError */
function readWaiting(value: unknown): PlacedPod | undefined {
  return addressed.parse(value).status.podIP === undefined ? readPlacedPod(value) : undefined;
}
