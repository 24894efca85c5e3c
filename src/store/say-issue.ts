/** A schema's complaint in words for the person who wrote the file. */
import type * as z from 'zod';
import { nearest } from './known-keys.ts';

/** What is wrong and what to do; unknown keys apart, which need the schema too. */
export function sayIssue(
  issue: Exclude<z.core.$ZodIssue, z.core.$ZodIssueUnrecognizedKeys>,
  found: unknown,
): { what: string; remedy: string } {
  switch (issue.code) {
    case 'invalid_type':
      if (found === undefined) return { what: 'is missing', remedy: `add it: ${kindOf(issue.expected)}` };
      return { what: `must be ${kindOf(issue.expected)}, not ${show(found)}`, remedy: remedyForType(issue.expected, found) };
    case 'too_small':
      return { what: `must ${sizeVerb(issue.origin)} at least ${issue.minimum}${unitOf(issue.origin)}, ${sizeOf(found)}`, remedy: '' };
    case 'too_big':
      return { what: `must ${sizeVerb(issue.origin)} at most ${issue.maximum}${unitOf(issue.origin)}, ${sizeOf(found)}`, remedy: '' };
    case 'invalid_value':
      return fromList(issue.values.map(String), found);
    case 'invalid_union':
      return fromList(accepted(issue), found);
    case 'invalid_format':
      if (issue.format === 'url')
        return { what: `${show(found)} is no URL`, remedy: 'write it like http://127.0.0.1:9460 or unix:/run/vpc.sock' };
      return { what: `${show(found)}: ${issue.message}`, remedy: '' };
    case 'invalid_key':
      return { what: issue.issues[0]?.message ?? issue.message, remedy: '' };
    case 'not_multiple_of':
    case 'invalid_element':
    case 'custom':
      return { what: issue.message, remedy: '' };
    default:
      return issue satisfies never;
  }
}

/** The value as it would be written in the file, shortened. */
export function show(value: unknown): string {
  const text = value === null ? 'nothing' : (JSON.stringify(value) ?? 'nothing');
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

function fromList(values: readonly string[], found: unknown): { what: string; remedy: string } {
  const near = typeof found === 'string' ? nearest(found, values) : undefined;
  const what = found === undefined ? 'is missing' : `must be ${values.join(' or ')}, not ${show(found)}`;
  if (found === undefined) return { what, remedy: `add it: ${values.join(' or ')}` };
  return { what, remedy: near === undefined ? '' : `did you mean ${near}?` };
}

/** The values a union accepts: those of the key that tells its branches apart, or those that its branches name in their complaints. */
function accepted(issue: z.core.$ZodIssueInvalidUnion): string[] {
  // zod's types leave out `options`, which it adds when no branch has the value of the discriminating key.
  if ('options' in issue && Array.isArray(issue.options)) return issue.options.map(String);
  return issue.errors.flat().flatMap((inner) => (inner.code === 'invalid_value' ? inner.values.map(String) : []));
}

const kinds: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys',
  record: 'a mapping of keys',
};

function kindOf(expected: string): string {
  return kinds[expected] ?? expected;
}

function remedyForType(expected: string, found: unknown): string {
  if (expected === 'string' && (typeof found === 'number' || typeof found === 'boolean')) return `put it in quotes: "${found}"`;
  if (typeof found === 'string' && (expected === 'number' || expected === 'int') && /^\d+$/.test(found))
    return `leave the quotes out: ${found}`;
  if (expected === 'array' && typeof found === 'string') return `write it as a list: [${found}]`;
  return '';
}

function sizeVerb(origin: string): string {
  return origin === 'array' || origin === 'string' ? 'have' : 'be';
}

function unitOf(origin: string): string {
  if (origin === 'array') return ' entries';
  return origin === 'string' ? ' characters' : '';
}

function sizeOf(found: unknown): string {
  if (Array.isArray(found)) return `not ${found.length}`;
  return typeof found === 'string' ? `not ${found.length}` : `not ${show(found)}`;
}
