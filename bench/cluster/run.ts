/** Measures parts on clusters: `node bench/cluster/run.ts [--quick] PART…`. Prints a row a line, in JSON, and progress on stderr. Called by parts.ts. */
import { sweepDeadRuns } from '../../test/cluster/traces.ts';
import { takeTurn } from '../../test/cluster/turn.ts';
import { progress } from '../progress.ts';
import type { Row } from '../rows.ts';
import { ipamClusterPart } from '../simulated/ipam-cluster.ts';
import { nodesPart } from '../simulated/nodes.ts';
import { apiCalls } from './api-calls.ts';
import { exactFit } from './exact-fit.ts';
import { type ClusterPart, clusterParts } from './parts.ts';
import { podStart } from './pod-start.ts';

/** Full figures have 200 measurements and more, but those of single Pods: each of them takes two seconds. */
const full = {
  podStart: {
    turns: 2,
    cases: [
      { size: 1, rounds: 20 },
      { size: 20, rounds: 5 },
      { size: 80, rounds: 3 },
    ],
  },
  apiCalls: { pods: 40, idle_s: 60 },
  exactFit: [100, 200],
  nodes: { sizes: [50, 200, 1000, 5000], quiet_s: 60, changes: 60 },
  ipamCluster: { nodes: 10, podsPerNode: 100, rounds: 10, peerLimit_s: 300 },
};
const quick = {
  podStart: {
    turns: 1,
    cases: [
      { size: 1, rounds: 5 },
      { size: 20, rounds: 1 },
      { size: 80, rounds: 1 },
    ],
  },
  apiCalls: { pods: 20, idle_s: 20 },
  exactFit: [100],
  nodes: { sizes: [50, 500], quiet_s: 20, changes: 50 },
  ipamCluster: { nodes: 10, podsPerNode: 100, rounds: 3, peerLimit_s: 60 },
};

const effort = process.argv.includes('--quick') ? quick : full;

function measure(part: ClusterPart): Promise<Row[]> {
  switch (part) {
    case 'pod-start':
      return podStart(effort.podStart, progress);
    case 'api-calls':
      return apiCalls(effort.apiCalls, progress);
    case 'exact-fit':
      return exactFit(effort.exactFit, progress);
    case 'nodes':
      return nodesPart(effort.nodes, progress);
    case 'ipam-cluster':
      return ipamClusterPart(effort.ipamCluster, progress);
  }
}

await sweepDeadRuns();
// From the first cluster to the last: who comes between them would be in some figures and not in others.
await using _turn = await takeTurn();
for (const part of clusterParts.filter((one) => process.argv.includes(one))) {
  try {
    for (const row of await measure(part)) console.log(JSON.stringify(row));
  } catch (error) {
    console.error(`bench: ${part}: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
