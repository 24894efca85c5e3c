/** An answer to a CNI request of any of our plugins: whatever fails becomes a CNI error and a line in the log. */
import type { Reply, RequestFrame } from '../cni/frame.ts';
import { versionForAnswer } from '../cni/asked.ts';
import { errorReply } from '../cni/reply.ts';
import { asFailure, type Failure, sentence } from '../errors/failure.ts';
import type { Log } from '../log.ts';

/** A reply, and what is left to do once it is out. */
export interface Answered {
  readonly reply: Reply;
  readonly after: () => void;
}

/** For {@link Answered.after}. */
export const nothing = (): void => undefined;

/** Answers with what `perform` gives; rejects never. */
export async function answering(log: Log, frame: RequestFrame, perform: () => Answered | Promise<Answered>): Promise<Answered> {
  const started = performance.now();
  const { variables, stdin } = frame;
  try {
    const answered = await perform();
    log.debug(`${variables.get('CNI_COMMAND') ?? 'request'} done`, { took_ms: performance.now() - started, ...naming(frame) });
    return answered;
  } catch (error) {
    const failed = asFailure(error);
    tell(log, frame, failed);
    return { reply: errorReply(failed, versionForAnswer(stdin)), after: nothing };
  }
}

function tell(log: Log, frame: RequestFrame, failed: Failure): void {
  const verb = frame.variables.get('CNI_COMMAND')?.slice(0, 128);
  const stack = failed.kind === 'internal' && failed.cause instanceof Error ? failed.cause.stack : undefined;
  log[failed.kind === 'internal' ? 'error' : 'warn'](`${verb ?? 'request'} refused: ${sentence(failed)}`, {
    ...naming(frame),
    code: failed.code,
    stack,
  });
}

/** Which plugin was asked about what; the main plugin goes without saying. */
function naming({ variables }: RequestFrame): Record<string, string | undefined> {
  const [container, ifname, plugin] = ['CNI_CONTAINERID', 'CNI_IFNAME', 'FLATPOD_PLUGIN'].map((name) => variables.get(name)?.slice(0, 128));
  return { container, ifname, plugin: plugin === 'flatpod' ? undefined : plugin };
}
