/** Access of a Pod by its mounted ServiceAccount (kubernetes.io/docs/tasks/run-application/access-api-from-pod). */
import { existsSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { join } from 'node:path';
import { failure } from '../errors/failure.ts';
import { type Access, readCredential, readToken } from './access.ts';

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
  const { env = process.env, folder = '/var/run/secrets/kubernetes.io/serviceaccount' } = surroundings;
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'];
  if (!host || !port)
    throw failure('notInCluster', { text: 'KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not in the environment' });
  const token = join(folder, 'token');
  if (!existsSync(token)) throw failure('notInCluster', { text: `there is no ${token}` });
  const namespace = join(folder, 'namespace');
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  if (!URL.canParse(server))
    throw failure('notInCluster', { text: `KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT make no URL: ${server}` });
  return {
    server,
    unverified: false,
    ...(existsSync(namespace) ? { namespace: readCredential(namespace, 'the namespace').trim() } : {}),
    credentials: () => ({ token: readToken(token), authority: readCredential(join(folder, 'ca.crt'), 'the authority certificate') }),
  };
}
