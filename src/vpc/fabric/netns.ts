/** The VPC's namespaces: made, marked as its own on their loopback, found again, deleted. Nothing without the mark is ever touched. */
import { readdirSync } from 'node:fs';
import { failure } from '../../errors/failure.ts';
import { decodeLink, dumpLinks, type Link, setLink } from '../../kernel/netlink/link.ts';
import { createNetns, deleteNetns, isNetns, isUnboundName, NAMED, openNetns } from '../../kernel/netns.ts';
import { ownerOf } from './names.ts';

const LOOPBACK = 1;

/** Makes the namespace unless it is there. @throws Failure vpcFabric when one of that name is somebody else's. */
export function ensureNetns(vpc: string, name: string): void {
  const path = `${NAMED}/${name}`;
  if (!isNetns(path)) createNetns(name, (socket) => socket.request(setLink(LOOPBACK, { alias: ownerOf(vpc), up: true })));
  else if (!isOwn(vpc, path)) throw failure('vpcFabric', { vpc, text: `the namespace ${path} exists and is not of this VPC` });
}

/** Names of all namespaces that carry the VPC's mark, and of those that a kill left without a namespace. */
export function ownNetns(vpc: string): string[] {
  let names: string[];
  try {
    names = readdirSync(NAMED);
  } catch {
    return []; // no namespace was ever named on this machine
  }
  return names.filter((name) => name.startsWith(`${vpc}-`) && (isUnboundName(`${NAMED}/${name}`) || isOwn(vpc, `${NAMED}/${name}`)));
}

/** Deletes the namespaces and all links in them. Processes that still run in one keep it, without a network. */
export function removeNetns(names: readonly string[]): void {
  for (const name of names) deleteNetns(name);
}

function isOwn(vpc: string, path: string): boolean {
  try {
    return linksOf(path).some(({ index, alias }) => index === LOOPBACK && alias === ownerOf(vpc));
  } catch {
    return false; // gone meanwhile, or no namespace
  }
}

function linksOf(path: string): Link[] {
  using netns = openNetns(path);
  const socket = netns.socket();
  try {
    return socket.dump(dumpLinks(), decodeLink);
  } finally {
    socket.close();
  }
}
