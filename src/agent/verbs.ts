/** A CNI request from its frame to its reply: which verb answers, and in the shape of which version. */
import type { Reply, RequestFrame } from '../cni/frame.ts';
import { errorReply, resultReply, silentReply, versionReply } from '../cni/reply.ts';
import { type CniRequest, parseRequest, versionForAnswer } from '../cni/request.ts';
import { asFailure, type Failure, sentence } from '../errors/failure.ts';
import { add } from './add.ts';
import { check } from './check.ts';
import { del } from './del.ts';
import { faultPoint } from './fault-point.ts';
import { gc } from './gc.ts';
import type { NodeAgent } from './node-agent.ts';
import { status } from './status.ts';

/** A reply, and what is left to do once it is out. */
export interface Answered {
  readonly reply: Reply;
  readonly after: () => void;
}

const WRITTEN_WITHIN_ms = 50;

const nothing = (): void => undefined;

/** Answers; rejects never: what fails becomes a CNI error and a line in the log. */
export async function answerVerb(node: NodeAgent, frame: RequestFrame): Promise<Answered> {
  const started = performance.now();
  try {
    const request = parseRequest(frame.variables, frame.stdin);
    const answered = await perform(node, request);
    node.log.debug(`${request.verb} done`, {
      took_ms: performance.now() - started,
      ...('container' in request && { container: request.container }),
    });
    return answered;
  } catch (error) {
    const failed = asFailure(error);
    tell(node, frame, failed);
    return { reply: errorReply(failed, versionForAnswer(frame.stdin)), after: nothing };
  }
}

async function perform(node: NodeAgent, request: CniRequest): Promise<Answered> {
  switch (request.verb) {
    case 'add': {
      const result = await add(node, request);
      return { reply: resultReply(result, request.cniVersion), after: () => answeredAdd(node, request) };
    }
    case 'del':
      await del(node, request);
      return { reply: silentReply, after: () => faultPoint('del:4 answered') };
    case 'check':
      await check(node, request);
      break;
    case 'gc':
      await gc(node, request);
      break;
    case 'status':
      status(node);
      break;
    case 'version':
      return { reply: versionReply(request.cniVersion), after: nothing };
  }
  return { reply: silentReply, after: nothing };
}

/** Written a moment after the reply, many at once, so that no ADD waits for it; until then a crash lets an ADD for the same interface start over (docs/adr/0008). */
function answeredAdd(node: NodeAgent, request: { readonly container: string; readonly ifname: string }): void {
  faultPoint('add:5 answered');
  if (node.attachments.answered(request.container, request.ifname)) setTimeout(() => writeAnswered(node), WRITTEN_WITHIN_ms).unref();
}

/** Also before the end of the program. */
export function writeAnswered(node: NodeAgent): void {
  try {
    node.attachments.writeAnswered();
  } catch (error) {
    node.log.warn(`that ADDs were answered was not written: ${sentence(asFailure(error))}`);
  }
}

function tell(node: NodeAgent, { variables }: RequestFrame, failed: Failure): void {
  const [verb, container, ifname] = ['CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_IFNAME'].map((name) => variables.get(name)?.slice(0, 128));
  const stack = failed.kind === 'internal' && failed.cause instanceof Error ? failed.cause.stack : undefined;
  node.log[failed.kind === 'internal' ? 'error' : 'warn'](`${verb ?? 'request'} refused: ${sentence(failed)}`, {
    container,
    ifname,
    code: failed.code,
    stack,
  });
}
