/** Access by a kubeconfig file (k8s.io/client-go/tools/clientcmd/api/v1). */
import type { Access } from './access.ts';

/** What a kubeconfig leaves open. */
export interface KubeconfigChoice {
  /** Name of the context; `current-context` when absent. */
  readonly context?: string;
  /** Also takes one that says `insecure-skip-tls-verify`, or an http:// server. Only for a person who asked for it. */
  readonly allowUnverified?: boolean;
}

/**
 * Reads the file. Tokens, certificates and keys that it names by path are read when they are needed, so that they may rotate; relative paths start at its folder.
 * @throws Failure kubeconfigInvalid; kubeconfigUnsupported for what would run programs (`exec`, `auth-provider`), passwords, proxies and impersonation
 */
export function accessFromKubeconfig(path: string, choice: KubeconfigChoice = {}): Access {
  throw new Error(`not yet: ${path} ${String(choice.context)}`);
}
