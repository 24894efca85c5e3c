/**
 * What users are told of a Service's load balancer: its address and a condition in the Service's status, and events.
 *
 * Invariants
 * - what stands there already is not written again
 * - an address is told when clients can use it, and taken back only when the load balancer is gone
 */
import type { Standing } from '../../cloud/load-balancers.ts';
import { type Failure, sentence } from '../../errors/failure.ts';
import { type ClusterService, readService } from '../../store/kubernetes/service-objects.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import type { Condition } from '../../store/schema-parts.ts';
import { shortened } from '../shortened.ts';
import type { ServiceWorld } from './world.ts';

const CONDITION = 'flatpod.dev/LoadBalancerReady';
/** Of a condition's message, as the API has it. */
const LONGEST = 32_768;

type Told = Pick<Condition, 'status' | 'reason' | 'message'>;

/** Tells how it stands after a look. @throws Failure kube* */
export async function tellStanding(world: ServiceWorld, service: ClusterService, standing: Standing): Promise<void> {
  const { state, address, id = '', words = '' } = standing;
  const before = service.ingress.flatMap(({ ip }) => ip ?? []);
  const ingress = state === 'absent' ? [] : address === undefined ? before : [address];
  const told = conditionFor(standing, ingress.length > 0);
  const isNew = address !== undefined && !before.includes(address);
  if (told !== undefined) await write(world, service, ingress, told);
  if (isNew) say(world, service, 'Normal', 'LoadBalancerReady', `load balancer ${id} is ${words}; clients reach it by ${address}`);
}

/** undefined: nothing that users need to know has changed. */
function conditionFor({ state, id = '', words = '' }: Standing, isTold: boolean): Told | undefined {
  if (state === 'absent') return { status: 'False', reason: 'Making', message: 'the load balancer is being made' };
  // Every change of its members lasts a moment.
  if (state === 'changing') return isTold ? undefined : { status: 'False', reason: 'Making', message: `load balancer ${id} is being made` };
  if (state === 'broken') return undefined;
  if (!isTold) return { status: 'False', reason: 'Making', message: `load balancer ${id} has no address yet` };
  return { status: 'True', reason: 'Ready', message: `load balancer ${id} is ${words}` };
}

/** Tells why it is not as it should be. @throws Failure kube* */
export async function tellFailure(world: ServiceWorld, service: ClusterService, failed: Failure): Promise<void> {
  const text = sentence(failed);
  say(world, service, 'Warning', 'LoadBalancerFailed', text);
  const ingress = service.ingress.flatMap(({ ip }) => ip ?? []);
  await write(world, service, ingress, { status: 'False', reason: `FP${failed.code}`, message: text });
}

/** Takes back what was told, of a Service that goes on without a load balancer of ours. Answers with the Service as it is then. @throws Failure kube* */
export async function tellNothing({ api }: ServiceWorld, service: ClusterService): Promise<ClusterService> {
  const { namespace, name, uid, conditions } = service;
  if (!conditions.some(({ type }) => type === CONDITION)) return service;
  const body = { apiVersion: 'v1', kind: 'Service', metadata: { namespace, name, uid }, status: {} };
  // Server-side apply: the fields that were ours and are not given any more are taken away.
  return await api.patch({ ...resources.services, namespace, name, subresource: 'status' }, { kind: 'apply', body }, readService);
}

async function write({ api, clock }: ServiceWorld, service: ClusterService, ingress: readonly string[], told: Told): Promise<void> {
  const { namespace, name, uid } = service;
  const known = service.conditions.find(({ type }) => type === CONDITION);
  const message = shortened(told.message, LONGEST);
  const same = known?.status === told.status && known.reason === told.reason && known.message === message;
  if (same && JSON.stringify(ingress) === JSON.stringify(service.ingress.flatMap(({ ip }) => ip ?? []))) return;
  const lastTransitionTime = known?.status === told.status ? known.lastTransitionTime : new Date(clock.now_ms()).toISOString();
  const status = {
    ...(ingress.length > 0 && { loadBalancer: { ingress: ingress.map((ip) => ({ ip })) } }),
    conditions: [{ type: CONDITION, ...told, message, lastTransitionTime }],
  };
  const body = { apiVersion: 'v1', kind: 'Service', metadata: { namespace, name, uid }, status };
  await api.patch({ ...resources.services, namespace, name, subresource: 'status' }, { kind: 'apply', body }, () => undefined);
}

function say({ events }: ServiceWorld, service: ClusterService, type: 'Normal' | 'Warning', reason: string, note: string): void {
  const { namespace, name, uid } = service;
  events.say({ about: { kind: 'Service', namespace, name, uid }, type, reason, action: 'BalanceLoad', note });
}
