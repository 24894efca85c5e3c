/** What the flatpod command asks the agent, over the same socket: answers are JSON objects, refusals `{"error": …}`. */
import { planOf } from '../datapath/datapath.ts';
import { asFailure, failure, isFailure, sentence } from '../errors/failure.ts';
import { sayDifference } from '../kernel/compare.ts';
import { tryParseIp } from '../net/address.ts';
import { parseTakeover } from './adopted/request.ts';
import { takeOver } from './adopted/take-over.ts';
import { type AddressReport, addressReport } from './address-report.ts';
import { leftovers, removeLeftovers, sayLeftover } from './leftovers.ts';
import { keyOf, type NodeAgent } from './node-agent.ts';
import { podReport } from './pod-report.ts';
import { reportOf } from './status-report.ts';
import type { SelfDefence } from './self-defence.ts';
import { chainedPlans } from './veth-to-host/plans.ts';

/** What a question may need beside the node. */
export interface Answering {
  readonly defence: SelfDefence;
  /** Resolves when drained. */
  drain(deadline_ms: number): Promise<void>;
  /** A drain was answered: the agent may end. */
  drained(): void;
}

/** Answers; rejects never. `subject`: the Pod or address that the question is about; `stdin`: what it brings along. */
export async function answerQuestion(
  node: NodeAgent,
  answering: Answering,
  question: string,
  patience_ms: number,
  { subject = '', stdin = new Uint8Array() }: { readonly subject?: string | undefined; readonly stdin?: Uint8Array } = {},
): Promise<object> {
  try {
    switch (question) {
      case 'report':
        return reportOf(node);
      case 'pod':
        return podReport(node, subject);
      case 'ip':
        return reportOfAddress(node, subject);
      case 'check':
        return { differences: [...differencesOf(node), ...leftovers(node).map(sayLeftover)] };
      case 'repair':
        return {
          differences: [...answering.defence.repairAll().map(sayDifference), ...(await removeLeftovers(node)).map(sayLeftover)],
        };
      case 'takeover':
        return await takeOver(node, parseTakeover(stdin));
      case 'drain':
        await answering.drain(patience_ms);
        return { drained: true };
      default:
        throw failure('badOption', {
          option: 'question',
          value: question,
          remedy: 'is the flatpod command of the same version as the agent?',
        });
    }
  } catch (error) {
    const { code, message, details, hint } = asFailure(error);
    return { error: { code, message, details, hint } };
  }
}

function reportOfAddress(node: NodeAgent, text: string): AddressReport {
  const address = tryParseIp(text);
  if (address === undefined)
    throw failure('badOption', { option: 'address', value: text, remedy: 'write it like 10.20.0.17 or 2001:db8::17' });
  return addressReport(node, address);
}

/** Every difference of node and Pods, in words; Pods that a verb is at work on are left out. A Pod whose namespace is gone is one difference. */
function differencesOf(node: NodeAgent): string[] {
  const settled = node.attachments.list().filter((attachment) => !node.locks.held(keyOf(attachment)));
  const plans = [node.cloud?.grants.plan ?? [], ...settled.map((attachment) => planOf(attachment.interface)), ...chainedPlans(node)];
  return plans.flatMap((plan) => {
    try {
      return node.kernel.compare(plan).map(sayDifference);
    } catch (error) {
      if (isFailure(error)) return [sentence(error)];
      throw error;
    }
  });
}
