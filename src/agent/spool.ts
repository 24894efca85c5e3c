/** Releases that a DEL left on disk because no agent answered: done now, before anything else, each file gone only after its release. */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { decodeFrame } from '../cni/frame.ts';
import { releaseIn } from '../cni/request.ts';
import { asFailure, sentence } from '../errors/failure.ts';
import { del } from './del.ts';
import type { NodeAgent } from './node-agent.ts';

/** Honours all of them in order. One that cannot be read is put aside as `.bad`: it must not be lost, and must not stop the start. */
export async function honourSpool(node: NodeAgent, dir: string): Promise<void> {
  if (!existsSync(dir)) return;
  for (const name of readdirSync(dir)
    .filter((file) => file.endsWith('.del'))
    .sort()) {
    const file = join(dir, name);
    try {
      const release = releaseIn(decodeFrame(readFileSync(file)).variables);
      await del(node, release);
      rmSync(file);
      node.log.info(`honoured the release of ${release.container}/${release.ifname} that came while the agent was down`);
    } catch (error) {
      node.log.error(`the spooled release ${name} cannot be honoured: ${sentence(asFailure(error))}`);
      if (existsSync(file)) renameSync(file, `${file}.bad`);
    }
  }
}
