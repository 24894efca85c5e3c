/** The namespaces one plan touches, each opened once, with one rtnetlink socket and a cache of link indexes; all closed together. */
import { failure } from '../errors/failure.ts';
import { decodeLink, decodeLinkIndex, getLink, type Link } from './netlink/link.ts';
import { NetlinkError, NetlinkSocket } from './netlink/socket.ts';
import { type Netns, openNetns } from './netns.ts';
import type { Where } from './state.ts';

/** The namespace that plans call `host`: the process's own when `netns` is undefined. Another one is a node inside of one process: tests. */
export interface Host {
  readonly socket: NetlinkSocket;
  readonly netns: Netns | undefined;
  /** Names of links that we make at this moment, and that are down only until we are done. */
  readonly born: Set<string>;
}

/** One namespace of a plan. */
export interface Visited {
  readonly name: string;
  /** undefined for the process's own. */
  readonly netns: Netns | undefined;
  readonly socket: NetlinkSocket;
  /** The link of that name as it is now; undefined when there is none. */
  link(name: string): Link | undefined;
  /** The link's index, remembered. @throws Failure kernelRefused when there is no such link. */
  index(name: string): number;
  /** Notes the index of a link that was made. */
  made(name: string, index: number): void;
  /** Whether it was made here just now, and so is as it was made. */
  isNew(name: string): boolean;
}

/** See the head of this file. */
export class Namespaces implements Disposable {
  private readonly opened = new Map<string, Visited>();
  private readonly host: Visited;

  /** `host` stays the caller's. */
  constructor({ netns, socket }: Host) {
    this.host = visit('host', netns, socket);
  }

  /** Opens the namespace on first use. @throws Failure netnsMissing, notNetns, hostNetns. */
  at(where: Where): Visited {
    if (where.netns === 'host') return this.host;
    let visited = this.opened.get(where.path);
    if (visited === undefined) this.opened.set(where.path, (visited = openVisited(where.path)));
    return visited;
  }

  [Symbol.dispose](): void {
    for (const { netns, socket } of this.opened.values()) {
      socket.close();
      netns?.[Symbol.dispose]();
    }
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
  const born = new Set<string>();
  const link = (linkName: string): Link | undefined => socket.get(getLink(linkName), decodeLink);
  return {
    name,
    netns,
    socket,
    link,
    made(linkName, index) {
      indexes.set(linkName, index);
      born.add(linkName);
    },
    isNew: (linkName) => born.has(linkName),
    index(linkName) {
      const index = indexes.get(linkName) ?? socket.get(getLink(linkName), decodeLinkIndex);
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
