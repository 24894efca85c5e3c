/** What the demo asks: every pair of Pods, the plain VM, the nodes, the internet, a Service address and a node port; and as whom each must be seen. */
import { type Lab, type Machine, machineOf } from './lab.ts';
import type { End, Question } from './matrix.ts';
import type { LabNode, LabPod } from './node.ts';

/** The Service-like address of the demo, translated on each node by what kube-proxy would install. */
const SERVICE = { address: '10.96.0.10', port: 80 } as const;
const NODE_PORT = 30080;

/** Groups in the order in which they are shown. */
export const groups = [
  'Pod → Pod, same node',
  'Pod → Pod, another node',
  'Pod → Pod, another subnet',
  'Pod → plain VM',
  'plain VM → Pod',
  'node → its own Pod',
  'node → other Pod',
  'Pod → its node',
  'Pod → internet (SNAT)',
  'Pod → Service address',
  'internet → node port',
] as const;

/** All who take part. */
export interface Scene {
  readonly lab: Lab;
  readonly nodes: readonly LabNode[];
  readonly pods: readonly LabPod[];
  /** Name of the subnet each node lies in. */
  readonly subnetOf: ReadonlyMap<string, string>;
  /** The Pod behind the Service address and the node port. */
  readonly backend: LabPod;
  /** Pods are behind the node's routing. Otherwise they are on the network by links of their own, and Services of other nodes see the node that led there. */
  readonly isRouted: boolean;
}

/** All questions. The backend does not ask for itself through the Service: answering oneself needs masquerade, which is the proxy's business. */
export function questionsOf(scene: Scene): Question[] {
  const { lab, nodes, pods } = scene;
  const [vm, internet] = [endOf(machineOf(lab, 'vm')), endOf(machineOf(lab, 'web'))];
  const podEnds = pods.toSorted((a, b) => nodes.indexOf(a.node) - nodes.indexOf(b.node)).map((pod) => ({ pod, end: podEnd(pod) }));
  return [
    ...podEnds.flatMap(({ pod, end }) =>
      podEnds.filter((other) => other.pod !== pod).map((other) => question(podGroup(scene, pod, other.pod), end, other.end, [end.address])),
    ),
    ...podEnds.flatMap(({ pod, end }): Question[] => {
      const node = endOf(pod.node.machine);
      return [
        question('Pod → plain VM', end, vm, [end.address]),
        question('plain VM → Pod', vm, end, [vm.address]),
        question('Pod → its node', end, node, [end.address]),
        question('Pod → internet (SNAT)', end, internet, [pod.node.machine.publicAddress ?? '']),
        ...(pod === scene.backend
          ? []
          : [question('Pod → Service address', end, { name: 'Service', ...SERVICE }, [serviceSeen(scene, pod)])]),
        ...nodes.map((from) =>
          question(from === pod.node ? 'node → its own Pod' : 'node → other Pod', endOf(from.machine), end, [endOf(from.machine).address]),
        ),
      ];
    }),
    ...nodes.map((node) =>
      question(
        'internet → node port',
        internet,
        { name: node.machine.name, address: node.machine.publicAddress ?? '', port: NODE_PORT },
        nodePortSeen(scene, node, internet),
      ),
    ),
  ];
}

/** What kube-proxy would install on a node for one Service with a node port. A backend elsewhere is reached under the node's own address. */
export function serviceTable(backend: string, isLocal: boolean): string {
  const masquerade = isLocal ? '' : `ip daddr ${backend} tcp dport 8080 ct status dnat ct original proto-dst ${NODE_PORT} masquerade`;
  return `table ip fpdemo_services
delete table ip fpdemo_services
table ip fpdemo_services {
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    ip daddr ${SERVICE.address} tcp dport ${SERVICE.port} dnat to ${backend}:8080
    fib daddr type local tcp dport ${NODE_PORT} dnat to ${backend}:8080
  }
  chain postrouting {
    type nat hook postrouting priority srcnat - 1; policy accept;
    ${masquerade}
  }
}
`;
}

function nodePortSeen(scene: Scene, node: LabNode, internet: End): string[] {
  return [node === scene.backend.node ? internet.address : endOf(node.machine).address];
}

function serviceSeen({ backend, isRouted }: Scene, pod: LabPod): string {
  return isRouted || pod.node === backend.node ? podEnd(pod).address : endOf(pod.node.machine).address;
}

function podGroup({ subnetOf }: Scene, from: LabPod, to: LabPod): string {
  if (from.node === to.node) return 'Pod → Pod, same node';
  const same = subnetOf.get(from.node.machine.name) === subnetOf.get(to.node.machine.name);
  return same ? 'Pod → Pod, another node' : 'Pod → Pod, another subnet';
}

function question(group: string, from: End, to: Question['to'], seenAs: readonly string[]): Question {
  return { group, from, to, seenAs };
}

function podEnd(pod: LabPod): End {
  return { name: `${pod.node.machine.name}/${pod.name}`, netns: pod.netns, address: pod.addresses[0] ?? '' };
}

function endOf(machine: Machine): End {
  return { name: machine.name, netns: machine.netns, address: machine.addresses[0] ?? '' };
}
