/** stdin as a JSON object: UTF-8, of bounded size and depth. */
import { failure } from '../errors/failure.ts';

/** A configuration with 10 000 valid attachments (GC) has about 1 MiB, one with all annotations a Pod may have 0.3 MiB. */
export const configLimit = 4 * 1024 * 1024;
/** Deeper nesting than any configuration has; keeps whoever walks the value safe. */
export const depthLimit = 64;

// JSON has no byte-order mark (RFC 8259, section 8.1): one that is there must reach the parser, which refuses it as libcni's does.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes a network configuration. @throws Failure requestUnreadable when too large, configUndecodable. */
export function decodeConfig(stdin: Uint8Array): Record<string, unknown> {
  if (stdin.length > configLimit)
    throw failure('requestUnreadable', { reason: `stdin has ${stdin.length} bytes, ${configLimit} is the most` });
  if (depthOf(stdin) > depthLimit) throw failure('configUndecodable', { reason: `nested deeper than ${depthLimit}` });
  const value = parse(stdin);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw failure('configUndecodable', { reason: `it is ${describe(value)}` });
  // A JSON object: string keys, own properties only ("__proto__" too, which JSON.parse makes an ordinary key).
  return value as Record<string, unknown>;
}

function parse(stdin: Uint8Array): unknown {
  if (stdin.length === 0) throw failure('configUndecodable', { reason: 'stdin is empty' });
  try {
    return JSON.parse(decoder.decode(stdin));
  } catch (cause) {
    const reason = cause instanceof SyntaxError ? cause.message : 'it is not UTF-8';
    throw failure('configUndecodable', { reason: reason.slice(0, 200) }, cause);
  }
}

/** A text at the top of a configuration; empty when absent or null, as Go decodes it. @throws Failure configUndecodable when it is anything else. */
export function topText(config: Record<string, unknown>, key: string): string {
  const value = Object.hasOwn(config, key) ? (config[key] ?? '') : '';
  if (typeof value !== 'string') throw failure('configUndecodable', { reason: `${key} is ${describe(value)}, not a text` });
  return value;
}

/** Deepest nesting of braces and brackets outside of strings; of text that is no JSON any number. */
function depthOf(bytes: Uint8Array): number {
  let [depth, most, inString] = [0, 0, false];
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes[i];
    if (inString) {
      if (c === 0x5c) i++;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) most = Math.max(most, ++depth);
    else if (c === 0x7d || c === 0x5d) depth--;
  }
  return most;
}

/** A value in a few words for an error: `the text "abc"`, `the number 3`, `a list`. Never longer than a line. */
export function describe(value: unknown): string {
  if (value === undefined) return 'absent';
  if (value === null) return 'null';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'an object';
  const text = JSON.stringify(value);
  const short = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return typeof value === 'string' ? `the text ${short}` : typeof value === 'number' ? `the number ${short}` : short;
}
