/**
 * Takes a plan out of the kernel. Never fails because something is gone already: the runtime may have removed the namespace, an operator the rule.
 *
 * What dies with a link is not removed by itself: a veth takes the addresses, routes and neighbours of both its ends along.
 * Only a veth that carries our alias or our MAC is deleted: a name alone proves nothing.
 */
import { isFailure } from '../errors/failure.ts';
import { byMac } from './children.ts';
import { bringHome, removeChild } from './remove-children.ts';
import { errno } from './errno.ts';
import { type Host, Namespaces, refusal, type Visited } from './namespaces.ts';
import { deleteAddress } from './netlink/address.ts';
import type { Message } from './netlink/message.ts';
import { deleteNeighbour, deleteProxy } from './netlink/neighbour.ts';
import { deleteRoute } from './netlink/route.ts';
import { deleteRule } from './netlink/rule.ts';
import { deleteTable } from './nft-table.ts';
import type { LinkRemover } from './remove-links.ts';
import { describe, type KernelObject, nameOf, type Plan, type VethObject, type Where } from './state.ts';

const gone: readonly number[] = [errno.ENOENT, errno.ESRCH, errno.ENODEV, errno.ENXIO, errno.EADDRNOTAVAIL, errno.EINVAL];

/** What is deleted by one message. */
type Deletable = Exclude<KernelObject, { kind: 'veth' | 'child' | 'nic' | 'link' | 'sysctl' | 'nft-table' }>;

/**
 * Removes all that the plan made but sysctls. NICs go home and children go before rules and routes, ends of veths last; resolves when the links are gone.
 */
export async function removePlan(host: Host, links: LinkRemover, plan: Plan): Promise<void> {
  const dying = linksDying(plan);
  const removals: Promise<void>[] = [];
  {
    using namespaces = new Namespaces(host);
    const deletions = new Map<Visited, Deletable[]>();
    for (const object of plan.toReversed()) {
      // Links that we only set up, and sysctls, stay: others may rely on them by now.
      if (object.kind === 'veth' || object.kind === 'link' || object.kind === 'sysctl') continue;
      if ('link' in object && dying.has(`${nameOf(object.where)} ${object.link}`)) continue;
      const visited = stillThere(namespaces, object.where);
      if (object.kind === 'nic') bringHome(namespaces, object, visited);
      else if (visited === undefined) continue;
      else if (object.kind === 'child') removals.push(...removeChild(visited, object));
      else if (object.kind === 'nft-table') deleteTable(visited.netns, object);
      else deletions.set(visited, [...(deletions.get(visited) ?? []), object]);
    }
    for (const [visited, objects] of deletions) deleteAll(visited, objects);
    for (const object of plan) if (object.kind === 'veth') removals.push(...removeVeth(namespaces, links, object));
  }
  await Promise.all(removals);
}

/** What a namespace that is gone held is gone. @throws Failure any other. */
function stillThere(namespaces: Namespaces, where: Where): Visited | undefined {
  try {
    return namespaces.at(where);
  } catch (error) {
    if (isFailure(error, 'netnsMissing') || isFailure(error, 'notNetns')) return undefined;
    throw error;
  }
}

/** The plan's links that go, as `netns name`. */
function linksDying(plan: Plan): Set<string> {
  return new Set(
    plan.flatMap((o) => {
      if (o.kind === 'veth') return [`${nameOf(o.where)} ${o.name}`, `${nameOf(o.peer.where)} ${o.peer.name}`];
      return o.kind === 'child' || o.kind === 'nic' ? [`${nameOf(o.where)} ${o.name}`] : [];
    }),
  );
}

function removeVeth(namespaces: Namespaces, links: LinkRemover, veth: VethObject): Promise<void>[] {
  const link = namespaces.at(veth.where).link(veth.name);
  if (link === undefined || (link.alias !== veth.owner && link.mac !== veth.mac)) return [];
  return [links.remove(link.index)];
}

/** In one send. */
function deleteAll(visited: Visited, objects: readonly Deletable[]): void {
  const found = objects.flatMap((object) => {
    const link = linkOf(visited, object)?.index;
    return link === undefined ? [] : [{ object, message: deletionOf(object, link) }];
  });
  for (const [i, error] of visited.socket.batch(found.map(({ message }) => message)).entries()) {
    const object = found[i]?.object;
    if (error !== undefined && object !== undefined && !gone.includes(error.errno))
      throw refusal(error, visited.name, 'remove', describe(object));
  }
}

/** Undefined: it is gone. */
function linkOf(visited: Visited, object: Deletable): { readonly index: number } | undefined {
  if (object.kind === 'rule') return { index: 0 };
  return object.kind === 'proxy' ? byMac(visited, object.link, object.linkMac) : visited.link(object.link);
}

function deletionOf(object: Deletable, link: number): Message {
  switch (object.kind) {
    case 'address':
      return deleteAddress({ ...object, link });
    case 'route':
      return deleteRoute({ ...object, link });
    case 'rule':
      return deleteRule(object);
    case 'neighbour':
      return deleteNeighbour({ ...object, link });
    case 'proxy':
      return deleteProxy({ ...object, link });
  }
}
