/** A request to veth-to-host from its frame to its reply. */
import type { RequestFrame } from '../../cni/frame.ts';
import { resultReply, silentReply, versionReply } from '../../cni/reply.ts';
import { parseVethToHost, type VethToHostRequest } from '../../cni/veth-to-host-request.ts';
import { type Answered, answering, nothing } from '../answered.ts';
import { add } from './add.ts';
import type { ChainNode } from './chain-node.ts';
import { check } from './check.ts';
import { del } from './del.ts';
import { gc } from './gc.ts';
import { status } from './status.ts';

/** Answers a request to veth-to-host; rejects never. */
export function answerVethToHost(node: ChainNode, frame: RequestFrame): Promise<Answered> {
  return answering(node.log, frame, () => perform(node, parseVethToHost(frame.variables, frame.stdin)));
}

async function perform(node: ChainNode, request: VethToHostRequest): Promise<Answered> {
  switch (request.verb) {
    case 'add':
      return { reply: resultReply(await add(node, request), request.cniVersion), after: nothing };
    case 'del':
      await del(node, request);
      break;
    case 'check':
      await check(node, request);
      break;
    case 'gc':
      await gc(node, request);
      break;
    case 'status':
      status(node, request);
      break;
    case 'version':
      return { reply: versionReply(request.cniVersion), after: nothing };
  }
  return { reply: silentReply, after: nothing };
}
