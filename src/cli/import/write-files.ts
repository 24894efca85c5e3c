/** The documents in a directory: what kubectl applies apart from what the programs, or the chart, read. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { failure, isFailure } from '../../errors/failure.ts';
import { chartValues } from './chart-values.ts';
import { textOf } from './check-made.ts';
import type { Imported } from '../../import/made.ts';

const files = {
  NodeConfig: 'node.yaml',
  ControllerConfig: 'controller.yaml',
  PodSubnet: 'podsubnets.yaml',
  IPClaim: 'ipclaims.yaml',
} as const;

/** Writes them; a directory that holds anything is left alone. @throws Failure FP503 importOutputTaken. */
export function writeFiles(directory: string, { made, kept, agent }: Imported): void {
  try {
    mkdirSync(directory, { recursive: true });
    const found = readdirSync(directory);
    if (found.length > 0) throw failure('importOutputTaken', { directory, reason: `it holds ${found.slice(0, 3).join(', ')} already` });
    for (const [kind, file] of Object.entries(files)) {
      const texts = made.filter((one) => one.kind === kind).map(textOf);
      if (texts.length > 0) writeFileSync(join(directory, file), texts.join('---\n'), { flag: 'wx' });
    }
    writeFileSync(join(directory, 'values.yaml'), chartValues(made, agent), { flag: 'wx' });
    if (kept.length > 0) writeFileSync(join(directory, 'kept.json'), `${JSON.stringify(kept, undefined, 2)}\n`, { flag: 'wx' });
  } catch (cause) {
    if (isFailure(cause)) throw cause;
    throw failure('importOutputTaken', { directory, reason: cause instanceof Error ? cause.message : String(cause) }, cause);
  }
}
