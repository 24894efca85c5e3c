/** One of the controllers of a cluster: it waits for its turn, and while it leads it serves all nodes. Alone in its process, or beside an agent. */
import { openApi } from '../kube/api.ts';
import { LONGEST_CALL_ms, stand } from '../kube/election.ts';
import type { Log } from '../log.ts';
import type { ControllerConfig } from '../store/controller-config.ts';
import { accessOf } from './kube-access.ts';
import { lead } from './leading.ts';
import { startProbe } from './probe.ts';
import { terms } from './terms.ts';

const LEASE = 'flatpod-controller';
/** After this no call of ours can change the cloud any more, and the Lease may be given back. */
const CALLS_END_ms = LONGEST_CALL_ms + 500;
/** What is left then is cut off. */
const CUT_OFF_ms = 500;

/** One that stands. Disposing of it gives the Lease back; the process is to end then, and is ended if it does not. */
export interface Candidate extends AsyncDisposable {
  /** Rejects with a Failure when it cannot lead: then whoever started the process should start it again. Never resolves. */
  readonly failed: Promise<never>;
}

/** Stands for election; people know it by that name. @throws Failure when it cannot start. */
export async function startCandidate(config: ControllerConfig['spec'], name: string, log: Log): Promise<Candidate> {
  await using starting = new AsyncDisposableStack();
  const api = openApi(accessOf(config.kubeconfig), { userAgent: 'flatpod-controller/0.1' });
  starting.defer(() => api.close());
  // Its own connection: a renewal must not stand behind the lists of a large cluster.
  const leaseApi = openApi(accessOf(config.kubeconfig), { userAgent: 'flatpod-controller/0.1' });
  starting.defer(() => leaseApi.close());
  let serving: number | undefined;
  const leading = terms((term, over) => {
    const serves = (): void => void (serving = term);
    const holdsFor_ms = (): number => (election.term === term ? election.holdsFor_ms() : 0);
    const outrank = (other: number): void => election.outrank(other);
    return lead({ api, config, candidate: name, term, holdsFor_ms, outrank, over, serves, log });
  }, log);
  const election = stand(leaseApi, {
    namespace: config.namespace,
    lease: LEASE,
    candidate: name,
    log,
    began: (term) => leading.began(term),
    ended: () => leading.ended(),
  });
  starting.defer(() => election.stop());
  starting.defer(async () => {
    if (!(await leading.stop(CALLS_END_ms))) log.warn('what was under way did not end in time, and is cut off');
    setTimeout(() => process.exit(), CUT_OFF_ms + 4_000).unref();
  });
  if (config.listen !== undefined) {
    const standing = () => {
      const { inTouch, term, leader } = election;
      const serves = term !== undefined && term === serving;
      return { inTouch, serves, ...(term !== undefined && { term }), ...(leader !== undefined && { leader }) };
    };
    starting.use(await startProbe(config.listen, standing));
  }
  log.info('ready; waiting to lead');
  const all = starting.move();
  return { failed: leading.failed, [Symbol.asyncDispose]: () => all.disposeAsync() };
}
