/** One request and its reply over a connection: a frame in, bytes out. Whatever goes wrong becomes an answer. */
import { decodeFrame, encodeReply, frameReader, type RequestFrame } from '../cni/frame.ts';
import { errorReply } from '../cni/reply.ts';
import { newestVersion } from '../cni/versions.ts';
import { asFailure } from '../errors/failure.ts';
import type { Exchange } from './listen.ts';

/** What goes out, and what is left to do once it is. No bytes: there is no reply. */
export interface AnsweredBytes {
  readonly bytes: Uint8Array;
  readonly after: () => void;
}

/** An exchange for one connection. `answer` gets the frame once it is whole. */
export function frameExchange(answer: (frame: RequestFrame) => Promise<AnsweredBytes>): Exchange {
  const reader = frameReader();
  let after = (): void => undefined;
  return {
    take(bytes) {
      try {
        const frame = reader.take(bytes);
        if (frame === undefined) return undefined;
        return answer(decodeFrame(frame)).then((answered) => {
          after = answered.after;
          return answered.bytes;
        }, refused);
      } catch (error) {
        return Promise.resolve(refused(error));
      }
    },
    answered: () => after(),
  };
}

function refused(error: unknown): Uint8Array {
  return encodeReply(errorReply(asFailure(error), newestVersion));
}
