/** `flatpod controller`: one of several, of which one leads: it serves all nodes of the cluster; the others wait for their turn. */
import { hostname } from 'node:os';
import { openApi } from '../kube/api.ts';
import { LONGEST_CALL_ms, stand } from '../kube/election.ts';
import { createLog } from '../log.ts';
import { readControllerConfigFile } from '../store/config-file.ts';
import { accessOf } from './kube-access.ts';
import { lead } from './leading.ts';
import { startProbe } from './probe.ts';
import { untilSignal } from './signal.ts';
import { terms } from './terms.ts';

const LEASE = 'flatpod-controller';
/** After this no call of ours can change the cloud any more, and the Lease may be given back. */
const CALLS_END_ms = LONGEST_CALL_ms + 500;
/** What is left then is cut off. */
const CUT_OFF_ms = 500;

/** Options of `flatpod controller`, as typed. */
export interface ControllerArguments {
  readonly config: string;
}

/** Runs until a signal. @throws Failure when it cannot start, or cannot lead: then whoever started it should start it again. */
export async function runController({ config: file }: ControllerArguments): Promise<number> {
  await using running = new AsyncDisposableStack();
  const { spec: config } = readControllerConfigFile(file);
  const log = createLog('controller', config.log);
  const told = untilSignal();
  const api = openApi(accessOf(config.kubeconfig), { userAgent: 'flatpod-controller/0.1' });
  running.defer(() => api.close());
  // Its own connection: a renewal must not stand behind the lists of a large cluster.
  const leaseApi = openApi(accessOf(config.kubeconfig), { userAgent: 'flatpod-controller/0.1' });
  running.defer(() => leaseApi.close());
  let serving: number | undefined;
  const leading = terms((term, over) => {
    const serves = (): void => void (serving = term);
    const holdsFor_ms = (): number => (election.term === term ? election.holdsFor_ms() : 0);
    const outrank = (other: number): void => election.outrank(other);
    return lead({ api, config, candidate: candidate(), term, holdsFor_ms, outrank, over, serves, log });
  }, log);
  const election = stand(leaseApi, {
    namespace: config.namespace,
    lease: LEASE,
    candidate: candidate(),
    log,
    began: (term) => leading.began(term),
    ended: () => leading.ended(),
  });
  running.defer(() => election.stop());
  running.defer(async () => {
    if (!(await leading.stop(CALLS_END_ms))) log.warn('what was under way did not end in time, and is cut off');
    setTimeout(() => process.exit(), CUT_OFF_ms + 4_000).unref();
  });
  if (config.listen !== undefined) {
    const standing = () => {
      const { inTouch, term, leader } = election;
      const serves = term !== undefined && term === serving;
      return { inTouch, serves, ...(term !== undefined && { term }), ...(leader !== undefined && { leader }) };
    };
    running.use(await startProbe(config.listen, standing));
  }
  // Neither signals nor the election keep a process alive.
  const alive = setInterval(() => undefined, 2 ** 30);
  running.defer(() => clearInterval(alive));
  log.info('ready; waiting to lead');
  await Promise.race([told, leading.failed]);
  log.info('stopping');
  return 0;
}

/** Name of this replica. */
function candidate(): string {
  return process.env['POD_NAME'] ?? hostname();
}
