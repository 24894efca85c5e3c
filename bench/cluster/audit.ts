/** What the API server was asked, by whom: counted from its audit log. */

/** One request, as far as it is counted. */
export interface Asked {
  readonly by: Component;
  /** Of Kubernetes: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`. */
  readonly verb: string;
  /** `pods`, `pods/status`. */
  readonly resource: string;
}

/** Whose requests are counted. */
export type Component = 'agent' | 'controller' | 'kubelet' | 'scheduler';

/** What is read of an Event of audit.k8s.io/v1. The API server's word for its shape is enough here. */
interface Event {
  readonly auditID: string;
  readonly verb: string;
  readonly user: { readonly username: string };
  readonly objectRef?: { readonly resource?: string; readonly subresource?: string };
}

/** The requests of these lines of the log, each once, however many stages of it were written. */
export function askedIn(lines: string): Asked[] {
  const events = new Map<string, Asked>();
  for (const line of lines.split('\n').filter((one) => one !== '')) {
    const { auditID, verb, user, objectRef: { resource = 'other', subresource } = {} } = JSON.parse(line) as Event;
    const by = componentOf(user.username);
    if (by !== undefined) events.set(auditID, { by, verb, resource: subresource === undefined ? resource : `${resource}/${subresource}` });
  }
  return [...events.values()];
}

function componentOf(user: string): Component | undefined {
  if (user.startsWith('system:node:')) return 'kubelet';
  const names: Readonly<Record<string, Component>> = {
    'system:serviceaccount:kube-system:flatpod-agent': 'agent',
    'system:serviceaccount:kube-system:flatpod-controller': 'controller',
    'system:kube-scheduler': 'scheduler',
  };
  return names[user];
}

/** Whether the request is made as often whatever Pods do: signs of life, and watches that are opened anew every few minutes. */
export function isPeriodic({ by, verb, resource }: Asked): boolean {
  return resource === 'leases' || verb === 'watch' || resource === 'other' || (by === 'kubelet' && resource.startsWith('nodes'));
}

/** Whether it changes something. */
export function isWrite({ verb }: Asked): boolean {
  return !['get', 'list', 'watch'].includes(verb);
}
