/** Reasons that lie in the Pod's node: agent, controller, instance. */
import type { LeaseView, PodView } from './core.ts';
import { type Finding, instanceOfNode, nameOfPod, networkOf, type WhyFacts } from './why-facts.ts';
import { ago } from './words.ts';

/** Clocks differ: a Lease counts as silent only so much later than it says. */
const CLOCKS_DIFFER_ms = 30_000;

/** What keeps the node from having addresses at all. */
export function nodeTrouble(facts: WhyFacts): Finding | undefined {
  const { pod, node } = facts;
  const network = networkOf(facts);
  const [name, on] = [nameOfPod(pod), pod.node ?? ''];
  const none = `${name} has no address, because`;
  if (node === undefined) {
    const remedy = 'the Pod goes when the garbage collector of Pods has seen it; kubectl delete pod --force is faster';
    return { kind: 'node-gone', sentence: `${none} its node ${on} is not there any more`, remedy };
  }
  const instance = instanceOfNode(facts);
  if (instance === undefined) {
    const found = node.providerId === undefined ? 'is not set' : `is ${node.providerId}`;
    return {
      kind: 'no-instance',
      sentence: `${none} nobody knows which instance of the cloud node ${on} is: its spec.providerID ${found}`,
      remedy: 'start kubelet with --provider-id=CLOUD:///ZONE/INSTANCE, or run the cloud-controller-manager of the cloud',
    };
  }
  if (network === undefined) {
    const sentence = `${none} node ${on} has no NodeNetwork: the controller makes one for each Node; ${sayLeader(facts.lease, facts.now_ms)}`;
    return { kind: 'no-node-network', sentence, remedy: leaderRemedy };
  }
  if (network.spec === undefined) {
    const sentence = `${none} the agent on node ${on} has never spoken: ${sayAgent(facts.agent)}`;
    return { kind: 'agent-silent', sentence, remedy: agentRemedy };
  }
  if (network.status === undefined) {
    const sentence = `${none} the controller has not answered node ${on} yet; ${sayLeader(facts.lease, facts.now_ms)}`;
    return { kind: 'controller-silent', sentence, remedy: leaderRemedy };
  }
  if (network.instance !== undefined && network.instance !== instance) {
    const sentence = `${none} node ${on} is another instance now (${instance}), and what the controller granted is still about ${network.instance}; ${sayLeader(facts.lease, facts.now_ms)}`;
    return { kind: 'instance-replaced', sentence, remedy: leaderRemedy };
  }
  if (network.spec.draining !== undefined) {
    const sentence = `${none} node ${on} is leaving: it gives all addresses back and serves no new Pod`;
    return { kind: 'draining', sentence, remedy: 'run the Pod on another node; kubectl cordon keeps further ones away' };
  }
  return undefined;
}

/** When nothing else is known to be wrong: is anybody there to give the address? */
export function nodeNotReady(facts: WhyFacts): Finding | undefined {
  const { pod, node, agent } = facts;
  const name = nameOfPod(pod);
  if (agent === undefined || !agent.ready) {
    const sentence = `${name} has no address yet, and nobody on node ${pod.node ?? ''} may be there to give one: ${sayAgent(agent)}`;
    return { kind: 'agent-not-ready', sentence, remedy: agentRemedy };
  }
  const ready = node?.conditions.find(({ type }) => type === 'Ready');
  if (ready === undefined || ready.status === 'True') return undefined;
  const sentence = `${name} has no address yet, and its node ${pod.node ?? ''} is not ready: ${ready.message || ready.reason}`;
  return { kind: 'node-not-ready', sentence, remedy: `kubectl describe node ${pod.node ?? ''} says since when; kubelet's log says more` };
}

const agentRemedy = 'kubectl logs -n NAMESPACE daemonset/flatpod-agent has its reasons; kubectl describe pod those of its start';
const leaderRemedy =
  'kubectl get lease -A --field-selector metadata.name=flatpod-controller shows who leads; the log of that Pod has its reasons';

/** Who leads, and whether it is alive. */
export function sayLeader(lease: LeaseView | undefined, now_ms: number): string {
  if (lease === undefined) return 'no controller has ever led in this cluster';
  const { holder, renewed_ms, lasts_ms, term } = lease;
  if (holder === undefined) return 'no controller leads right now';
  const seen = `${ago(renewed_ms, now_ms)} ago`;
  const silent = renewed_ms === undefined || now_ms - renewed_ms > lasts_ms + CLOCKS_DIFFER_ms;
  return silent ? `the last leader, ${holder}, was last seen ${seen}` : `controller ${holder} leads (term ${term}), seen ${seen}`;
}

/** How the agent's Pod is. */
export function sayAgent(agent: PodView | undefined): string {
  if (agent === undefined) return 'there is no agent Pod on it';
  const { waiting, restarts, phase } = agent;
  const name = nameOfPod(agent);
  if (agent.ready) return `its Pod ${name} runs and is ready`;
  const again = restarts === 0 ? '' : `, after ${restarts} restarts`;
  if (waiting === undefined) return `its Pod ${name} is ${phase}, not ready${again}`;
  return `its Pod ${name} waits: ${waiting.reason}${waiting.message === '' ? '' : ` (${waiting.message})`}${again}`;
}
