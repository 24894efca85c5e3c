/**
 * `flatpod cni`: answers one CNI request without an agent, for the plugins that need none: the frame on stdin, the reply on stdout, then the end.
 * Started by the CNI executable (src/cni/once.c), which also holds the deadline. It works on the state of the node at the same time as others do.
 */
import { readSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { answering, type Answered } from '../agent/answered.ts';
import type { AnsweredBytes } from '../agent/frame-exchange.ts';
import { answerIpam, releaseKept } from '../agent/ipam/verbs.ts';
import { honourKept } from '../agent/kept-releases.ts';
import { leasesOf } from '../agent/ipam/books.ts';
import { podSubnetsWithoutAgent } from '../agent/ipam/without-agent.ts';
import { releaseByName, versionForAnswer } from '../cni/asked.ts';
import { decodeFrame, encodeReply, frameReader, type RequestFrame } from '../cni/frame.ts';
import { pluginOf } from '../cni/plugins.ts';
import { errorReply } from '../cni/reply.ts';
import { newestVersion } from '../cni/versions.ts';
import { asFailure, failure } from '../errors/failure.ts';
import { createLog, type Log } from '../log.ts';
import { hasAgentsLease } from '../store/agents-part.ts';
import { openDatabaseBriefly } from '../store/sqlite.ts';

const CHUNK = 64 * 1024;

/** Answers what is on stdin; rejects never. `state` is the directory of the state. */
export async function answerOnce(state: string): Promise<void> {
  const log = createLog('cni', 'warn');
  try {
    let database: DatabaseSync | undefined;
    // The end of the process closes it, after the answer is out.
    const open = (): DatabaseSync => (database ??= openDatabaseBriefly(state));
    const { bytes, after } = await answerTo(open, log, decodeFrame(frameFrom(0)));
    write(1, bytes);
    after();
  } catch (error) {
    write(1, encodeReply(errorReply(asFailure(error), newestVersion)));
  }
}

/** The reply to one request, as bytes; none of them: the executable keeps the release for the agent. `open` is asked for the database where one is needed. */
export async function answerTo(open: () => DatabaseSync, log: Log, frame: RequestFrame): Promise<AnsweredBytes> {
  try {
    if (isForAgent(open, frame)) return { bytes: new Uint8Array(), after: () => undefined };
    const { reply, after } = await answer(open, log, frame);
    return { bytes: encodeReply(reply), after };
  } catch (error) {
    return { bytes: encodeReply(errorReply(asFailure(error), versionForAnswer(frame.stdin))), after: () => undefined };
  }
}

/** Whether it ends a lease that the agent has in memory too. */
function isForAgent(open: () => DatabaseSync, { variables }: RequestFrame): boolean {
  if (variables.get('CNI_COMMAND') !== 'DEL' || pluginOf(variables) !== 'ipam') return false;
  return hasAgentsLease(open(), releaseByName(variables));
}

function answer(open: () => DatabaseSync, log: Log, frame: RequestFrame): Promise<Answered> {
  const plugin = pluginOf(frame.variables);
  return answering(log, frame, async () => {
    switch (plugin) {
      case 'ipam': {
        const database = open();
        const books = { leases: leasesOf(database), podSubnets: podSubnetsWithoutAgent(database), log };
        await honourKept(log, dirname(database.location() ?? ''), frame, async (kept, at_ms) => {
          if (isForAgent(open, kept)) return false;
          await releaseKept(books, kept, at_ms);
          return true;
        });
        return answerIpam(books, frame);
      }
      case 'veth-to-host':
        // Only where it is asked for: the IPAM plugin does without the kernel.
        return (await import('../agent/veth-to-host/once.ts')).answerVethToHostOnce(open(), log, frame);
      case 'flatpod':
        throw failure('frameInvalid', { reason: 'the main plugin is not answered without an agent' });
    }
  });
}

/** One whole frame. @throws Failure frameInvalid. */
function frameFrom(fd: number): Uint8Array {
  const reader = frameReader();
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK);
    const read = readSync(fd, chunk);
    if (read === 0) throw failure('frameInvalid', { reason: 'it ends too early' });
    const frame = reader.take(chunk.subarray(0, read));
    if (frame !== undefined) return frame;
  }
}

function write(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
