/** `flatpod agent`: the agent and, standalone, the controller beside it; they meet in the NodeNetwork object alone. */
import { hostname } from 'node:os';
import { type AgentOptions, startAgent } from '../agent/start.ts';
import { readPodInterface } from '../datapath/stored.ts';
import { createLog, type Log } from '../log.ts';
import { openAttachments } from '../store/attachments.ts';
import { readConfigFile } from '../store/config-file.ts';
import type { NodeConfig } from '../store/node-config.ts';
import { nodeNetworksIn } from '../store/node-networks-sqlite.ts';
import type { NodeNetworks } from '../store/node-network.ts';
import type { PodSubnet } from '../store/pod-subnet.ts';
import { lockState, openDatabase } from '../store/sqlite.ts';
import { untilSignal } from './signal.ts';

/** Options of `flatpod agent`, as typed. */
export interface AgentArguments {
  readonly config?: string;
  readonly socket: string;
  readonly state: string;
  readonly rebuild: boolean;
}

/** Runs until a signal, or until a drain is done. @throws Failure when it cannot start. */
export async function runAgent({ config: file, socket, state, rebuild }: AgentArguments): Promise<number> {
  await using running = new AsyncDisposableStack();
  const read = file === undefined ? undefined : readConfigFile(file);
  const log = createLog('agent', read?.config.spec.log);
  // Before anything is read, or put aside by --rebuild.
  running.use(lockState(state));
  const database = openDatabase(state, rebuild);
  running.defer(() => database.close());
  const attachments = openAttachments(database, readPodInterface);
  let cloud: AgentOptions['cloud'];
  if (read !== undefined) {
    const store = nodeNetworksIn(database);
    const name = read.config.spec.node ?? hostname();
    const stopController = await controllerFor(name, read.config.spec, read.subnets, store, log);
    running.defer(stopController);
    cloud = { name, config: read.config.spec, subnets: read.subnets, store };
  }
  const agent = await startAgent({ state, socket, attachments, log, ...(cloud !== undefined && { cloud }) });
  running.defer(() => agent.stop());
  // By default it would end us, and no service manager takes that for a failure.
  const stay = (): void => log.warn('SIGHUP changes nothing: the configuration is read at the start; restart the agent for another one');
  process.on('SIGHUP', stay);
  running.defer(() => void process.off('SIGHUP', stay));
  await Promise.race([untilSignal(), agent.drained]);
  log.info('stopping; Pods keep their network');
  return 0;
}

/** The controller of this node alone. Loaded only here: an agent in a cluster does without it. */
async function controllerFor(
  name: string,
  config: NodeConfig['spec'],
  subnets: readonly PodSubnet[],
  networks: NodeNetworks,
  log: Log,
): Promise<() => Promise<void>> {
  const [{ startController }, { vpcCloud }, { paced, usualPace }, { withoutChanges }, { systemClock }] = await Promise.all([
    import('../controller/controller.ts'),
    import('../cloud/vpc/vpc.ts'),
    import('../cloud/limits/paced.ts'),
    import('../cloud/limits/changes.ts'),
    import('../cloud/clock.ts'),
  ]);
  const driver = vpcCloud({ endpoint: config.cloud.endpoint });
  const slow = paced(driver, usualPace, systemClock, Math.random);
  const cloud = config.cloud.changes ? slow : withoutChanges(slow);
  // Standalone nodes know nothing of each other: each is a cluster of its own, or one would sweep away another's NICs.
  const controller = await startController({ cluster: `standalone-${name}`, networks, subnets: () => subnets, cloud, log });
  return async () => {
    await controller.stop();
    driver[Symbol.dispose]();
  };
}
