/** How commands end: 0 done, 1 failed, 2 wrong use. Failures are printed as sentences, never as stacks; with --json as one object. */
import { asFailure, sentence } from '../errors/failure.ts';

/** Runs a command's body and sets the exit code. With `json` a failure goes to stdout as an object, else to stderr as a sentence. */
export async function run(json: boolean, body: () => Promise<number | undefined>): Promise<void> {
  try {
    process.exitCode = (await body()) ?? 0;
  } catch (error) {
    const failed = asFailure(error);
    if (json)
      process.stdout.write(
        `${JSON.stringify({ error: { code: failed.code, message: failed.message, details: failed.details, hint: failed.hint } })}\n`,
      );
    else process.stderr.write(`flatpod: ${sentence(failed)}\n`);
    if (failed.kind === 'internal' && process.env['FLATPOD_DEBUG'] !== undefined)
      process.stderr.write(`${failed.cause instanceof Error ? failed.cause.stack : ''}\n`);
    process.exitCode = 1;
  }
}
