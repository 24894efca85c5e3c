/** Reads configuration files. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { type Failure, failure, isFailure } from '../errors/failure.ts';
import { type Config, parseConfig, parseControllerConfig } from './check-config.ts';
import { type Problem, sayProblem } from './config-problem.ts';
import type { ControllerConfig } from './controller-config.ts';

const LARGEST_bytes = 1024 * 1024;

/** The node's configuration and its subnets. @throws Failure FP190 configFileInvalid with every mistake, one a line; or as {@link readConfigText}. */
export function readConfigFile(path: string): Config {
  return orMistakes(path, parseConfig(readConfigText(path)));
}

/** The configuration of a controller. @throws Failure as {@link readConfigFile}. */
export function readControllerConfigFile(path: string): ControllerConfig {
  return orMistakes(path, parseControllerConfig(readConfigText(path)));
}

function orMistakes<T extends object>(path: string, parsed: T | { problems: Problem[] }): T {
  if (!('problems' in parsed)) return parsed;
  const list = parsed.problems.map((problem) => `\n  ${path}:${sayProblem(problem)}`).join('');
  throw failure('configFileInvalid', { path, count: parsed.problems.length, list });
}

/** The text of the file. @throws Failure FP191 configFileMissing, FP192 configFileUnreadable, FP193 configFileTooLarge. */
export function readConfigText(path: string): string {
  const bytes = readBytes(path);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw failure('configFileUnreadable', { path, text: `line ${firstBrokenLine(bytes)} is not UTF-8 text` }, cause);
  }
}

function readBytes(path: string): Uint8Array {
  let file: number;
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for a writer for ever.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw isMissing(cause) ? failure('configFileMissing', { path }, cause) : unreadable(path, cause);
  }
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw failure('configFileUnreadable', { path, text: 'it is not a regular file' });
    if (stat.size > LARGEST_bytes) throw failure('configFileTooLarge', { path, bytes: stat.size, limit: LARGEST_bytes });
    return readFileSync(file);
  } catch (cause) {
    throw isFailure(cause) ? cause : unreadable(path, cause);
  } finally {
    closeSync(file);
  }
}

function firstBrokenLine(bytes: Uint8Array): number {
  let line = 1;
  for (let from = 0; from < bytes.length; line++) {
    const end = bytes.indexOf(10, from);
    const to = end < 0 ? bytes.length : end;
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(from, to));
    } catch {
      return line;
    }
    from = to + 1;
  }
  return line;
}

function isMissing(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ENOENT';
}

function unreadable(path: string, cause: unknown): Failure {
  return failure('configFileUnreadable', { path, text: cause instanceof Error ? cause.message : String(cause) }, cause);
}
