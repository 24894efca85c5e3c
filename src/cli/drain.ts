/** `flatpod drain`: the node gives everything back, and the agent ends. */
import { failure } from '../errors/failure.ts';
import { askAgent } from './ask.ts';

/** Options of `flatpod drain`, as typed. */
export interface DrainArguments {
  readonly socket: string;
  readonly json: boolean;
  /** Seconds, as text. */
  readonly timeout: string;
}

/** @throws Failure agentRefused when Pods are attached or the cloud takes too long. */
export async function drainNode({ socket, json, timeout }: DrainArguments): Promise<number> {
  await drain(socket, timeout);
  process.stdout.write(json ? `${JSON.stringify({ drained: true })}\n` : 'drained: nothing of Flatpod is left on this node\n');
  return 0;
}

/** The same without a word. */
export async function drain(socket: string, timeout: string): Promise<void> {
  const seconds = Number(timeout);
  if (!Number.isFinite(seconds) || seconds < 0 || seconds > 3600)
    throw failure('badOption', { option: '--timeout', value: timeout, remedy: 'give seconds, 0 to 3600' });
  await askAgent(socket, 'drain', seconds * 1000);
}
