/** A CNI request to the main plugin from its frame to its reply: which verb answers, and in the shape of which version. */
import type { RequestFrame } from '../cni/frame.ts';
import { resultReply, silentReply, versionReply } from '../cni/reply.ts';
import { type CniRequest, parseRequest } from '../cni/request.ts';
import { add } from './add.ts';
import { type Answered, answering, nothing } from './answered.ts';
import { answeredAdd } from './answered-adds.ts';
import { check } from './check.ts';
import { del } from './del.ts';
import { faultPoint } from './fault-point.ts';
import { gc } from './gc.ts';
import type { NodeAgent } from './node-agent.ts';
import { status } from './status.ts';

/** Answers a request to the main plugin; rejects never. */
export function answerVerb(node: NodeAgent, frame: RequestFrame): Promise<Answered> {
  return answering(node.log, frame, () => perform(node, parseRequest(frame.variables, frame.stdin)));
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
