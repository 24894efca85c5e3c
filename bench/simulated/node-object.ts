/** Nodes as their kubelets write them: with all that the controller has to read past. */

/** The label by which a node belongs to a PodSubnet. */
export const RACK = 'bench.flatpod.dev/rack';
const conditions = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'];

/** A Node of that name, whose instance is called after it. */
export function nodeObject(name: string, rack: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      labels: {
        [RACK]: rack,
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': 'amd64',
        'topology.kubernetes.io/zone': 'zone-a',
        'node.kubernetes.io/instance-type': 'simulated',
      },
    },
    spec: { providerID: `vpc:///zone-a/i-${name}` },
  };
}

/** Its status after a heartbeat: as large as the kubelet's, with 50 images (nodeStatusMaxImages). */
export function nodeStatus(at: Date): object {
  const times = { lastHeartbeatTime: at.toISOString(), lastTransitionTime: '2026-01-01T00:00:00Z' };
  const resources = { cpu: '16', memory: '65842916Ki', 'ephemeral-storage': '101430960Ki', pods: '110' };
  return {
    conditions: conditions.map((type) => ({
      type,
      status: type === 'Ready' ? 'True' : 'False',
      reason: `Kubelet${type}`,
      message: `kubelet says that ${type} is as it should be`,
      ...times,
    })),
    capacity: resources,
    allocatable: resources,
    addresses: [{ type: 'InternalIP', address: '10.16.0.10' }],
    images: Array.from({ length: 50 }, (_, i) => ({
      names: [`registry.example/team-${i}/service@sha256:${'ab'.repeat(32)}`, `registry.example/team-${i}/service:v1.${i}.0`],
      sizeBytes: 50_000_000 + i,
    })),
  };
}
