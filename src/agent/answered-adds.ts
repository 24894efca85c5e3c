/** That ADDs were answered, written a moment later and many at once, so that no ADD waits for it; until then a crash lets an ADD for the same interface start over (docs/adr/0008). */
import { asFailure, sentence } from '../errors/failure.ts';
import { faultPoint } from './fault-point.ts';
import type { NodeAgent } from './node-agent.ts';

const WRITTEN_WITHIN_ms = 50;

/** Call it once the reply is out. */
export function answeredAdd(node: NodeAgent, request: { readonly container: string; readonly ifname: string }): void {
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
