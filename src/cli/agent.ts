/**
 * `flatpod agent`: the agent and what surrounds it: standalone a controller of its own, in a cluster the API server, and where one program a node is wanted a
 * candidate for the cluster's controller too. They meet in the NodeNetwork object alone.
 */
import { hostname } from 'node:os';
import { type AgentOptions, startAgent } from '../agent/start.ts';
import { readAttachedInterface } from '../datapath/stored.ts';
import { failure } from '../errors/failure.ts';
import { createLog, type Level, type Log } from '../log.ts';
import { openAttachments } from '../store/attachments.ts';
import { readConfigFile, readControllerConfigFile } from '../store/config-file.ts';
import { ledgerIn } from '../store/ledger-sqlite.ts';
import { nodeNetworksIn } from '../store/node-networks-sqlite.ts';
import { modeOf } from '../store/node-mode.ts';
import { rememberedNamespaces } from '../store/remembered-namespaces.ts';
import { lockState, openDatabase } from '../store/sqlite.ts';
import type { Installing } from './agent-install.ts';
import { followLevel } from './agent-level.ts';
import type { Candidate } from './candidate.ts';
import { untilSignal } from './signal.ts';
import type { Around, Surroundings } from './surroundings.ts';

/** Options of `flatpod agent`, as typed. */
export interface AgentArguments {
  readonly config?: string;
  /** A ControllerConfig: this node stands for the cluster's controller too. */
  readonly controller?: string;
  readonly socket: string;
  readonly state: string;
  readonly rebuild: boolean;
  /** Whether the agent installs itself on the node, and where. */
  readonly install: boolean;
  readonly binDir: string;
  readonly confDir: string;
  readonly network: string;
  readonly chain: string;
  readonly cniVersion?: string;
}

/** Runs until a signal, or until a drain is done. @throws Failure when it cannot start. */
export async function runAgent(options: AgentArguments): Promise<number> {
  const { config: file, socket, state, rebuild } = options;
  // From the beginning: one that ends us in mid-start would leave a socket behind.
  const told = untilSignal();
  await using running = new AsyncDisposableStack();
  const read = file === undefined ? undefined : readConfigFile(file);
  const standsFor = controllerBeside(options.controller, read?.config.spec.cluster !== undefined);
  let level: Level | undefined;
  const log = createLog('agent', () => level ?? read?.config.spec.log ?? 'info');
  // Before anything is read, or put aside by --rebuild.
  running.use(lockState(state));
  const database = openDatabase(state, rebuild);
  running.defer(() => database.close());
  const attachments = openAttachments(database, readAttachedInterface);
  let cloud: AgentOptions['cloud'];
  let candidate: Candidate | undefined;
  if (read !== undefined) {
    const { config, subnets } = { config: read.config.spec, subnets: read.subnets };
    const name = config.node ?? process.env['NODE_NAME'] ?? hostname();
    const surroundings = await surroundingsOf({
      name,
      config,
      subnets,
      copy: nodeNetworksIn(database),
      ledger: ledgerIn(database),
      namespaces: rememberedNamespaces(database),
      log,
    });
    running.defer(() => surroundings.stop());
    running.defer(await followLevel(surroundings.store, name, log, (now) => void (level = now)));
    // Named like the node, of which there is one in the cluster. It ends after the agent, whose drain needs a controller.
    candidate = standsFor && running.use(await standsFor(name));
    cloud = { name, config, subnets, ...surroundings };
  }
  const agent = await startAgent({ state, socket, database, attachments, log, ...(cloud !== undefined && { cloud }) });
  running.defer(() => agent.stop());
  let installing: Installing | undefined;
  if (options.install) {
    const { runtimeSocket } = read?.config.spec ?? {};
    const where = { socket, state, config: file ?? '/etc/flatpod/node.yaml', ...(runtimeSocket !== undefined && { runtimeSocket }) };
    installing = (await import('./agent-install.ts')).installWhenReady(options, where, log);
    running.defer(() => installing?.stop());
  }
  // By default it would end us, and no service manager takes that for a failure.
  const stay = (): void => log.warn('SIGHUP changes nothing: the configuration is read at the start; restart the agent for another one');
  process.on('SIGHUP', stay);
  running.defer(() => void process.off('SIGHUP', stay));
  await Promise.race([told, ...(candidate === undefined ? [] : [candidate.failed]), agent.drained.then(() => left(installing, told, log))]);
  log.info('stopping; Pods keep their network');
  return 0;
}

/** Starts a candidate for the cluster's controller by that file, which is read first; undefined: none is wanted. @throws Failure badOption, configFile*. */
function controllerBeside(file: string | undefined, isInCluster: boolean): ((name: string) => Promise<Candidate>) | undefined {
  if (file === undefined) return undefined;
  const remedy = 'give it with a --config whose spec has cluster; a standalone agent is its own controller';
  if (!isInCluster) throw failure('badOption', { option: '--controller', value: file, remedy });
  const { spec } = readControllerConfigFile(file);
  return async (name) => (await import('./candidate.ts')).startCandidate(spec, name, createLog('controller', spec.log));
}

/** Drained. Whoever installed itself runs in a Pod that would be started again: it stays, idle, and no Pod is sent to a node without its configuration. */
async function left(installing: Installing | undefined, told: Promise<void>, log: Log): Promise<void> {
  if (installing === undefined) return;
  installing.undo();
  log.info('everything is given back, and nothing is installed any more; waiting to be ended');
  await told;
}

/** Each is loaded only where it is needed: an agent in a cluster does without the controller, a standalone one without Kubernetes. */
async function surroundingsOf(around: Around): Promise<Surroundings> {
  const mode = modeOf(around.config);
  switch (mode?.kind) {
    case 'standalone':
      return await (await import('./agent-standalone.ts')).standalone(around, mode);
    case 'cluster':
      return (await import('./agent-cluster.ts')).inCluster(around, mode);
    case undefined:
      throw new Error('a configuration that was checked is either standalone or of a cluster');
  }
}
