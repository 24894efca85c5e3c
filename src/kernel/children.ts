/**
 * Puts a link into a Pod that is no veth: a child of one of the host's links, or one of the host's links itself.
 *
 * Invariants
 * - a child is born where it belongs, down, and has its name and its owner's alias before it comes up
 * - a NIC is known by its MAC, and has its owner's alias before it leaves the host
 */
import { randomInt } from 'node:crypto';
import { constants } from 'node:os';
import { failure } from '../errors/failure.ts';
import { errno } from './errno.ts';
import { type Namespaces, refusal, type Visited } from './namespaces.ts';
import { changeChild, newChild, otherVariant } from './netlink/child.ts';
import { byRank, decodeLink, dumpLinks, type Link, setLink } from './netlink/link.ts';
import type { Message } from './netlink/message.ts';
import { NetlinkError } from './netlink/socket.ts';
import type { Mac } from '../net/mac.ts';
import { type ChildObject, describe, host, type NicObject } from './state.ts';

const { EOPNOTSUPP } = constants.errno;
let births = randomInt(2 ** 32);

/**
 * Makes the child. Returns what is to be said in its own namespace: its name and alias, or of one that is there already whatever about it may have changed.
 * @throws Failure parentMissing, parentMtu, kindUnsupported, parentBusy, vlanTaken, linkTaken, kernelRefused.
 */
export function addChild(namespaces: Namespaces, child: ChildObject): Message[] {
  const [root, visited] = [namespaces.at(host), namespaces.at(child.where)];
  const parent = parentOf(root, child);
  if (parent === undefined) throw failure('parentMissing', { parent: child.parent, object: describe(child) });
  const { name, mtu, mac, of } = child;
  // Of an ipvlan the kernel would take it, and drop what is too long.
  if (mtu > parent.mtu) throw failure('parentMtu', { object: describe(child), mtu, parent: parent.name, own: parent.mtu });
  const there = visited.link(name);
  if (there !== undefined && !isSame(there, child, parent)) throw failure('linkTaken', { name, netns: visited.name });
  if (there !== undefined) return mended(there, child);
  const bornAs = birthName();
  const link = { name: bornAs, mtu, ...(mac !== undefined && { mac }), ...(visited.netns !== undefined && { netnsFd: visited.netns.fd }) };
  const [error] = root.socket.batch([newChild(link, of, parent.index)]);
  if (error !== undefined) throw childRefused(error, visited, child);
  const index = visited.index(bornAs);
  visited.made(name, index);
  return [setLink(index, { name, alias: child.owner })];
}

/** Whether the link is this child, whatever became of its mode, MAC and MTU. */
function isSame(link: Link, { of, owner }: ChildObject, parent: Link): boolean {
  const isVlan = of.type !== 'vlan' || otherVariant(link, of) === undefined;
  return link.kind === of.type && link.alias === owner && link.peer === parent.index && isVlan;
}

function mended(link: Link, { of, mac, mtu }: ChildObject): Message[] {
  const { index } = link;
  const hasOtherMac = mac !== undefined && link.mac !== mac;
  return [...(otherVariant(link, of) === undefined ? [] : [changeChild(index, of)]), setLink(index, { mtu, ...(hasOtherMac && { mac }) })];
}

/** Older kernels (6.1, seen) look for the name in the host as well, where the Pod's eth0 is an eth0 already: so each is born under one that nobody has. */
function birthName(): string {
  births = (births + 1) % 2 ** 32;
  return `fpb${births.toString(36)}`;
}

function parentOf(root: Visited, { parent, parentMac }: ChildObject): Link | undefined {
  return parentMac === undefined ? root.link(parent) : byMac(root, parent, parentMac);
}

/** By name, unless that name is another link's by now. One that somebody gave another MAC is found by its name still. */
export function byMac(at: Visited, name: string, mac: Mac): Link | undefined {
  return knownBy(at.link(name), mac, () => at.socket.dump(dumpLinks(), decodeLink));
}

/** The same where all links are known already, or are read when the one that is `named` so has another MAC. */
export function knownBy(named: Link | undefined, mac: Mac, links: () => readonly Link[]): Link | undefined {
  return named?.mac === mac ? named : (deviceOf(links(), mac) ?? named);
}

function childRefused(error: NetlinkError, visited: Visited, child: ChildObject): unknown {
  const { parent, of } = child;
  switch (error.errno) {
    case EOPNOTSUPP:
      return failure('kindUnsupported', { kind: of.type, module: of.type === 'vlan' ? '8021q' : of.type }, error);
    case errno.EBUSY:
    case errno.EINVAL:
      return failure('parentBusy', { parent, object: describe(child) }, error);
    case errno.EEXIST:
      if (of.type === 'vlan') return failure('vlanTaken', { vlan: of.id, parent }, error);
  }
  return refusal(error, visited.name, 'add', describe(child));
}

/**
 * Moves the NIC into the namespace under its name of there. One that is there already stays, and gets name and MAC again if it lost them.
 * @throws Failure nicMissing, linkTaken, kernelRefused.
 */
export function moveNic(namespaces: Namespaces, nic: NicObject): void {
  const [root, visited] = [namespaces.at(host), namespaces.at(nic.where)];
  const { name, mac, owner } = nic;
  const there = visited.link(name);
  if (there?.mac === mac) return;
  if (there?.alias === owner) return told(visited, nic, [setLink(there.index, { mac })]);
  if (there !== undefined) throw failure('linkTaken', { name, netns: visited.name });
  const found = nicIn(root, nic);
  if (found !== undefined) {
    const netnsFd = visited.netns?.fd;
    const away = setLink(found.index, { name, ...(netnsFd !== undefined && { netnsFd }) });
    return told(root, nic, [setLink(found.index, { up: false, alias: owner, ...(found.mac !== mac && { mac }) }), away]);
  }
  const renamed = nicIn(visited, nic);
  if (renamed === undefined) throw failure('nicMissing', { mac, name, netns: visited.name });
  told(visited, nic, [setLink(renamed.index, { up: false }), setLink(renamed.index, { name, mac })]);
}

function told(at: Visited, nic: NicObject, messages: readonly Message[]): void {
  const refused = at.socket.batch(messages).find((error) => error !== undefined);
  if (refused !== undefined) throw refusal(refused, at.name, 'move', describe(nic));
}

/** The NIC, by its MAC; when no link has that any more, by the alias it went with. */
export function nicIn({ socket }: Visited, { mac, owner }: Pick<NicObject, 'mac' | 'owner'>): Link | undefined {
  const links = socket.dump(dumpLinks(), decodeLink);
  return deviceOf(links, mac) ?? links.find(({ alias }) => alias === owner);
}

/** Of the links with this MAC the one that stands on no other. */
function deviceOf(links: readonly Link[], mac: string): Link | undefined {
  return links.filter((link) => link.mac === mac && link.kind !== 'bridge').toSorted(byRank)[0];
}
