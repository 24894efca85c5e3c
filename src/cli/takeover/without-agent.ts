/** A take-over before the agent's first start: into its state, so that it never knows a moment in which those addresses are anybody's. */
import type { OurNumbers } from '../../agent/adopted/about.ts';
import type { TakeoverAsked } from '../../agent/adopted/request.ts';
import { type TakenOver, takeOver } from '../../agent/adopted/take-over.ts';
import { Locks } from '../../agent/locks.ts';
import { readAttachedInterface } from '../../datapath/stored.ts';
import { type Failure, isFailure } from '../../errors/failure.ts';
import { openKernel } from '../../kernel/kernel.ts';
import { createLog } from '../../log.ts';
import { openAttachments } from '../../store/attachments.ts';
import { lockState, openDatabase } from '../../store/sqlite.ts';

/** `numbers`: of what the agent that comes has in the kernel. @throws Failure `silence` when an agent is there all the same; takeover*, store*. */
export async function takeOverWithoutAgent(asked: TakeoverAsked, state: string, numbers: OurNumbers, silence: Failure): Promise<TakenOver> {
  using _lock = locked(state, silence);
  using database = openDatabase(state);
  using kernel = openKernel();
  const attachments = openAttachments(database, readAttachedInterface);
  // What is said goes to stdout, at the end; the log of a command is nobody's.
  const log = createLog('takeover', 'error');
  const node = { kernel, database, attachments, interrupted: new Set<string>(), locks: new Locks(), log, cloud: undefined };
  return await takeOver(node, asked, numbers);
}

function locked(state: string, silence: Failure): Disposable {
  try {
    return lockState(state);
  } catch (error) {
    throw isFailure(error, 'stateBusy') ? silence : error;
  }
}
