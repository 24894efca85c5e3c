/** An answer that is no success: EC2's and STS's envelopes of errors. */
import type { Asked } from '../wire/asked.ts';
import { refuse, refuseByStatus } from '../wire/asked.ts';
import { type HttpAnswer, Unreadable } from '../wire/http.ts';
import { Mismatch, object, text } from '../wire/shape.ts';
import { items } from './fields.ts';
import { xmlOf } from './xml.ts';

/** What was refused, before it is known what that means. */
export class Refused {
  readonly status: number;
  readonly code: string;
  /** Code, message and the request's id, which AWS's support asks for. */
  readonly words: string;

  constructor(status: number, code: string, words: string) {
    this.status = status;
    this.code = code;
    this.words = words;
  }

  /** The same, which says this too. */
  saying(more: string): Refused {
    return new Refused(this.status, this.code, this.words + more);
  }
}

/**
 * Reads the error of an answer.
 * @throws Failure cloudUnavailable, cloudThrottled for a server that says so without an envelope, cloudGarbled for anything else that has none
 */
export function errorOf(answer: HttpAnswer, asked: Asked): Refused {
  try {
    return enveloped(answer);
  } catch (error) {
    if (!(error instanceof Unreadable || error instanceof Mismatch)) throw error;
    const words = `status ${answer.status}: ${error.message}`;
    // Load balancers in front of the API answer so, in HTML or with nothing.
    if (answer.status === 429 || answer.status >= 500) throw refuseByStatus(answer.status)(asked, words, error);
    const location = answer.headers.location;
    throw refuse.garbled(asked, location === undefined ? words : `status ${answer.status}: it is at ${location.slice(0, 200)}`, error);
  }
}

/** EC2: Response/Errors/Error and RequestID. STS: ErrorResponse/Error and RequestId. */
function enveloped({ status, text: xml }: HttpAnswer): Refused {
  const { name, value } = xmlOf(xml);
  const root = object(value, name);
  const errors = name === 'ErrorResponse' ? root : object(root['Errors'], `${name}.Errors`);
  const [first] = items(object, 'Error')(errors, name);
  if (first === undefined) throw new Mismatch(`${name} has no error in it`);
  const id = root['RequestID'] ?? root['RequestId'] ?? '';
  const { Code, Message: message } = first;
  const [code, requestId] = [text(Code, 'Code'), text(id, 'RequestID')];
  const said = typeof message === 'string' ? readable(message) : '';
  return new Refused(status, code, `${code}: ${said}${requestId === '' ? '' : ` (request ${requestId})`}`);
}

const longestMessage = 600;

/** Without the long code that only `aws sts decode-authorization-message` can read, but for its beginning. */
function readable(message: string): string {
  return message.replace(/(Encoded authorization failure message: \S{12})\S*/, '$1…').slice(0, longestMessage);
}
