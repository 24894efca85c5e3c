/** One request to veth-to-host without an agent. */
import type { DatabaseSync } from 'node:sqlite';
import type { RequestFrame } from '../../cni/frame.ts';
import { demandCapabilities } from '../../kernel/capabilities.ts';
import { openKernel } from '../../kernel/kernel.ts';
import type { Log } from '../../log.ts';
import type { Answered } from '../answered.ts';
import { Locks } from '../locks.ts';
import { bringUpToDate } from './follow-host.ts';
import { answerVethToHost } from './verbs.ts';

const changing = ['ADD', 'DEL', 'GC'];

/** Answers it and closes the database. @throws Failure capabilityMissing; NetlinkError. */
export async function answerVethToHostOnce(database: DatabaseSync, log: Log, frame: RequestFrame): Promise<Answered> {
  try {
    demandCapabilities();
    using kernel = openKernel();
    const node = { kernel, database, locks: new Locks(), log };
    // Nobody follows the host: whoever changes something tells the Pods that are there of its addresses.
    if (changing.includes(frame.variables.get('CNI_COMMAND') ?? '')) await bringUpToDate(node);
    return await answerVethToHost(node, frame);
  } finally {
    database.close();
  }
}
