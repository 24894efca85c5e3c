/** One request to veth-to-host without an agent. */
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { releaseIn } from '../../cni/asked.ts';
import type { RequestFrame } from '../../cni/frame.ts';
import { demandCapabilities } from '../../kernel/capabilities.ts';
import { openKernel } from '../../kernel/kernel.ts';
import type { Log } from '../../log.ts';
import type { Answered } from '../answered.ts';
import { changes, honourKept } from '../kept-releases.ts';
import { Locks } from '../locks.ts';
import { bringUpToDate } from './follow-host.ts';
import { del } from './del.ts';
import { answerVethToHost } from './verbs.ts';

/** Answers it and closes the database. @throws Failure capabilityMissing; NetlinkError. */
export async function answerVethToHostOnce(database: DatabaseSync, log: Log, frame: RequestFrame): Promise<Answered> {
  try {
    demandCapabilities();
    using kernel = openKernel();
    const node = { kernel, database, locks: new Locks(), log };
    // Nobody follows the host or ends what a killed DEL began: whoever changes something does.
    await honourKept(log, dirname(database.location() ?? ''), frame, async ({ variables, stdin }, before_ms) => {
      await del(node, { ...releaseIn(variables, stdin), before_ms });
      return true;
    });
    if (changes(frame)) await bringUpToDate(node);
    return await answerVethToHost(node, frame);
  } finally {
    database.close();
  }
}
