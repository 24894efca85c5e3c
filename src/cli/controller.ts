/** `flatpod controller`: one of several, of which one leads: it serves all nodes of the cluster; the others wait for their turn. */
import { hostname } from 'node:os';
import { systemClock } from '../cloud/clock.ts';
import { fenced } from '../cloud/limits/fenced.ts';
import { vpcCloud } from '../cloud/vpc/vpc.ts';
import { ClusterClaims } from '../controller/claims/claims.ts';
import { type Affairs, clusterAffairs } from '../controller/cluster/affairs.ts';
import { type Controller, startController } from '../controller/controller.ts';
import { asFailure, sentence } from '../errors/failure.ts';
import { type KubeApi, openApi } from '../kube/api.ts';
import { type Election, stand } from '../kube/election.ts';
import { createLog, type Log } from '../log.ts';
import { readControllerConfigFile } from '../store/config-file.ts';
import type { ControllerConfig } from '../store/controller-config.ts';
import { ClusterNodeNetworks } from '../store/kubernetes/cluster-node-networks.ts';
import { clusterSubnets } from '../store/kubernetes/cluster-subnets.ts';
import { asIsAllowed } from './cloud.ts';
import { accessOf } from './kube-access.ts';
import { untilSignal } from './signal.ts';

const LEASE = 'flatpod-controller';
/** Shorter than what a leader that renews in time holds on for: otherwise the fence would never open. */
const CLOUD_CALL_ms = 8_000;

/** Options of `flatpod controller`, as typed. */
export interface ControllerArguments {
  readonly config: string;
}

/** Runs until a signal. @throws Failure when it cannot start. */
export async function runController({ config: file }: ControllerArguments): Promise<number> {
  await using running = new AsyncDisposableStack();
  const { spec: config } = readControllerConfigFile(file);
  const log = createLog('controller', config.log);
  const api = openApi(accessOf(config.kubeconfig), { userAgent: 'flatpod-controller/0.1' });
  running.defer(() => api.close());
  /** What the present term has started, and how it ends; each waits for the one before. */
  let leading: Promise<AsyncDisposable | undefined> = Promise.resolve(undefined);
  const endTerm = async (): Promise<void> => {
    await (await leading)?.[Symbol.asyncDispose]();
  };
  const election = stand(api, {
    namespace: config.namespace,
    lease: LEASE,
    candidate: candidate(),
    log,
    began(term) {
      leading = endTerm().then(() => lead(api, config, election, term, log));
    },
    ended(why) {
      log.warn(`leads no more: ${why}`);
      leading = endTerm().then(() => undefined);
    },
  });
  running.defer(() => election.stop());
  running.defer(endTerm);
  // Neither signals nor the election keep a process alive.
  const alive = setInterval(() => undefined, 2 ** 30);
  running.defer(() => clearInterval(alive));
  log.info('ready; waiting to lead');
  await untilSignal();
  log.info('stopping');
  return 0;
}

/** Name of this replica. */
function candidate(): string {
  return process.env['POD_NAME'] ?? hostname();
}

/** Serves the cluster until disposed of. undefined: it could not begin, which is said; another turn will come. */
async function lead(
  api: KubeApi,
  { cluster, cloud: where, tellScheduler }: ControllerConfig['spec'],
  election: Election,
  term: number,
  log: Log,
): Promise<AsyncDisposable | undefined> {
  await using begun = new AsyncDisposableStack();
  try {
    log.info(`leads, term ${term}`, { term });
    const networks = new ClusterNodeNetworks(api, term, log);
    begun.defer(() => networks.stop());
    let subnetChanged = (_name: string): void => undefined;
    let affairs: Affairs | undefined;
    let wake: Controller['wake'] = () => undefined;
    const life = {
      isAlive: (node: string) => networks.node(node)?.isReady === true,
      isGone: (node: string) => networks.node(node) === undefined,
      wake: (node: string) => wake(node),
    };
    const claims = new ClusterClaims(api, life, log);
    begun.defer(() => claims.stop());
    const subnets = clusterSubnets(api, log, (name) => subnetChanged(name));
    begun.defer(() => subnets.stop());
    await Promise.all([networks.synced, subnets.synced, claims.synced]);
    const driver = begun.use(vpcCloud({ endpoint: where.endpoint, deadline_ms: CLOUD_CALL_ms }));
    const cloud = asIsAllowed(
      fenced(driver, () => (election.term === term ? election.holdsFor_ms() : 0), CLOUD_CALL_ms),
      where,
    );
    const controller = await startController({
      cluster,
      networks,
      claims,
      cloud,
      log,
      subnets: (node) => subnets.forNode(networks.node(node)?.labels ?? {}),
      tellSubnets: true,
      heldChanged: (name) => affairs?.heldChanged(name),
      share: (node, subnet) => affairs?.share(node, subnet),
      observe: (situation, plan) => affairs?.observe(situation, plan),
    });
    begun.defer(() => controller.stop());
    wake = (node) => controller.wake(node);
    const all = clusterAffairs({
      cluster,
      api,
      claims,
      instance: candidate(),
      networks,
      subnets,
      controller,
      cloud,
      clock: systemClock,
      tellScheduler,
      log,
    });
    begun.defer(() => all.stop());
    affairs = all;
    subnetChanged = (name) => {
      all.subnetChanged(name);
      void controller
        .subnetsChanged()
        .catch((error: unknown) => log.warn(`nodes were not told of new PodSubnets: ${sentence(asFailure(error))}`));
    };
    return begun.move();
  } catch (error) {
    log.error(`cannot lead: ${sentence(asFailure(error))}`);
    return undefined;
  }
}
