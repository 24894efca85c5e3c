/** Which kinds of links this kernel can make: tried in a namespace of our own, as a module may be there that nobody has loaded yet. */
import { randomUUID } from 'node:crypto';
import { constants } from 'node:os';
import { newChild, type ChildKind } from './netlink/child.ts';
import { decodeLinkIndex, getLink, newVeth } from './netlink/link.ts';
import type { NetlinkSocket } from './netlink/socket.ts';
import { createNetns, deleteNetns } from './netns.ts';

/** A kind that some kernels lack. */
export type LinkKind = ChildKind['type'];

const samples: readonly ChildKind[] = [
  { type: 'ipvlan', mode: 'l2' },
  { type: 'macvlan', mode: 'bridge' },
  { type: 'vlan', id: 1 },
];

/** Makes one of each, which loads the modules, and removes them again. @throws Failure kernelRefused when no namespace can be made. */
export function linkKinds(): ReadonlySet<LinkKind> {
  const found = new Set<LinkKind>();
  const name = `fp-kinds-${randomUUID().slice(0, 8)}`;
  createNetns(name, (socket) => {
    for (const kind of samples) if (canMake(socket, kind)) found.add(kind.type);
  });
  deleteNetns(name);
  return found;
}

/** Each has a parent of its own: macvlan and ipvlan do not share one. */
function canMake(socket: NetlinkSocket, kind: ChildKind): boolean {
  const parent = `p${kind.type}`;
  socket.batch([newVeth({ name: parent }, { name: `q${kind.type}` })]);
  const index = socket.get(getLink(parent), decodeLinkIndex);
  if (index === undefined) return false;
  const [error] = socket.batch([newChild({ name: kind.type }, kind, index)]);
  return error === undefined || error.errno !== constants.errno.EOPNOTSUPP;
}
