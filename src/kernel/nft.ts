/**
 * nftables rule sets as text, in process: libnftables (the library behind nft(8); libnftables(3)) through `node:ffi`.
 *
 * Invariants
 * - one text is one transaction: all of it or nothing
 * - a context belongs to the namespace it was made in (its socket is opened then), so each call makes its own inside of the visit and frees it
 * - nothing points into the library's memory once a call has returned
 */
import ffi from 'node:ffi';
import { closeSync, writeSync } from 'node:fs';
import { type Failure, failure } from '../errors/failure.ts';
import type { Netns } from './netns.ts';

/** nft_ctx_output_set_flags: answers in JSON, numbers as numbers (nftables/libnftables.h). */
const JSON_OUTPUT = 1 << 4;
const MFD_CLOEXEC = 1;
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
    nft_run_cmd_from_filename: { return: 'int32', arguments: ['pointer', 'buffer'] },
    // libc's, found through the library's own dependency on it.
    memfd_create: { return: 'int32', arguments: ['buffer', 'uint32'] },
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
 * Synchronous: one element 0.2 ms; replacing a table that has base chains 16 ms and more (the kernel waits for RCU when it takes hooks away).
 * Put only parsed addresses into the text: what is no address is a host name to the library, and it asks DNS.
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
  const library = libraryOrFailure();
  const file = fileOf(library, text, what);
  try {
    const visit = (): Answer => runOnce(library, Buffer.from(`/proc/self/fd/${file}\0`), flags);
    const answer = netns === undefined ? visit() : netns.run(visit);
    if (answer.refused) throw failure('nftRefused', { what, text: wordsOf(answer.errors, text) });
    return answer.output;
  } finally {
    closeSync(file);
  }
}

/** The text as a file in memory: of a file the library names the line it refuses, of a string it does not. */
function fileOf(library: Library, text: string, what: string): number {
  const file = library.memfd_create(Buffer.from('nft\0'), MFD_CLOEXEC);
  if (file < 0) throw failure('nftRefused', { what, text: 'no file in memory for it (memfd_create)' });
  const bytes = Buffer.from(text);
  for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
  return file;
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
function runOnce(library: Library, path: Buffer, flags: number): Answer {
  const context = library.nft_ctx_new(0);
  if (context === 0n) return { refused: true, output: '', errors: 'libnftables gave no context' };
  try {
    if (library.nft_ctx_buffer_output(context) !== 0 || library.nft_ctx_buffer_error(context) !== 0)
      return { refused: true, output: '', errors: 'libnftables gave no buffers' };
    library.nft_ctx_output_set_flags(context, flags);
    const result = library.nft_run_cmd_from_filename(context, path);
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
  const refusals = [...errors.matchAll(/^\/proc\/self\/fd\/\d+:(\d+):\d+-\d+: Error: (.*)$/gm)].map(
    ([, line = '', words = '']) => `line ${line}: ${words.trim()}: ${JSON.stringify(lines[Number(line) - 1]?.trim() ?? '')}`,
  );
  if (refusals.length === 0) return errors.trim().replaceAll(/\s*\n\s*/g, ' ') || 'without a reason';
  const more = refusals.length - REFUSALS_SHOWN;
  return refusals.slice(0, REFUSALS_SHOWN).join('; ') + (more > 0 ? `; and ${more} more` : '');
}
