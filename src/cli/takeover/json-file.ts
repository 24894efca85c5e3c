/** A JSON file that the user names. */
import { readFileSync } from 'node:fs';
import type * as z from 'zod';
import { failure } from '../../errors/failure.ts';

/** Of many mistakes the first are enough to see what kind of file it is. */
const SAID = 3;

/** Its value; `-` is stdin. @throws Failure takeoverMistaken. */
export function jsonOf(system: string, path: string): unknown {
  try {
    const value: unknown = JSON.parse(readFileSync(path === '-' ? 0 : path, 'utf8'));
    return value;
  } catch (cause) {
    throw failure('takeoverMistaken', { system, path, reason: cause instanceof Error ? cause.message : String(cause) }, cause);
  }
}

/** What is wrong with it, each with the place. */
export function sayIssues({ issues }: z.ZodError): string {
  return issues
    .slice(0, SAID)
    .map(({ path, message }) => `${path.join('.') || 'the whole'}: ${message}`)
    .join('; ');
}
