/** Which sandboxes the runtime has, for the sweep. A runtime that cannot be asked is said once, and again when it answers. */
import { asFailure, isFailure, sentence } from '../errors/failure.ts';
import type { Log } from '../log.ts';

/** Lists the ids of all sandboxes in any state; undefined when the runtime did not say. Rejects only for a defect of ours. */
export type SandboxList = (signal: AbortSignal) => Promise<ReadonlySet<string> | undefined>;

/** Asks the runtime on that socket; without one nothing is known, ever. */
export function sandboxList(socket: string | undefined, log: Log): SandboxList {
  if (socket === undefined) return () => Promise.resolve(undefined);
  let silent = false;
  return async (signal) => {
    try {
      // HTTP/2 takes 5 MiB of memory: only nodes that use it pay for it.
      const { sandboxes } = await import('../cri/runtime.ts');
      const listed = await sandboxes(socket, undefined, { signal });
      if (silent) log.info(`the container runtime on ${socket} answers again: attachments are compared with its sandboxes`, { socket });
      silent = false;
      return new Set(listed.map(({ id }) => id));
    } catch (error) {
      if (!isFailure(error)) throw error;
      if (!silent && !signal.aborted)
        log.warn(`no attachment is compared with the runtime's sandboxes until ${socket} answers: ${sentence(asFailure(error))}`, {
          socket,
        });
      silent = true;
      return undefined;
    }
  };
}
