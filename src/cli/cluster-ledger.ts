/** The ledger of a cluster's ranges, as a leader opens it. */
import { Ledger } from '../cloud/range/ledger.ts';
import type { LedgerStore } from '../cloud/range/ledger-store.ts';
import { type Failure, isFailure, sentence } from '../errors/failure.ts';
import type { KubeApi } from '../kube/api.ts';
import type { Log } from '../log.ts';
import { ledgerObjects } from '../store/kubernetes/ledger-objects.ts';

/** A write that is not answered by then counts as unclear. Two and a read fit into the longest call that the election leaves time for. */
const DEADLINE_ms = 1400;

/**
 * Reads it. Where the API server does not know the kind, or does not let us see it, and no PodSubnet has a range, there is none: an upgrade may bring it later.
 * @throws Failure kube*, cloudUnavailable
 */
export async function clusterLedger(api: KubeApi, isNeeded: boolean, log: Log): Promise<Ledger> {
  try {
    return await Ledger.open(ledgerObjects(api, { deadline_ms: DEADLINE_ms }));
  } catch (error) {
    if (isNeeded || !(isFailure(error, 'kubeNoSuchResource') || isFailure(error, 'kubeForbidden'))) throw error;
    log.warn(`no PodSubnet can have a range: ${sentence(error)}`);
    return await Ledger.open(unavailable(error));
  }
}

function unavailable(why: Failure): LedgerStore {
  const refuse = (): Promise<never> => Promise.reject(why);
  return { list: () => Promise.resolve([]), read: refuse, write: refuse };
}
