/** `nodes`: what one controller costs, and how soon it serves, in clusters of 50 to 5000 nodes whose agents and cloud are simulated. */
import { takeTurn } from '../../test/cluster/turn.ts';
import type { Row } from '../rows.ts';
import { runInside } from './inside.ts';

const PODS = 30;

/** How much of it. */
export interface NodesEffort {
  readonly sizes: readonly number[];
  readonly quiet_s: number;
  readonly changes: number;
}

/** All rows, one size after the other. */
export async function nodesPart({ sizes, quiet_s, changes }: NodesEffort, progress: (text: string) => void): Promise<Row[]> {
  await using _turn = await takeTurn();
  const rows: Row[] = [];
  for (const nodes of sizes)
    rows.push(...(await runInside('crowd.ts', `${nodes}-nodes`, { nodes, podsPerNode: PODS, pace: 100, quiet_s, changes }, progress)));
  return rows;
}
