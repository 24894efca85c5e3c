/** Calls whose bodies are JSON. */
import { type HttpAnswer, type HttpCall, Unreadable } from './http.ts';

/** A call with this body, and the header that says what it is; with none when it is undefined. */
export function jsonCall(call: Omit<HttpCall, 'body'>, body: unknown): HttpCall {
  if (body === undefined) return call;
  return { ...call, headers: { ...call.headers, 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

/** The body of an answer; undefined when there is none (204). @throws Unreadable when it is no JSON. */
export function jsonOf({ text }: HttpAnswer): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new Unreadable(`no JSON: ${JSON.stringify(text.slice(0, 80))}`);
  }
}
