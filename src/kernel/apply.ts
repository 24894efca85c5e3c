/**
 * Makes the kernel hold a plan. Synchronous on purpose: the fastest an ADD can be, and nothing else of the agent runs in between.
 *
 * Invariants
 * - what is there already is not an error, except a link of the same name: that is somebody's, and the caller decides
 * - runs of objects in one namespace go out in one send, so the number of system calls does not grow with the plan
 * - stops at the first refusal; the caller removes the same plan then
 */
import { randomInt } from 'node:crypto';
import { failure } from '../errors/failure.ts';
import { addChild, byMac, moveNic } from './children.ts';
import { errno } from './errno.ts';
import { type Host, Namespaces, refusal, type Visited } from './namespaces.ts';
import { newAddress } from './netlink/address.ts';
import { deleteLink, newVeth, setLink } from './netlink/link.ts';
import type { Message } from './netlink/message.ts';
import { newNeighbour, newProxy } from './netlink/neighbour.ts';
import { newRoute } from './netlink/route.ts';
import { newRule } from './netlink/rule.ts';
import type { NetlinkError } from './netlink/socket.ts';
import { ensureTable } from './nft-table.ts';
import {
  type ChildObject,
  describe,
  type KernelObject,
  type LinkObject,
  nameOf,
  type Plan,
  type ProxyObject,
  type VethObject,
} from './state.ts';
import { ipv6Switch, withoutDad, writeSysctl } from './sysctl.ts';

const [FIRST_INDEX, LAST_INDEX] = [2 ** 20, 2 ** 30];
let lastIndex = randomInt(FIRST_INDEX, LAST_INDEX);

/** What is sent together: objects of one namespace. */
interface Batch {
  readonly visited: Visited;
  readonly objects: KernelObject[];
  readonly messages: Message[];
}

/** Adds every object of the plan. @throws Failure kernelRefused, linkTaken, nftRefused, netnsMissing, notNetns, hostNetns. */
export function applyPlan(host: Host, plan: Plan): void {
  using namespaces = new Namespaces(host);
  let batch: Batch | undefined;
  for (const object of plan) {
    const visited = namespaces.at(object.where);
    if (object.kind === 'route' && object.optional === true && visited.link(object.link) === undefined) continue;
    if (batch !== undefined && (batch.visited !== visited || isAlone(object))) batch = send(batch);
    if (object.kind === 'veth') batch = addVeth(host, namespaces, object);
    else if (object.kind === 'child') batch = childBatch(visited, object, addChild(namespaces, object));
    else if (object.kind === 'nic') moveNic(namespaces, object);
    else if (object.kind === 'sysctl') writeSysctl(visited.netns, object.key, object.value);
    else if (object.kind === 'nft-table') ensureTable(visited.netns, object);
    else {
      batch ??= { visited, objects: [], messages: [] };
      batch.objects.push(object);
      batch.messages.push(messageFor(visited, object));
    }
  }
  if (batch !== undefined) send(batch);
}

/** What takes more than one message. */
type Alone = Extract<KernelObject, { kind: 'veth' | 'child' | 'nic' | 'sysctl' | 'nft-table' }>;

function isAlone({ kind }: KernelObject): boolean {
  return kind === 'veth' || kind === 'child' || kind === 'nic' || kind === 'sysctl' || kind === 'nft-table';
}

function messageFor(visited: Visited, object: Exclude<KernelObject, Alone>): Message {
  switch (object.kind) {
    case 'link':
      return setUp(visited, object);
    case 'address':
      return newAddress({ ...object, link: visited.index(object.link) });
    case 'route':
      return newRoute({ ...object, link: visited.index(object.link) });
    case 'rule':
      return newRule(object);
    case 'neighbour':
      return newNeighbour({ ...object, link: visited.index(object.link) });
    case 'proxy':
      return newProxy({ ...object, link: linkOfProxy(visited, object) });
  }
}

/** @throws Failure kernelRefused when there is no link of that name nor of that MAC. */
function linkOfProxy(visited: Visited, object: ProxyObject): number {
  return byMac(visited, object.link, object.linkMac)?.index ?? visited.index(object.link);
}

/** A MAC is set only where it is another: not every driver lets it be set while the link is up. */
function setUp(visited: Visited, { name, mtu, mac }: LinkObject): Message {
  const hasOther = mac !== undefined && !visited.isNew(name) && visited.link(name)?.mac !== mac;
  return setLink(visited.index(name), { up: true, ...(mtu !== undefined && { mtu }), ...(hasOther && { mac }) });
}

function send({ visited, objects, messages }: Batch): undefined {
  for (const [i, error] of visited.socket.batch(messages).entries()) {
    const object = objects[i];
    if (error === undefined || object === undefined || (object.kind === 'rule' && error.errno === errno.EEXIST)) continue;
    if (object.kind === 'child') removeUnnamed(visited, object);
    throw refusal(error, visited.name, 'add', describe(object));
  }
}

/** A child that was refused its name would outlive the removal of the plan, which looks for it by that. */
function removeUnnamed(visited: Visited, { name }: ChildObject): void {
  if (visited.isNew(name)) visited.socket.batch([deleteLink(visited.index(name))]);
}

function childBatch(visited: Visited, object: ChildObject, messages: Message[]): Batch {
  return { visited, objects: messages.map(() => object), messages };
}

/** Both ends are born where they belong. The alias needs a message of its own, which opens the next batch: the kernel ignores it in the one that creates. */
function addVeth(host: Host, namespaces: Namespaces, veth: VethObject): Batch {
  const visited = namespaces.at(veth.where);
  const peer = namespaces.at(veth.peer.where);
  const [near, far] = [nextIndex(), nextIndex()];
  let error = vethRefused(visited, peer, veth, { near, far });
  if (error === undefined) {
    visited.made(veth.name, near);
    peer.made(veth.peer.name, far);
  } else if (error.errno === errno.EBUSY) error = vethRefused(visited, peer, veth, {});
  if (error?.errno === errno.EEXIST) throw linkTaken(visited, peer, veth, error);
  if (error !== undefined) throw refusal(error, visited.name, 'add', describe(veth));
  if (!veth.ipv6 && veth.where.netns === 'host') host.born.add(veth.name);
  writeSysctl(visited.netns, ...(veth.ipv6 ? withoutDad(veth.name) : ([ipv6Switch(veth.name), '1'] as const)), true);
  return { visited, objects: [veth], messages: [setLink(visited.index(veth.name), { alias: veth.owner, up: true })] };
}

function vethRefused(
  visited: Visited,
  peer: Visited,
  { name, mac, mtu, ipv6, peer: end }: VethObject,
  { near, far }: { readonly near?: number; readonly far?: number },
): NetlinkError | undefined {
  const nearEnd = { name, mac, mtu, up: ipv6, ...(near !== undefined && { index: near }) };
  const farEnd = { name: end.name, mac: end.mac, mtu, ...(far !== undefined && { index: far }) };
  return visited.socket.batch([newVeth(nearEnd, peer.netns === undefined ? farEnd : { ...farEnd, netnsFd: peer.netns.fd })])[0];
}

/**
 * Indexes are chosen here: to ask for one right after the link was made would wait for the kernel's linkwatch, which has the lock just then.
 * Far from those that the kernel hands out, from a place of each process's own; one that is taken nevertheless is left to the kernel.
 */
function nextIndex(): number {
  lastIndex = lastIndex === LAST_INDEX ? FIRST_INDEX : lastIndex + 1;
  return lastIndex;
}

function linkTaken(visited: Visited, peer: Visited, veth: VethObject, cause: unknown): Error {
  const inPeer = peer.link(veth.peer.name) !== undefined;
  const [name, where] = inPeer ? [veth.peer.name, nameOf(veth.peer.where)] : [veth.name, visited.name];
  return failure('linkTaken', { name, netns: where }, cause);
}
