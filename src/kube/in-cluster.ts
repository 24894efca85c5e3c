/** Access of a Pod by its mounted ServiceAccount (kubernetes.io/docs/tasks/run-application/access-api-from-pod). */
import type { Access } from './access.ts';

/** Where kubelet tells a Pod of its cluster. */
export interface PodSurroundings {
  /** process.env when absent. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** /var/run/secrets/kubernetes.io/serviceaccount when absent. */
  readonly folder?: string;
}

/**
 * The API server that kubelet named in this Pod's environment, as the Pod's ServiceAccount. The token is read again when kubelet has replaced it.
 * @throws Failure notInCluster
 */
export function accessInCluster(surroundings: PodSurroundings = {}): Access {
  throw new Error(`not yet: ${String(surroundings.folder)}`);
}
