/** Questions to the agent on a node, through `kubectl exec`: what only the node knows. */
import { failure, isFailure } from '../../errors/failure.ts';
import type { PodView } from './core.ts';
import type { Kubectl } from './kubectl.ts';

/** Where the command is in the image. */
const COMMAND = '/opt/flatpod/bin/flatpod';
const CONTAINER = 'agent';

/** An answer, or why there is none, in a sentence. */
export type NodeAnswer<T> = { readonly answer: T } | { readonly problem: string };

/** Runs `flatpod QUESTION SUBJECT --json` in the agent's Pod. `agent` undefined: there is none. The shape of the answer is the promise of an agent of the same version. */
export async function askNode<T>(
  kubectl: Kubectl,
  node: string,
  agent: PodView | undefined,
  question: 'pod' | 'ip',
  subject: string,
): Promise<NodeAnswer<T>> {
  const problem = (text: string): NodeAnswer<T> => {
    const { message, details, hint } = failure('agentNotAsked', { node, text });
    return { problem: `${message}: ${details}; ${hint}` };
  };
  if (agent === undefined) return problem('there is no Pod of the agent on it, or it may not be seen');
  try {
    const at = { namespace: agent.namespace, name: agent.name, container: CONTAINER };
    const { out, err } = await kubectl.exec(at, [COMMAND, question, subject, '--json']);
    const answer = objectIn(out);
    // Commands end with 1 also when they have something to tell.
    if (answer === undefined) return problem(err.trim().split('\n').at(-1) || 'it said nothing');
    if ('error' in answer) return problem(`it refused: ${JSON.stringify(answer['error'])}`);
    return { answer: answer as T }; // the promise of an agent of the same version
  } catch (error) {
    if (isFailure(error, 'kubectlRefused')) return problem(error.details);
    throw error;
  }
}

function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
