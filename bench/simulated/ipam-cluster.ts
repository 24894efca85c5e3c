/** `ipam-cluster`: addresses of a range without a cloud, for the Pods of ten nodes at once: as many as there are addresses, and where there are plenty. */
import { takeTurn } from '../../test/cluster/turn.ts';
import type { Row } from '../rows.ts';
import { runInside } from './inside.ts';

/** How much of it. */
export interface IpamClusterEffort {
  readonly nodes: number;
  readonly podsPerNode: number;
  readonly rounds: number;
  /** Seconds after which another plugin begins no further Pod. */
  readonly peerLimit_s: number;
}

/** The rows of range-crowd.ts. */
export async function ipamClusterPart(effort: IpamClusterEffort, progress: (text: string) => void): Promise<Row[]> {
  await using _turn = await takeTurn();
  return runInside('range-crowd.ts', 'ipam', effort, progress);
}
