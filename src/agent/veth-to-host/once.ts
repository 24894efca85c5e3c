/** One request to veth-to-host without an agent. */
import { dirname, join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { RequestFrame } from '../../cni/frame.ts';
import { demandCapabilities } from '../../kernel/capabilities.ts';
import { openKernel } from '../../kernel/kernel.ts';
import type { Log } from '../../log.ts';
import type { Answered } from '../answered.ts';
import { Locks } from '../locks.ts';
import { bringUpToDate } from './follow-host.ts';
import { honourKept } from './kept-releases.ts';
import { answerVethToHost } from './verbs.ts';

const changing = ['ADD', 'DEL', 'GC'];

/** Answers it and closes the database. @throws Failure capabilityMissing; NetlinkError. */
export async function answerVethToHostOnce(database: DatabaseSync, log: Log, frame: RequestFrame): Promise<Answered> {
  try {
    demandCapabilities();
    using kernel = openKernel();
    const node = { kernel, database, locks: new Locks(), log };
    // Nobody follows the host or ends what a killed DEL began: whoever changes something does.
    if (changing.includes(frame.variables.get('CNI_COMMAND') ?? '')) {
      await honourKept(node, join(dirname(database.location() ?? ''), 'spool'));
      await bringUpToDate(node);
    }
    return await answerVethToHost(node, frame);
  } finally {
    database.close();
  }
}
