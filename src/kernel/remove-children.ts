/** Takes links out of a Pod that are no veths: children are deleted, NICs go back to the host. */
import { setTimeout as pause } from 'node:timers/promises';
import { nicIn } from './children.ts';
import { errno } from './errno.ts';
import { type Namespaces, refusal, type Visited } from './namespaces.ts';
import { decodeLink, deleteLink, getLink, type LinkChange, setLink } from './netlink/link.ts';
import { sendOffLoop } from './netlink/off-loop.ts';
import { NetlinkError, type NetlinkSocket } from './netlink/socket.ts';
import { ownNetnsFd } from './netns.ts';
import { type ChildObject, describe, host, type NicObject } from './state.ts';

const LOOK_EVERY_ms = 1;
const DEADLINE_ms = 5000;

/** Deletes the child if it is ours. None, or one promise that resolves when it is gone. */
export function removeChild(visited: Visited, child: ChildObject): Promise<void>[] {
  const link = visited.link(child.name);
  if (link === undefined || link.alias !== child.owner) return [];
  // A socket of its own: the message is under way for as long as the kernel's rcu_barrier takes, 12–20 ms, and the link is gone much sooner.
  const [sender, looker] = [visited.netns?.socket(), visited.netns?.socket()];
  if (sender === undefined || looker === undefined) throw new Error('a child in the host');
  return [deleteAndLook(sender, looker, link.index).catch((error: unknown) => rethrow(error, visited.name, child))];
}

async function deleteAndLook(sender: NetlinkSocket, looker: NetlinkSocket, index: number): Promise<void> {
  try {
    let refused: Error | undefined;
    const sent = sendOffLoop(sender, deleteLink(index)).then(
      (error) => (refused = error),
      (error: unknown) => (refused = error instanceof Error ? error : new Error(String(error))),
    );
    void sent.finally(() => sender.close());
    const end = performance.now() + DEADLINE_ms;
    while (looker.get(getLink(index), decodeLink) !== undefined) {
      if (refused !== undefined) throw refused;
      if (performance.now() > end)
        throw new NetlinkError(errno.EAGAIN, `link ${index} was not deleted within ${DEADLINE_ms} ms`, undefined);
      await pause(LOOK_EVERY_ms);
    }
  } finally {
    looker.close();
  }
}

function rethrow(error: unknown, netns: string, child: ChildObject): never {
  throw refusal(error, netns, 'remove', describe(child));
}

/**
 * Gives the NIC its name in the host back, wherever it is: in the Pod (`from`), or in the host already, where the end of a namespace left it. It is down
 * then, with its own MAC, and without our alias. One whose name another link has by now gets one that is made from its MAC. Succeeds when it is nowhere: it was unplugged.
 * @throws Failure kernelRefused.
 */
export function bringHome(namespaces: Namespaces, nic: NicObject, from: Visited | undefined): void {
  const root = namespaces.at(host);
  const away = from === undefined ? undefined : nicIn(from, nic);
  // By a name that no other link can have: of a move and a rename in one message the kernel does the one and may refuse the other.
  if (from !== undefined && away !== undefined)
    change(from, nic, away.index, { name: spareName(nic), netnsFd: root.netns?.fd ?? ownNetnsFd() });
  const back = nicIn(root, nic);
  if (back === undefined) return;
  if (back.name !== nic.home) change(root, nic, back.index, { name: root.link(nic.home) === undefined ? nic.home : spareName(nic) });
  if (back.mac !== nic.mac) change(root, nic, back.index, { mac: nic.mac });
  if (back.alias === nic.owner) root.socket.batch([setLink(back.index, { alias: '' })]);
}

/** A link that is up cannot be renamed. */
function change(at: Visited, nic: NicObject, index: number, to: LinkChange): void {
  const refused = at.socket.batch([setLink(index, { up: false }), setLink(index, to)]).find((error) => error !== undefined);
  if (refused !== undefined) throw refusal(refused, at.name, 'give back', describe(nic));
}

function spareName({ mac }: NicObject): string {
  return `n${mac.replaceAll(':', '')}`;
}
