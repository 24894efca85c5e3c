/** A question to the agent, over the socket the CNI executable uses. */
import { connect } from 'node:net';
import { decodeReply, encodeFrame } from '../cni/frame.ts';
import { failure } from '../errors/failure.ts';

/** The longest answer that is read: the report of a node with thousands of Pods is 2 MiB. */
const LONGEST = 16 << 20;

/** What may be asked; see src/agent/questions.ts. */
export type Question = 'report' | 'check' | 'repair' | 'drain' | 'pod' | 'ip' | 'takeover';

/** Asks and returns the answer's JSON, as the agent of the same version shapes it. `subject`: the Pod or address asked about; `brought`: what goes along as JSON. @throws Failure agentSilent, or the agent's own refusal. */
export async function askAgent<T>(socket: string, question: Question, deadline_ms: number, subject = '', brought?: object): Promise<T> {
  const variables = new Map([
    ['FLATPOD_QUESTION', question],
    ['FLATPOD_PATIENCE_MS', String(deadline_ms)],
    ['FLATPOD_SUBJECT', subject],
  ]);
  const frame = await exchange(
    socket,
    encodeFrame({ variables, stdin: brought === undefined ? new Uint8Array() : Buffer.from(JSON.stringify(brought)) }),
    deadline_ms + 1000,
  );
  const answer = objectIn(frame);
  if (answer === undefined) throw failure('agentSilent', { socket, text: 'who answers there is no agent of Flatpod' });
  const { error } = answer;
  if (error === undefined) return answer as T; // the promise of an agent of the same version
  const { code, message, details, hint } = { code: 0, message: 'no reason given', details: '', hint: '', ...error };
  throw failure('agentRefused', { code, message, details, hint });
}

/** undefined when the bytes are no reply, or what it says is no object. */
function objectIn(frame: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const answer: unknown = JSON.parse(decodeReply(frame).stdout);
    return typeof answer === 'object' && answer !== null ? { ...answer } : undefined;
  } catch {
    return undefined;
  }
}

function exchange(socket: string, request: Uint8Array, deadline_ms: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const silent = (text: string): void => reject(failure('agentSilent', { socket, text }));
  const parts: Buffer[] = [];
  let length = 0;
  const client = connect(socket);
  client.setTimeout(deadline_ms, () => client.destroy(new Error(`no answer within ${deadline_ms / 1000} s`)));
  client.on('error', (error) => silent(error.message));
  client.on('data', (part: Buffer) => {
    parts.push(part);
    length += part.length;
    if (length > LONGEST) client.destroy(new Error('the answer is too long'));
  });
  client.on('close', () => {
    const frame = Buffer.concat(parts);
    if (frame.length >= 5 && frame.readUInt32LE(0) === frame.length - 4) resolve(frame);
    else silent('it closed the connection without a whole answer');
  });
  client.write(request);
  return promise;
}
