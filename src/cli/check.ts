/** `flatpod check`: the kernel beside what should be in it. */
import { askAgent } from './ask.ts';
import { styled } from './table.ts';

const DEADLINE_ms = 30_000;

/** Answer to `check` and `repair`. */
interface Differences {
  readonly differences: readonly string[];
}

/** Prints each difference; 1 when there are some that were not repaired. */
export async function checkNode({
  socket,
  json,
  repair,
}: {
  readonly socket: string;
  readonly json: boolean;
  readonly repair: boolean;
}): Promise<number> {
  const { differences } = await askAgent<Differences>(socket, repair ? 'repair' : 'check', DEADLINE_ms);
  const left = repair ? (await askAgent<Differences>(socket, 'check', DEADLINE_ms)).differences : differences;
  if (json) process.stdout.write(`${JSON.stringify({ differences, repaired: repair, left })}\n`);
  else process.stdout.write(textOf(differences, repair, left));
  return left.length === 0 ? 0 : 1;
}

function textOf(differences: readonly string[], repair: boolean, left: readonly string[]): string {
  const out = process.stdout;
  if (differences.length === 0) return `${styled(out, 'green', 'The kernel holds what it should.')}\n`;
  const remains = new Set(left);
  return differences
    .map(
      (difference) =>
        `${repair && !remains.has(difference) ? styled(out, 'green', 'put right') : styled(out, 'red', 'differs  ')}  ${difference}\n`,
    )
    .join('');
}
