/** Reasons that lie in the Pod itself, or in its way to a node. */
import { placeOf } from '../../store/nic-shares.ts';
import { type Finding, nameOfPod, networkOf, type WhyFacts } from './why-facts.ts';

/** Pods that are to have no address of their own, and those that have one. */
export function settled(facts: WhyFacts): Finding | undefined {
  const { pod } = facts;
  const name = nameOfPod(pod);
  const node = pod.node === undefined ? '' : ` of node ${pod.node}`;
  if (pod.hostNetwork) {
    const own = pod.ips.length === 0 ? 'it has none before it runs' : `that is ${pod.ips.join(', ')}`;
    return { kind: 'host-network', sentence: `${name} shares the network${node} (hostNetwork), and so its address; ${own}`, remedy: '' };
  }
  if (pod.phase === 'Succeeded' || pod.phase === 'Failed') {
    return { kind: 'ended', sentence: `${name} has ended (${pod.phase}): its address went back, and it gets none any more`, remedy: '' };
  }
  if (pod.ips.length > 0) return withAddress(facts, name);
  if (pod.leaving) return { kind: 'leaving', sentence: `${name} is being deleted and has no address`, remedy: '' };
  return undefined;
}

function withAddress(facts: WhyFacts, name: string): Finding {
  const { pod } = facts;
  const nics = networkOf(facts)?.status?.nics ?? [];
  const places = pod.ips.map((ip) => placeOf(nics, ip));
  const text = pod.ips.join(' and ');
  if (places.includes(undefined)) {
    return {
      kind: 'foreign-address',
      sentence: `${name} has ${text}, which is of no block that node ${pod.node ?? '?'} was granted: another plugin gave it, or the grant is gone`,
      remedy: `kubectl flatpod pod ${name} shows what the agent knows; Pods that were there before Flatpod keep what they have until they are made anew`,
    };
  }
  const [place] = places;
  return {
    kind: 'has-address',
    sentence: `${name} has ${text} of PodSubnet ${place?.subnet ?? '?'}, on NIC ${place?.nic.id ?? '?'} of node ${pod.node ?? '?'}`,
    remedy: '',
  };
}

/** The extended resource, or a taint, that says that a node has no address left. */
const NO_ROOM = /(Insufficient |taint.*)flatpod\.dev\//;
const NOT_READY = /taint.*node\.kubernetes\.io\/(not-ready|network-unavailable)/;

/** Pods without a node: nobody looks for an address before the scheduler has chosen one. */
export function unscheduled({ pod }: WhyFacts): Finding | undefined {
  if (pod.node !== undefined) return undefined;
  const name = nameOfPod(pod);
  const scheduled = pod.conditions.find(({ type }) => type === 'PodScheduled');
  const said = scheduled?.message ?? '';
  if (scheduled?.reason === 'SchedulingGated') {
    return {
      kind: 'gated',
      sentence: `${name} is held back by its schedulingGates; it gets an address on the node it is placed on`,
      remedy: 'whoever set the gates has to remove them',
    };
  }
  if (NO_ROOM.test(said)) {
    return {
      kind: 'no-node-has-room',
      sentence: `${name} is on no node, because none that fits has an address left: ${said}`,
      remedy: 'kubectl flatpod status says what stops each node; more nodes, a larger instance type or another PodSubnet give room',
    };
  }
  if (said !== '' && scheduled?.status === 'False') {
    const meaning = NOT_READY.test(said)
      ? 'a node whose agent cannot serve is not ready: kubectl flatpod status shows which, and why'
      : 'that is not about addresses: the Pod gets one on the node it is placed on';
    return { kind: 'unschedulable', sentence: `${name} is on no node: ${said}`, remedy: meaning };
  }
  return {
    kind: 'not-scheduled',
    sentence: `${name} is on no node yet: the scheduler has not looked at it`,
    remedy: 'does a scheduler run, and is it the one that spec.schedulerName names?',
  };
}
