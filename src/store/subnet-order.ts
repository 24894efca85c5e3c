/**
 * Which PodSubnets may serve a Pod, the first to be tried first:
 * 1. the one that the network configuration names, and no other;
 * 2. else those that the annotation of the namespace names, in its order, and no other;
 * 3. else those that name or select the Pod, by priority and name;
 * 4. else the defaults, by priority and name.
 * Which nodes may use a subnet (nodeSelector) is decided before: the list has only subnets of this node.
 */
import { type Labels, type LabelSelector, matches, saySelector } from './label-selector.ts';
import type { PodSubnet } from './pod-subnet.ts';

/** Annotation of a namespace: names of PodSubnets with commas, or `auto`. */
export const SUBNET_ANNOTATION = 'flatpod.dev/pod-subnet';
/** Its value while the controller has not yet chosen one. */
export const AUTO = 'auto';

/** What is known of a Pod. Outside of Kubernetes that may be nothing at all. */
export interface PodAsking {
  readonly namespace: string | undefined;
  /** Name of a PodSubnet in the network configuration. */
  readonly subnet: string | undefined;
  readonly podLabels?: Labels;
  /** Absent: it runs as none, or its service account was not read. */
  readonly serviceAccountLabels?: Labels;
  readonly namespaceLabels?: Labels;
  readonly namespaceAnnotations?: Labels;
}

/** See the head of this file. Empty: none, and {@link whyNone} says why. */
export function candidatesFor(subnets: readonly PodSubnet[], asking: PodAsking): PodSubnet[] {
  const named = namesAsked(asking);
  if (named !== undefined) return named.flatMap((name) => subnets.find(({ metadata }) => metadata.name === name) ?? []);
  const free = inOrder(subnets.filter(({ spec }) => !spec.assignable));
  const chosen = free.filter((subnet) => whyNot(subnet, asking) === undefined);
  return chosen.length > 0 ? chosen : free.filter(({ spec }) => spec.default);
}

/** Whether the labels of the Pod's service account, were they known, could decide which PodSubnets serve it. */
export function hangsOnServiceAccount(subnets: readonly PodSubnet[], asking: PodAsking): boolean {
  if (asking.serviceAccountLabels !== undefined || namesAsked(asking) !== undefined) return false;
  return subnets.some(
    ({ spec }) => !spec.assignable && spec.serviceAccountSelector !== undefined && whyNotOtherwise(spec, asking) === undefined,
  );
}

/** By priority, the highest first, then by name. */
export function inOrder(subnets: readonly PodSubnet[]): PodSubnet[] {
  return subnets.toSorted((a, b) => b.spec.priority - a.spec.priority || compare(a.metadata.name, b.metadata.name));
}

/** The names in the annotation of a namespace, in order, each once; undefined without one. `auto` is returned as it is. */
export function subnetsNamed(annotations: Labels | undefined): string[] | undefined {
  const text = annotations?.[SUBNET_ANNOTATION];
  const names = text?.split(',').flatMap((part) => (part.trim() === '' ? [] : part.trim()));
  return names === undefined || names.length === 0 ? undefined : [...new Set(names)];
}

/** Why no PodSubnet serves the Pod, in a sentence without a full stop: what was looked for, which there are, and why each is not for this Pod. */
export function whyNone(subnets: readonly PodSubnet[], asking: PodAsking): string {
  if (asking.subnet !== undefined) return `the network configuration asks for ${asking.subnet}; ${available(subnets)}`;
  const namespace = `namespace ${asking.namespace ?? '(none given)'}`;
  const named = subnetsNamed(asking.namespaceAnnotations);
  if (named?.includes(AUTO) === true) {
    return `${namespace} waits for the controller to give it a free assignable PodSubnet (annotation ${SUBNET_ANNOTATION}: ${AUTO}); ${available(subnets)}`;
  }
  if (named !== undefined) return `${namespace} asks for ${named.join(', ')} (annotation ${SUBNET_ANNOTATION}); ${available(subnets)}`;
  const each = inOrder(subnets).map((subnet) => `${subnet.metadata.name}: ${whyNot(subnet, asking)}`);
  const rest = each.length === 0 ? available(subnets) : `there are ${each.join('; ')}`;
  return `none names or selects ${namespace} and none is the default; ${rest}`;
}

function namesAsked({ subnet, namespaceAnnotations }: PodAsking): string[] | undefined {
  return subnet === undefined ? subnetsNamed(namespaceAnnotations) : [subnet];
}

/** Why the PodSubnet is not for this Pod; undefined: it names or selects it. */
function whyNot({ spec }: PodSubnet, asking: PodAsking): string | undefined {
  const { namespaces, namespaceSelector, podSelector, serviceAccountSelector } = spec;
  if (spec.assignable) return 'only for namespaces it is assigned to';
  const selectsPods = podSelector !== undefined || serviceAccountSelector !== undefined;
  if (namespaces.length === 0 && namespaceSelector === undefined && !selectsPods) return 'names no namespace';
  const otherwise = whyNotOtherwise(spec, asking);
  if (otherwise !== undefined || serviceAccountSelector === undefined) return otherwise;
  const labels = asking.serviceAccountLabels;
  if (labels !== undefined && matches(serviceAccountSelector, labels)) return undefined;
  return `for Pods whose service account has ${saySelector(serviceAccountSelector)}${unknown(serviceAccountSelector, labels)}`;
}

/** The same, whatever service account it is for. */
function whyNotOtherwise(spec: PodSubnet['spec'], asking: PodAsking): string | undefined {
  const { namespaces, namespaceSelector, podSelector } = spec;
  if (namespaces.length > 0 || namespaceSelector !== undefined) {
    const listed = asking.namespace !== undefined && namespaces.includes(asking.namespace);
    const selected = asking.namespaceLabels !== undefined && matches(namespaceSelector, asking.namespaceLabels);
    if (!listed && !selected) return `for namespaces ${ofNamespaces(spec)}${unknown(namespaceSelector, asking.namespaceLabels)}`;
  }
  if (podSelector === undefined || (asking.podLabels !== undefined && matches(podSelector, asking.podLabels))) return undefined;
  return `for Pods with ${saySelector(podSelector)}${unknown(podSelector, asking.podLabels)}`;
}

function ofNamespaces({ namespaces, namespaceSelector }: PodSubnet['spec']): string {
  const selected = namespaceSelector === undefined ? [] : [`with ${saySelector(namespaceSelector)}`];
  return [...(namespaces.length > 0 ? [some(namespaces)] : []), ...selected].join(' or ');
}

function unknown(selector: LabelSelector | undefined, labels: Labels | undefined): string {
  return selector !== undefined && labels === undefined ? ', and its labels are not known' : '';
}

function available(subnets: readonly PodSubnet[]): string {
  return `there are ${subnets.length === 0 ? 'none at all' : some(subnets.map(({ metadata }) => metadata.name))}`;
}

/** As many names as an event has room for. */
function some(names: readonly string[]): string {
  return names.length <= 8 ? names.join(', ') : `${names.slice(0, 8).join(', ')} and ${names.length - 8} more`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
