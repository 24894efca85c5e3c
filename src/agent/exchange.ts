/** One request on the socket: a CNI verb for one of our plugins, or a question of the flatpod command. Whatever goes wrong becomes an answer. */
import { encodeReply, type RequestFrame } from '../cni/frame.ts';
import { pluginOf } from '../cni/plugins.ts';
import type { Answered } from './answered.ts';
import { frameExchange } from './frame-exchange.ts';
import { answerIpam } from './ipam/verbs.ts';
import { booksOf } from './ipam/subnet-verbs.ts';
import type { Exchange } from './listen.ts';
import type { NodeAgent } from './node-agent.ts';
import { type Answering, answerQuestion } from './questions.ts';
import { answerVerb } from './verbs.ts';
import { answerVethToHost } from './veth-to-host/verbs.ts';

const QUESTION = 'FLATPOD_QUESTION';
const LONGEST_PATIENCE_ms = 3_600_000;
/** `namespace/name` of a Pod: 63 and 253 characters. */
const LONGEST_SUBJECT = 320;

/** An exchange for one connection. */
export function openExchange(node: NodeAgent, asking: Answering): Exchange {
  return frameExchange(async (frame) => {
    const { reply, after } = await answer(node, asking, frame);
    return { bytes: encodeReply(reply), after };
  });
}

async function answer(node: NodeAgent, asking: Answering, frame: RequestFrame): Promise<Answered> {
  const question = frame.variables.get(QUESTION);
  if (question === undefined) return answerPlugin(node, frame);
  const patience_ms = Math.min(Math.max(Number(frame.variables.get('FLATPOD_PATIENCE_MS') ?? 0) || 0, 0), LONGEST_PATIENCE_ms);
  const subject = frame.variables.get('FLATPOD_SUBJECT')?.slice(0, LONGEST_SUBJECT);
  const answered = await answerQuestion(node, asking, question, patience_ms, { subject, stdin: frame.stdin });
  const drained = question === 'drain' && !('error' in answered);
  return {
    reply: { status: 'error' in answered ? 1 : 0, stdout: JSON.stringify(answered) },
    after: () => void (drained && asking.drained()),
  };
}

function answerPlugin(node: NodeAgent, frame: RequestFrame): Promise<Answered> {
  const plugin = pluginOf(frame.variables);
  switch (plugin) {
    case 'flatpod':
      return answerVerb(node, frame);
    case 'ipam':
      return answerIpam(booksOf(node), frame);
    case 'veth-to-host':
      return answerVethToHost(node, frame);
  }
}
