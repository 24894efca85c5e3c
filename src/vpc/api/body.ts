/** Reading what a caller sent: bounded, strict JSON, and refusals that name the field and the remedy. */
import type { IncomingMessage } from 'node:http';
import type * as z from 'zod';
import { Refusal } from '../model/refusal.ts';

const LARGEST_BODY = 256 * 1024;

/** The body as JSON; undefined when it is empty. @throws Refusal BodyTooLarge, InvalidParameter. */
export async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY) throw new Refusal('BodyTooLarge', `the body is larger than ${LARGEST_BODY} bytes`, 'send less in one call');
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
  } catch (cause) {
    throw new Refusal(
      'InvalidParameter',
      `the body is not JSON: ${cause instanceof Error ? cause.message : 'unreadable'}`,
      'send one JSON object in UTF-8',
      'body',
    );
  }
}

/** `value` in the shape of the schema. @throws Refusal InvalidParameter that names the first field that is wrong. */
export function parsed<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const field = [...issue.path, issue.keys[0] ?? ''].join('.');
    throw new Refusal('InvalidParameter', `there is no field ${field}`, 'see openapi.yaml for the fields of this call', field);
  }
  const field = issue === undefined || issue.path.length === 0 ? 'body' : issue.path.join('.');
  throw new Refusal('InvalidParameter', `${field}: ${issue?.message ?? 'not understood'}`, remedyFor(issue), field);
}

/** The query string as lists of values by key. */
export function queryOf(search: URLSearchParams): Record<string, string[]> {
  const query: Record<string, string[]> = Object.create(null);
  for (const [key, value] of search) (query[key] ??= []).push(value);
  return { ...query };
}

function remedyFor(issue: z.core.$ZodIssue | undefined): string {
  switch (issue?.code) {
    case 'invalid_type':
      return `give a value of type ${issue.expected}`;
    case 'too_big':
      return `give at most ${issue.maximum}`;
    case 'too_small':
      return `give at least ${issue.minimum}`;
    case 'invalid_value':
      return `give one of ${issue.values.map(String).join(', ')}`;
    case undefined:
      return 'see openapi.yaml for the fields of this call';
    default:
      return 'correct the value; openapi.yaml shows what is expected';
  }
}
