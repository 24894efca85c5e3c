/** The parts of the benchmark that take place on a cluster, run by a process of its own: whatever ends it takes the cluster's machines with it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { sweepDeadRuns } from '../../test/cluster/traces.ts';
import { programs } from '../../test/programs.ts';
import type { Row } from '../rows.ts';

/** Their names. */
export const clusterParts = ['pod-start', 'api-calls', 'exact-fit', 'nodes', 'ipam-cluster'] as const;
export type ClusterPart = (typeof clusterParts)[number];

/** Why they cannot run: a sentence that names what is missing and brings it; undefined when they can. */
export function clusterPartsLack(): string | undefined {
  try {
    programs.etcd();
    programs.kube('kubelet');
    programs.e2e('agnhost');
    programs.coredns();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A run that goes on. */
export interface ClusterRun {
  /** What was measured; `whole`: nothing failed. What did is on stderr. */
  readonly ended: Promise<{ readonly rows: readonly Row[]; readonly whole: boolean }>;
  /** Ends it, and takes away what is left. */
  end(): Promise<void>;
}

/** Runs them one after the other; `quick`: fewer repetitions. */
export function runClusterParts(parts: readonly ClusterPart[], quick: boolean): ClusterRun {
  const options = ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'run.ts')];
  const child = spawn(process.execPath, [...options, ...(quick ? ['--quick'] : []), ...parts], { stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  const rows: Row[] = [];
  // A row a line, as run.ts writes them; what else is said is for whoever reads along.
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('{"case":')) rows.push(JSON.parse(line) as Row);
    else console.log(line);
  });
  return {
    ended: closed.then(async () => {
      await sweepDeadRuns();
      return { rows, whole: child.exitCode === 0 };
    }),
    async end() {
      child.kill('SIGKILL');
      await closed;
      await sweepDeadRuns();
    },
  };
}
