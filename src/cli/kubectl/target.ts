/** Which Pod a command is about. */
import { failure } from '../../errors/failure.ts';
import { resources } from '../../store/kubernetes/resources.ts';
import { type PodView, readPodView } from './core.ts';
import type { Connection, Kubectl } from './kubectl.ts';

/** Options that all commands have. */
export interface CommonOptions extends Connection {
  readonly json: boolean;
}

/** Options of commands about one Pod. */
export interface PodOptions extends CommonOptions {
  readonly namespace?: string;
}

/** The Pod `NAMESPACE/NAME`, or NAME in the namespace of -n, else of the context. @throws Failure podUnknown, badOption, kubectl* */
export async function findPod(kubectl: Kubectl, asked: string, options: PodOptions): Promise<PodView> {
  const parts = asked.split('/');
  const [first = '', second] = parts;
  if (parts.length > 2 || parts.includes(''))
    throw failure('badOption', { option: 'Pod', value: asked, remedy: 'write NAMESPACE/NAME, or NAME with -n' });
  const name = second ?? first;
  const namespace = second === undefined ? (options.namespace ?? (await kubectl.namespace())) : first;
  const pod = await kubectl.get({ ...resources.pods, namespace, name }, readPodView);
  if (pod === undefined) throw failure('podUnknown', { pod: `${namespace}/${name}` });
  return pod;
}
