/** The namespaces one plan touches, each opened once, with one rtnetlink socket and a cache of link indexes; all closed together. */
import { failure } from '../errors/failure.ts';
import type { Message } from './netlink/message.ts';
import { decodeLink, getLink, type Link } from './netlink/link.ts';
import { NetlinkError, NetlinkSocket } from './netlink/socket.ts';
import { type Netns, openNetns } from './netns.ts';
import { nameOf, type Where } from './state.ts';

/** One namespace of a plan. */
export interface Visited {
  readonly name: string;
  /** undefined for the host's. */
  readonly netns: Netns | undefined;
  readonly socket: NetlinkSocket;
  /** The link of that name as it is now; undefined when there is none. */
  link(name: string): Link | undefined;
  /** The link's index, remembered. @throws Failure kernelRefused when there is no such link. */
  index(name: string): number;
  /** Forgets remembered indexes: a link was made or removed. */
  forget(name: string): void;
}

/** See the head of this file. */
export class Namespaces implements Disposable {
  private readonly opened = new Map<string, Visited>();
  private readonly host: NetlinkSocket;

  /** `hostSocket` stays the caller's. */
  constructor(hostSocket: NetlinkSocket) {
    this.host = hostSocket;
  }

  /** Opens the namespace on first use. @throws Failure netnsMissing, notNetns, hostNetns. */
  at(where: Where): Visited {
    const key = nameOf(where);
    let visited = this.opened.get(key);
    if (visited === undefined) {
      visited = where.netns === 'host' ? visit(key, undefined, this.host) : openVisited(where.path);
      this.opened.set(key, visited);
    }
    return visited;
  }

  [Symbol.dispose](): void {
    for (const { netns, socket } of this.opened.values()) {
      if (netns === undefined) continue;
      socket.close();
      netns[Symbol.dispose]();
    }
  }
}

/** Sends one message; a refusal becomes a Failure that names the object. */
export function requestFor(visited: Visited, message: Message, action: string, object: string): void {
  try {
    visited.socket.request(message);
  } catch (error) {
    throw refusal(error, visited.name, action, object);
  }
}

/** A netlink refusal as a Failure; anything else unchanged. */
export function refusal(error: unknown, netns: string, action: string, object: string): unknown {
  if (!(error instanceof NetlinkError)) return error;
  const text = error.attribute === undefined ? error.message : `${error.message} (attribute ${error.attribute})`;
  return failure('kernelRefused', { action, object, netns, errno: String(error.errno), text }, error);
}

function openVisited(path: string): Visited {
  const netns = openNetns(path);
  try {
    return visit(path, netns, netns.socket());
  } catch (error) {
    netns[Symbol.dispose]();
    throw error;
  }
}

function visit(name: string, netns: Netns | undefined, socket: NetlinkSocket): Visited {
  const indexes = new Map<string, number>();
  const link = (linkName: string): Link | undefined => socket.get(getLink(linkName), decodeLink);
  return {
    name,
    netns,
    socket,
    link,
    forget: (linkName) => indexes.delete(linkName),
    index(linkName) {
      const index = indexes.get(linkName) ?? link(linkName)?.index;
      if (index === undefined) {
        throw failure('kernelRefused', {
          action: 'find',
          object: `link ${linkName}`,
          netns: name,
          errno: 'ENODEV',
          text: 'there is no such link',
        });
      }
      indexes.set(linkName, index);
      return index;
    },
  };
}
