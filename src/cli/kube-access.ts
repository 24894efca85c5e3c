/** How a command reaches the Kubernetes API. */
import type { Access } from '../kube/access.ts';
import { accessInCluster } from '../kube/in-cluster.ts';
import { accessFromKubeconfig } from '../kube/kubeconfig.ts';

/** By the file, or, without one, by the service account of the Pod we run in. @throws Failure kubeconfig*, notInCluster. */
export function accessOf(kubeconfig: string | undefined): Access {
  return kubeconfig === undefined ? accessInCluster() : accessFromKubeconfig(kubeconfig);
}
