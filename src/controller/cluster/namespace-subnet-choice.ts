/**
 * Which namespace has which assignable PodSubnet: pure.
 *
 * A PodSubnet is a namespace's when the annotation flatpod.dev/pod-subnet names it; `auto` asks for one that is nobody's. What a namespace had stays taken,
 * also when the namespace is gone, until no address of it is in use.
 */
import { AUTO, inOrder, subnetsNamed } from '../../store/subnet-order.ts';
import type { PodSubnet, PodSubnetStatus } from '../../store/pod-subnet.ts';
import type { ClusterNamespace } from '../../store/kubernetes/core-objects.ts';

/** A PodSubnet, and what is known of its use. */
export interface Assignable {
  readonly subnet: PodSubnet;
  readonly status: PodSubnetStatus;
  /** Whether some node can use it. */
  readonly isUsable: boolean;
  /** Whether Pods have addresses of it, or had until a moment ago. */
  readonly isUsed: boolean;
}

/** What is to be written; in this order. */
export interface Assignments {
  /** Whose each PodSubnet is, where that is another than its status says. */
  readonly owners: ReadonlyMap<string, readonly string[]>;
  /** What each namespace's annotation is to say instead of `auto`. */
  readonly given: ReadonlyMap<string, string>;
  /** Namespaces for which none is free. */
  readonly unserved: readonly string[];
}

/** See the head of this file. */
export function assignmentsFor(namespaces: readonly ClusterNamespace[], all: readonly Assignable[]): Assignments {
  const assignable = all.filter(({ subnet }) => subnet.spec.assignable);
  const owners = new Map(assignable.map(({ subnet: { metadata } }) => [metadata.name, new Set<string>()]));
  for (const { name, annotations } of namespaces) for (const named of subnetsNamed(annotations) ?? []) owners.get(named)?.add(name);
  // Those that ask for one now get back what they were given before a crash.
  const asking = new Set(namespaces.flatMap(({ name, annotations }) => (subnetsNamed(annotations)?.includes(AUTO) === true ? name : [])));
  for (const { subnet, status, isUsed } of assignable) {
    const set = owners.get(subnet.metadata.name);
    for (const before of status.assignedTo) if (isUsed || asking.has(before)) set?.add(before);
  }
  const given = new Map<string, string>();
  const give = ({ name, annotations }: ClusterNamespace, own: PodSubnet): void => {
    owners.get(own.metadata.name)?.add(name);
    given.set(name, replaced(annotations, own.metadata.name));
    // One is enough.
    for (const { subnet, isUsed } of assignable) if (subnet !== own && !isUsed) owners.get(subnet.metadata.name)?.delete(name);
  };
  const ownBefore = ({ name }: ClusterNamespace): PodSubnet | undefined =>
    assignable.find(({ subnet, status }) => status.assignedTo.includes(name) && !isShared(subnet.metadata.name))?.subnet;
  const usable = inOrder(assignable.flatMap(({ subnet, isUsable, isUsed }) => (isUsable && !isUsed ? subnet : [])));
  const isFree = ({ metadata }: PodSubnet): boolean => owners.get(metadata.name)?.size === 0;
  let waiting = namespaces.filter(({ name }) => asking.has(name));
  for (;;) {
    // Who had one goes first, also one that was shared until a moment ago: what is left over then is free.
    const next = waiting.find((one) => ownBefore(one) !== undefined) ?? waiting[0];
    const subnet = next === undefined ? undefined : (ownBefore(next) ?? usable.find(isFree));
    if (next === undefined || subnet === undefined) break;
    give(next, subnet);
    waiting = waiting.filter((one) => one !== next);
  }
  const unserved = waiting.map(({ name }) => name);
  const news = assignable.filter(({ subnet, status }) => !isSame(owners.get(subnet.metadata.name), status.assignedTo));
  return {
    owners: new Map(news.map(({ subnet: { metadata } }) => [metadata.name, [...(owners.get(metadata.name) ?? [])].toSorted()])),
    given,
    unserved,
  };

  /** Named by hand for others too: it is no subnet of its own. */
  function isShared(subnet: string): boolean {
    return (owners.get(subnet)?.size ?? 0) > 1;
  }
}

/** `auto` becomes the name; what else is named stays. */
function replaced(annotations: ClusterNamespace['annotations'], name: string): string {
  const names = subnetsNamed(annotations) ?? [];
  return [...new Set(names.map((one) => (one === AUTO ? name : one)))].join(',');
}

function isSame(owners: ReadonlySet<string> | undefined, before: readonly string[]): boolean {
  return owners?.size === before.length && before.every((name) => owners.has(name));
}
