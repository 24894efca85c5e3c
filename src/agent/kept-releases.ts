/**
 * Releases that a DEL left on disk because who should have answered it died (src/cni/spool.c). An agent honours all of them (spool.ts); where none ever runs,
 * a process that answers for a plugin does so for this one.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeFrame, type RequestFrame } from '../cni/frame.ts';
import { pluginOf } from '../cni/plugins.ts';
import { asFailure, sentence } from '../errors/failure.ts';
import type { Log } from '../log.ts';

/** When the release was kept, as the name of its file says: `<container>-<ifname>-<nanoseconds since the epoch>-<pid>.del` (src/cni/spool.c). Milliseconds; undefined: it says nothing. */
export function keptAt_ms(name: string): number | undefined {
  const found = /-(\d+)-\d+\.del$/.exec(name)?.[1];
  return found === undefined ? undefined : Number(found) / 1e6;
}

const changing = ['ADD', 'DEL', 'GC'];

/** Whether the request is for a verb that changes something. */
export function changes({ variables }: RequestFrame): boolean {
  return changing.includes(variables.get('CNI_COMMAND') ?? '');
}

/** What of the plugin is to be released, as of which time; false leaves it where it is. */
export type ReleaseKept = (frame: RequestFrame, at_ms: number) => Promise<boolean>;

/** Before a request that changes something. `state`: the folder of the state. Resolves always: one that fails is a line in the log, and stays for the next time. */
export async function honourKept(log: Log, state: string, request: RequestFrame, release: ReleaseKept): Promise<void> {
  const dir = join(state, 'spool');
  if (!changes(request) || !existsSync(dir)) return;
  const plugin = pluginOf(request.variables);
  for (const name of readdirSync(dir)) {
    const at_ms = keptAt_ms(name);
    if (at_ms === undefined) continue;
    try {
      const frame = decodeFrame(readFileSync(join(dir, name)));
      if (pluginOf(frame.variables) === plugin && (await release(frame, at_ms))) rmSync(join(dir, name), { force: true });
    } catch (error) {
      log.warn(`the kept release ${name} is left for the next time: ${sentence(asFailure(error))}`);
    }
  }
}
