/**
 * nftables rule sets as text, in process: libnftables (the library behind nft(8); libnftables(3)) through `node:ffi`.
 *
 * Invariants
 * - one text is one transaction: all of it or nothing
 * - a context belongs to the namespace it was made in (its socket is opened then), so each call makes its own inside of the visit and frees it
 * - nothing points into the library's memory once a call has returned
 */
import ffi from 'node:ffi';
import { type Failure, failure } from '../errors/failure.ts';
import type { Netns } from './netns.ts';

/** nft_ctx_output_set_flags: answers in JSON, numbers as numbers (nftables/libnftables.h). */
const JSON_OUTPUT = 1 << 4;
const REFUSALS_SHOWN = 3;

/** Opened at the first use: an agent that needs no nftables runs without the library. */
function openLibrary() {
  return ffi.dlopen('libnftables.so.1', {
    nft_ctx_new: { return: 'pointer', arguments: ['uint32'] },
    nft_ctx_free: { return: 'void', arguments: ['pointer'] },
    nft_ctx_output_set_flags: { return: 'void', arguments: ['pointer', 'uint32'] },
    nft_ctx_buffer_output: { return: 'int32', arguments: ['pointer'] },
    nft_ctx_buffer_error: { return: 'int32', arguments: ['pointer'] },
    nft_ctx_get_output_buffer: { return: 'pointer', arguments: ['pointer'] },
    nft_ctx_get_error_buffer: { return: 'pointer', arguments: ['pointer'] },
    nft_run_cmd_from_buffer: { return: 'int32', arguments: ['pointer', 'buffer'] },
  }).functions;
}

type Library = ReturnType<typeof openLibrary>;
let opened: Library | undefined;

/** What one run left in the library's buffers, copied out. */
interface Answer {
  readonly refused: boolean;
  readonly output: string;
  readonly errors: string;
}

/**
 * Runs nft commands atomically in a namespace (the process's own when undefined) and returns what they print. `what` names the text in errors.
 * Synchronous; 0.3 ms and up, see test/kernel/nft.test.ts for what is measured.
 * @throws Failure nftRefused with the library's own words and the line, nftMissing without libnftables.
 */
export function runNft(netns: Netns | undefined, text: string, what: string): string {
  return answerOf(netns, text, what, 0);
}

/**
 * What `nft -j list WHAT` shows in a namespace: `tables`, `table inet flatpod`, `set inet flatpod pods` … Parsed JSON as described in
 * libnftables-json(5): an object with the array `nftables`. For CHECK, never for ADD: the library reads whole tables.
 * @throws Failure nftRefused (also when there is no such object), nftMissing.
 */
export function listNft(netns: Netns | undefined, what: string): unknown {
  return JSON.parse(answerOf(netns, `list ${what}`, what, JSON_OUTPUT));
}

function answerOf(netns: Netns | undefined, text: string, what: string, flags: number): string {
  // C text ends at a NUL: half a rule set would be loaded as if it were all.
  if (text.includes('\0')) throw failure('nftRefused', { what, text: 'there is a NUL byte in it' });
  const library = libraryOrFailure();
  const commands = Buffer.from(`${text}\0`);
  const visit = (): Answer => runOnce(library, commands, flags);
  const answer = netns === undefined ? visit() : netns.run(visit);
  if (answer.refused) throw failure('nftRefused', { what, text: wordsOf(answer.errors, text) });
  return answer.output;
}

function libraryOrFailure(): Library {
  try {
    return (opened ??= openLibrary());
  } catch (cause) {
    throw missing(cause);
  }
}

function missing(cause: unknown): Failure {
  return failure('nftMissing', { why: cause instanceof Error ? cause.message : String(cause) }, cause);
}

/** Runs inside of a visit: library calls only. */
function runOnce(library: Library, commands: Buffer, flags: number): Answer {
  const context = library.nft_ctx_new(0);
  if (context === 0n) return { refused: true, output: '', errors: 'libnftables gave no context' };
  try {
    if (library.nft_ctx_buffer_output(context) !== 0 || library.nft_ctx_buffer_error(context) !== 0)
      return { refused: true, output: '', errors: 'libnftables gave no buffers' };
    library.nft_ctx_output_set_flags(context, flags);
    const result = library.nft_run_cmd_from_buffer(context, commands);
    return {
      refused: result !== 0,
      output: ffi.toString(library.nft_ctx_get_output_buffer(context)) ?? '',
      errors: ffi.toString(library.nft_ctx_get_error_buffer(context)) ?? '',
    };
  } finally {
    library.nft_ctx_free(context);
  }
}

/** `line 3: No such file or directory: "add rule …"` for the first refusals; the library's whole text when it names no line. */
function wordsOf(errors: string, text: string): string {
  const lines = text.split('\n');
  const refusals = [...errors.matchAll(/^<cmdline>:(\d+):\d+-\d+: Error: (.*)$/gm)].map(
    ([, line = '', words = '']) => `line ${line}: ${words.trim()}: ${JSON.stringify(lines[Number(line) - 1]?.trim() ?? '')}`,
  );
  if (refusals.length === 0) return errors.trim().replaceAll(/\s*\n\s*/g, ' ') || 'without a reason';
  const more = refusals.length - REFUSALS_SHOWN;
  return refusals.slice(0, REFUSALS_SHOWN).join('; ') + (more > 0 ? `; and ${more} more` : '');
}
