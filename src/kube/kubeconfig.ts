/** Access by a kubeconfig file (k8s.io/client-go/tools/clientcmd/api/v1). */
import { dirname, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import type * as z from 'zod';
import { failure, isFailure } from '../errors/failure.ts';
import { type Access, type Credentials, isToken, readCredential, readToken } from './access.ts';
import { complaintOf } from './answers.ts';
import { kubeconfigSchema } from './kubeconfig-schema.ts';

/** What a kubeconfig leaves open. */
export interface KubeconfigChoice {
  /** Name of the context; `current-context` when absent. */
  readonly context?: string;
  /** Also takes one that says `insecure-skip-tls-verify`. Only for a person who asked for it. */
  readonly allowUnverified?: boolean;
}

type Kubeconfig = z.infer<typeof kubeconfigSchema>;
type Cluster = Kubeconfig['clusters'][number]['cluster'];
type User = Kubeconfig['users'][number]['user'];

/**
 * Reads the file. Tokens, certificates and keys that it names by path are read when they are needed, so that they may rotate; relative paths start at its folder.
 * @throws Failure kubeconfigInvalid; kubeconfigUnsupported for what would run programs (`exec`, `auth-provider`), passwords, proxies and impersonation
 */
export function accessFromKubeconfig(path: string, choice: KubeconfigChoice = {}): Access {
  const { cluster, user, namespace } = chosen(path, readKubeconfig(path), choice.context);
  refuse(path, cluster, user, choice.allowUnverified ?? false);
  const folder = dirname(resolve(path));
  const inline = (text: string | undefined, what: string) => (text === undefined ? undefined : decoded(path, text, what));
  const authority = source(
    folder,
    inline(cluster['certificate-authority-data'], 'certificate-authority-data'),
    cluster['certificate-authority'],
  );
  const certificate = source(folder, inline(user['client-certificate-data'], 'client-certificate-data'), user['client-certificate']);
  const key = source(folder, inline(user['client-key-data'], 'client-key-data'), user['client-key']);
  if ((certificate === undefined) !== (key === undefined))
    throw invalid(path, `its user has a ${certificate === undefined ? 'client-key' : 'client-certificate'} without the other half`);
  const { token, tokenFile } = user;
  if (token !== undefined && !isToken(token)) throw invalid(path, 'the token of its user has blanks, or letters that are not ASCII');
  return {
    server: serverOf(path, cluster.server),
    ...(cluster['tls-server-name'] === undefined ? {} : { serverName: cluster['tls-server-name'] }),
    unverified: cluster['insecure-skip-tls-verify'] ?? false,
    ...(namespace === undefined ? {} : { namespace }),
    // As in client-go, inline certificates win over files and a file wins over an inline token.
    credentials(): Credentials {
      const proof = tokenFile === undefined ? token : readToken(resolve(folder, tokenFile));
      return {
        ...(proof === undefined ? {} : { token: proof }),
        ...(authority === undefined ? {} : { authority: authority('the authority certificate') }),
        ...(certificate === undefined || key === undefined
          ? {}
          : { client: { certificate: certificate('the client certificate'), key: key('the client key') } }),
      };
    },
  };
}

function readKubeconfig(path: string): Kubeconfig {
  let text: string;
  try {
    text = readCredential(path, 'the kubeconfig');
  } catch (cause) {
    throw isFailure(cause) ? invalid(path, cause.details, cause) : cause;
  }
  try {
    return kubeconfigSchema.parse(parseYaml(text, { maxAliasCount: 100, logLevel: 'error' }));
  } catch (cause) {
    // Of the library's picture of the line, which may hold a secret, only the first line is shown.
    throw invalid(path, complaintOf(cause).split('\n')[0] ?? '', cause);
  }
}

function chosen(
  path: string,
  config: Kubeconfig,
  wanted: string | undefined,
): { cluster: Cluster; user: User; namespace: string | undefined } {
  const name = wanted ?? config['current-context'];
  if (name === undefined || name === '') throw invalid(path, 'it names no current-context, and none was asked for');
  const context = find(path, config.contexts, 'context', name).context;
  return {
    cluster: find(path, config.clusters, 'cluster', context.cluster).cluster,
    user: context.user === undefined || context.user === '' ? {} : find(path, config.users, 'user', context.user).user,
    namespace: context.namespace === '' ? undefined : context.namespace,
  };
}

function find<T extends { readonly name: string }>(path: string, among: readonly T[], what: string, name: string): T {
  const found = among.find((one) => one.name === name);
  if (found !== undefined) return found;
  const there = among.length === 0 ? 'none at all' : among.map((one) => one.name).join(', ');
  throw invalid(path, `it has no ${what} ${name}; there is ${there}`);
}

/** Everything that would be left out silently otherwise, and give a wrong identity or a surprise. */
function refuse(path: string, cluster: Cluster, user: User, allowUnverified: boolean): void {
  const unsupported = (what: string, text: string) => failure('kubeconfigUnsupported', { path, what, text });
  if (user.exec !== undefined) throw unsupported('a program that gives credentials (exec)', 'Flatpod runs no programs that a file names');
  if (user['auth-provider'] !== undefined) throw unsupported('an auth-provider', 'Kubernetes itself has removed them');
  if (user.username !== undefined || user.password !== undefined) throw unsupported('a password', 'API servers take none since 1.19');
  const { as, 'as-uid': uid, 'as-groups': groups, 'as-user-extra': extra } = user;
  if ([as, uid, groups, extra].some((one) => one !== undefined)) throw unsupported('impersonation', 'a program should be who it is');
  if (cluster['proxy-url'] !== undefined && cluster['proxy-url'] !== '')
    throw unsupported('a proxy', 'the API server must be reached directly');
  if (cluster['insecure-skip-tls-verify'] === true && !allowUnverified)
    throw unsupported('a server that need not prove who it is (insecure-skip-tls-verify)', 'give its certificate-authority instead');
}

function serverOf(path: string, server: string): string {
  const url = URL.parse(server);
  if (url?.protocol === 'http:')
    throw failure('kubeconfigUnsupported', { path, what: 'a server without TLS', text: `${server}: API servers speak https only` });
  if (url?.protocol !== 'https:' || url.search !== '' || url.hash !== '') throw invalid(path, `its server ${server} is no https:// URL`);
  return server.replace(/\/+$/, '');
}

/** Reads a credential whenever it is asked: inline text wins over a file, as in client-go. */
function source(folder: string, inline: string | undefined, file: string | undefined): ((what: string) => string) | undefined {
  if (inline !== undefined) return () => inline;
  return file === undefined || file === '' ? undefined : (what) => readCredential(resolve(folder, file), what);
}

function decoded(path: string, text: string, what: string): string {
  const pem = Buffer.from(text, 'base64').toString('utf8');
  if (!pem.includes('-----BEGIN ')) throw invalid(path, `${what} is no PEM text in base64`);
  return pem;
}

function invalid(path: string, text: string, cause?: unknown) {
  return failure('kubeconfigInvalid', { path, text }, cause);
}
