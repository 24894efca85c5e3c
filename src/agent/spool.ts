/**
 * Releases that a DEL left on disk because no agent answered: done at the start before anything else, and again with each sweep (an agent may hang
 * without dying). A file is gone only after its release.
 *
 * Invariants
 * - a release never takes an attachment that was made after it
 * - one that fails stays for the next round; one that cannot be read is put aside as `.bad` and stops nothing
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeFrame, type RequestFrame } from '../cni/frame.ts';
import { pluginOf } from '../cni/plugins.ts';
import { releaseIn } from '../cni/asked.ts';
import type { AttachmentName } from '../cni/valid-attachments.ts';
import { asFailure, isFailure, sentence } from '../errors/failure.ts';
import { isLeased } from '../datapath/interface.ts';
import { endAttachment } from './del.ts';
import { keptAt_ms } from './kept-releases.ts';
import { releaseKept } from './ipam/verbs.ts';
import { booksOf } from './ipam/subnet-verbs.ts';
import type { Attachment, NodeAgent } from './node-agent.ts';
import { del as removeHelpers } from './veth-to-host/del.ts';

interface Release {
  readonly frame: RequestFrame;
  readonly attachment: AttachmentName;
}

/** Honours all of them, oldest first. */
export async function honourSpool(node: NodeAgent, dir: string): Promise<void> {
  const files = filesIn(node, dir).filter((name) => name.endsWith('.del'));
  const spooled = files.map((name) => ({ name, at_ms: keptAt_ms(name) ?? 0 }));
  for (const { name, at_ms } of spooled.toSorted((a, b) => a.at_ms - b.at_ms)) {
    const file = join(dir, name);
    const release = readRelease(node, file, name);
    if (release === undefined) continue;
    try {
      await honourAny(node, release, at_ms);
      rmSync(file, { force: true });
    } catch (error) {
      node.log.error(`the spooled release ${name} failed and is tried again later: ${sentence(asFailure(error))}`);
    }
  }
}

/** By whichever plugin was asked. */
async function honourAny(node: NodeAgent, { frame, attachment }: Release, at_ms: number): Promise<void> {
  const plugin = pluginOf(frame.variables);
  switch (plugin) {
    case 'flatpod':
      await honour(node, attachment, at_ms);
      break;
    case 'ipam':
      await releaseKept(booksOf(node), frame, at_ms);
      break;
    case 'veth-to-host':
      await removeHelpers(node, { ...attachment, before_ms: at_ms });
      break;
  }
}

function filesIn(node: NodeAgent, dir: string): string[] {
  try {
    return existsSync(dir) ? readdirSync(dir) : [];
  } catch (error) {
    node.log.error(`the spool ${dir} cannot be read: ${reasonOf(error)}`);
    return [];
  }
}

function putAside(node: NodeAgent, file: string): void {
  try {
    renameSync(file, `${file}.bad`);
  } catch (error) {
    node.log.error(`${file} cannot be put aside: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function honour(node: NodeAgent, { container, ifname }: AttachmentName, at_ms: number): Promise<void> {
  const isOlder = ({ created_ms }: Attachment): boolean => created_ms <= at_ms;
  const ended = await endAttachment(node, { container, ifname }, (one) => !isLeased(one.interface) && isOlder(one));
  if (ended) node.log.info(`honoured the release of ${container}/${ifname} that came while no agent answered`);
  else node.log.info(`dropped the release of ${container}/${ifname}: it is over already, or younger than the release`);
}

function readRelease(node: NodeAgent, file: string, name: string): Release | undefined {
  try {
    const frame = decodeFrame(readFileSync(file));
    return { frame, attachment: releaseIn(frame.variables, frame.stdin) };
  } catch (error) {
    node.log.error(`the spooled release ${name} cannot be read and is put aside: ${isFailure(error) ? sentence(error) : reasonOf(error)}`);
    putAside(node, file);
    return undefined;
  }
}
