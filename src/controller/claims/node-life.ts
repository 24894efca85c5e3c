/** What claims have to know of nodes, beside the node whose pass it is. */
import type { NodeNetwork } from '../../store/node-network.ts';

/** See the head of this file. */
export interface NodeLife {
  /** Its Node is there and Ready. */
  isAlive(node: string): boolean;
  /** There is no such Node. What of it the cloud still has, the cloud gives to nobody else. */
  isGone(node: string): boolean;
  /** Has it passed over: something about its claims is another now. */
  wake(node: string): void;
  /** All nodes with what they were granted. */
  networks(): Promise<readonly NodeNetwork[]>;
}
