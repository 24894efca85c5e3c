/**
 * Releases of helpers that a DEL left on disk because who should have answered it died (src/cni/spool.c). An agent honours all plugins' (spool.ts); where
 * none ever runs, whoever changes something does so for this one.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { releaseIn } from '../../cni/asked.ts';
import { decodeFrame } from '../../cni/frame.ts';
import { pluginOf } from '../../cni/plugins.ts';
import { asFailure, sentence } from '../../errors/failure.ts';
import type { ChainNode } from './chain-node.ts';
import { del } from './del.ts';

/** `<container>-<ifname>-<nanoseconds since the epoch>-<pid>.del`. */
const NAME = /-(\d+)-\d+\.del$/;

/** Resolves always: one that fails is a line in the log, and stays for the next time. */
export async function honourKept(node: ChainNode, dir: string): Promise<void> {
  if (!existsSync(dir)) return;
  for (const name of readdirSync(dir)) {
    const at = NAME.exec(name)?.[1];
    if (at === undefined) continue;
    try {
      const { variables, stdin } = decodeFrame(readFileSync(join(dir, name)));
      if (pluginOf(variables) !== 'veth-to-host') continue;
      await del(node, { ...releaseIn(variables, stdin), before_ms: Number(at) / 1e6 });
      rmSync(join(dir, name), { force: true });
    } catch (error) {
      node.log.warn(`the kept release ${name} is left for the next time: ${sentence(asFailure(error))}`);
    }
  }
}
