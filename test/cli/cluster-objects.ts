/** Objects of a small cluster as its API server would answer them, for tests of what is concluded from them. */
import {
  type EventView,
  type LeaseView,
  type NodeView,
  type PodView,
  readEventView,
  readLeaseView,
  readNodeView,
  readPodView,
} from '../../src/cli/kubectl/core.ts';
import { readSubnetView, type SubnetView } from '../../src/cli/kubectl/objects.ts';
import { type StoredNodeNetwork, readNodeNetwork } from '../../src/store/kubernetes/stored-node-network.ts';
import type { WhyFacts } from '../../src/cli/kubectl/why-facts.ts';
import { readClaim, type StoredClaim } from '../../src/store/kubernetes/stored-claim.ts';

/** When all of this is looked at. */
export const now_ms = Date.parse('2026-01-01T12:00:00Z');

/** RFC 3339, that many seconds before. */
export function before(seconds: number): string {
  return new Date(now_ms - seconds * 1000).toISOString();
}

/** Pod shop/web-0 on node n1, without an address. */
export function pod(spec: object = {}, status: object = {}, metadata: object = {}): PodView {
  return readPodView({
    metadata: { namespace: 'shop', name: 'web-0', uid: 'u-web-0', ...metadata },
    spec: { nodeName: 'n1', ...spec },
    status: { phase: 'Pending', ...status },
  });
}

/** An agent's Pod that is ready; `status` may say otherwise. */
export function agentPod(status: object = {}): PodView {
  const containerStatuses = [{ name: 'agent', ready: true, restartCount: 0, state: { running: {} } }];
  return readPodView({
    metadata: { namespace: 'kube-system', name: 'flatpod-agent-x', uid: 'u-agent' },
    spec: { nodeName: 'n1', hostNetwork: true },
    status: { phase: 'Running', podIP: '10.20.0.10', containerStatuses, ...status },
  });
}

/** Node n1, ready, instance i-1. */
export function node(spec: object = {}, ready = 'True', labels: object = {}): NodeView {
  return readNodeView({
    metadata: { name: 'n1', uid: 'u-n1', labels: { zone: 'a', ...labels } },
    spec: { providerID: 'vpc:///zone-a/i-1', ...spec },
    status: {
      addresses: [{ type: 'InternalIP', address: '10.20.0.10' }],
      conditions: [{ type: 'Ready', status: ready, reason: 'R', message: 'kubelet says so' }],
    },
  });
}

/** PodSubnet. */
export function subnet(name: string, spec: object = {}, status?: object): SubnetView {
  const at = 'range' in spec ? {} : { cloudSubnet: `cloud-${name}` };
  return readSubnetView({ metadata: { name }, spec: { ...at, ...spec }, ...(status !== undefined && { status }) });
}

/** The first NIC of a node, with those blocks of PodSubnet `pods`. */
export function nic(blocks: readonly string[], more: object = {}): object {
  return {
    id: 'nic-1',
    mac: '02:00:00:00:00:01',
    subnet: 'pods',
    deviceIndex: 0,
    mtu: 1500,
    cidr4: '10.20.0.0/24',
    gateway4: '10.20.0.1',
    primary4: '10.20.0.10',
    blocks,
    ...more,
  };
}

/** NodeNetwork n1: four addresses of `pods`, one in use, and it can grow. */
export function network(spec: object | undefined = {}, status: object | undefined = {}, name = 'n1'): StoredNodeNetwork {
  return readNodeNetwork({
    metadata: {
      name,
      uid: `u-${name}`,
      resourceVersion: '7',
    },
    ...(spec !== undefined && { spec: { demand: [{ subnet: 'pods', inUse: 1, cooling: 0, waiting: 0 }], ...spec } }),
    ...(status !== undefined && { status: { ...grants, ...status } }),
  });
}

const grants = {
  instance: 'i-1',
  nics: [nic(['10.20.0.16/32', '10.20.0.17/32', '10.20.0.18/32', '10.20.0.19/32'])],
  growth: [{ subnet: 'pods', stoppedBy: 'none', text: '' }],
  subnets: [{ name: 'pods', spec: { cloudSubnet: 'cloud-pods', default: true } }],
};

/** A Lease that was renewed a moment before. */
export function lease(spec: object = {}): LeaseView {
  return readLeaseView({
    metadata: { namespace: 'kube-system', name: 'flatpod-controller' },
    spec: { holderIdentity: 'c-1', leaseTransitions: 3, renewTime: before(2), leaseDurationSeconds: 15, ...spec },
  });
}

/** What kubelet writes when containerd could not make a sandbox; `text` is what the plugin answered. */
export function sandboxEvent(text: string, seconds = 5): EventView {
  return readEventView({
    metadata: { name: 'e', creationTimestamp: before(60) },
    reason: 'FailedCreatePodSandBox',
    count: 3,
    lastTimestamp: before(seconds),
    message: `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "8f2c": plugin type="flatpod" name="flatpod" failed (add): ${text}`,
  });
}

/** IPClaim shop/web-0 with one address. */
export function claim(held: object, name = 'web-0'): StoredClaim {
  const address = { address: '10.20.0.99', subnet: 'pods', phase: 'Bound', since: before(100), ...held };
  return readClaim({
    metadata: { namespace: 'shop', name, uid: `u-${name}`, resourceVersion: '1' },
    spec: { pod: 'web-0' },
    status: { addresses: [address] },
  });
}

/** A cluster in which nothing is wrong and the Pod is about to get its address; `more` says what is. */
export function facts(more: Partial<WhyFacts> = {}): WhyFacts {
  return {
    pod: pod(),
    namespace: { name: 'shop', uid: 'uid-of-it', labels: { team: 'web' }, annotations: {} },
    serviceAccount: undefined,
    node: node(),
    networks: [network()],
    subnets: [subnet('pods', { default: true })],
    claims: [],
    events: [],
    lease: lease(),
    agent: agentPod(),
    now_ms,
    ...more,
  };
}
