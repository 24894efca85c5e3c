/** helm as administrator of a test cluster. */
import { helmProgram } from '../../scripts/helm.ts';
import type { Cluster } from './cluster.ts';

/** Runs it to its end, in the namespace of Flatpod's release. @throws Error with what it said when it fails. */
export async function helmIn(cluster: Cluster, ...args: readonly string[]): Promise<void> {
  const env = { HOME: cluster.dir, KUBECONFIG: cluster.kubeconfig };
  const { status, stdout, stderr } = await cluster.control.run([helmProgram(), '--namespace', 'kube-system', ...args], {
    env,
    limit_s: 120,
  });
  if (status !== 0) throw new Error(`helm ${args[0] ?? ''}: ${stderr}${stdout}`);
}
