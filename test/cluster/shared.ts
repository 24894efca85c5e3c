/** The cluster that the files of a run share: two nodes on the emulated VPC, with Flatpod and CoreDNS. It starts when it is first asked for, and ends after the last test. */
import { after } from 'node:test';
import { type Cluster, startCluster } from './cluster.ts';
import { installFlatpod } from './flatpod.ts';

let started: Promise<Cluster> | undefined;

// Of all files, since they run in one process without isolation.
after(async () => {
  await (await started?.catch(() => undefined))?.[Symbol.asyncDispose]();
  started = undefined;
});

/** The cluster; tests leave it as they found it, in namespaces of their own. In its VPC there is a machine `outside` of it, beyond its gateway a host `web`. */
export function sharedCluster(): Promise<Cluster> {
  started ??= withFlatpod();
  return started;
}

async function withFlatpod(): Promise<Cluster> {
  const cluster = await startCluster({ dns: true, vpc: { machines: { outside: { subnet: 'nodes' } }, internet: ['web'] } });
  try {
    // What the agents say is kept for whoever looks for the cause of a failure.
    await installFlatpod(cluster, { values: { log: 'debug' } });
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}
