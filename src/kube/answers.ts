/** What an API server sent, from text to values of ours. */
import * as z from 'zod';
import { failure, isFailure } from '../errors/failure.ts';
import { type Asked, callOf, type Parse } from './asked.ts';

/** The text as JSON. @throws Failure kubeGarbled */
export function jsonOf(text: string, asked: Asked): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw garbled(`no JSON: ${text.slice(0, 80)}`, asked, cause);
  }
}

/** The value as its caller wants it. @throws Failure kubeGarbled with what parse said; a Failure of parse's own */
export function parsed<T>(value: unknown, parse: Parse<T>, asked: Asked): T {
  try {
    return parse(value);
  } catch (cause) {
    if (isFailure(cause)) throw cause;
    throw garbled(complaintOf(cause), asked, cause);
  }
}

/** What a parse function said, in one line. */
export function complaintOf(error: unknown): string {
  if (error instanceof z.ZodError) return error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** The failure for an answer that is not what it should be. */
export function garbled(text: string, asked: Asked, cause?: unknown) {
  return failure('kubeGarbled', { call: callOf(asked), server: asked.server, text }, cause);
}

/** Whether it has fields. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What tells an object from others, and from itself at another time. */
export interface Identity {
  /** `namespace/name`, or the name where there are no namespaces. */
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

/** The identity of any object (ObjectMeta); undefined when it has none. */
export function identityOf(object: unknown): Identity | undefined {
  const meta = isRecord(object) ? object['metadata'] : undefined;
  if (!isRecord(meta)) return undefined;
  const { name, namespace, uid, resourceVersion } = meta;
  if (typeof name !== 'string' || typeof uid !== 'string' || typeof resourceVersion !== 'string') return undefined;
  return { key: typeof namespace === 'string' && namespace !== '' ? `${namespace}/${name}` : name, uid, resourceVersion };
}
