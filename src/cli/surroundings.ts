/** What an agent is surrounded by: where its NodeNetwork lives, and who tells it of Pods. */
import type { AgentOptions } from '../agent/start.ts';
import type { LedgerStore } from '../cloud/range/ledger-store.ts';
import type { Log } from '../log.ts';
import type { NodeConfig } from '../store/node-config.ts';
import type { NodeNetworks } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import type { RememberedNamespaces } from '../store/remembered-namespaces.ts';

/** What it is made from. */
export interface Around {
  /** The node's name. */
  readonly name: string;
  readonly config: NodeConfig['spec'];
  readonly subnets: readonly PodSubnet[];
  /** NodeNetworks in the node's own database. */
  readonly copy: NodeNetworks;
  /** What of ranges is whose, there too. */
  readonly ledger: LedgerStore;
  /** What namespaces said, there too. */
  readonly namespaces: RememberedNamespaces;
  readonly log: Log;
}

/** Stop it after the agent. */
export interface Surroundings extends Pick<NonNullable<AgentOptions['cloud']>, 'store' | 'pods'> {
  stop(): Promise<void>;
}
