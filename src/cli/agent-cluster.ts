/** A node of a cluster: its NodeNetwork lives in the Kubernetes API, where the controller finds it. */
import { openApi } from '../kube/api.ts';
import { mirroredNodeNetwork } from '../store/kubernetes/mirrored-node-network.ts';
import { nodePods } from '../store/kubernetes/node-pods.ts';
import type { NodeMode } from '../store/node-mode.ts';
import { accessOf } from './kube-access.ts';
import type { Around, Surroundings } from './surroundings.ts';

/** Starts following the API server; works on without it. @throws Failure when there is no way to reach one. */
export function inCluster({ name, copy, namespaces, log }: Around, { cluster }: Extract<NodeMode, { kind: 'cluster' }>): Surroundings {
  const api = openApi(accessOf(cluster.kubeconfig), { userAgent: 'flatpod-agent/0.1' });
  const store = mirroredNodeNetwork(api, copy, name, log);
  return {
    store,
    pods: (changed, subnets) => nodePods(api, name, log, changed, { remembered: namespaces, subnets }),
    stop() {
      store.stop();
      api.close();
      return Promise.resolve();
    },
  };
}
