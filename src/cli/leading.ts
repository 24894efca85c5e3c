/** What the controller does in one term: from nodes' demand to the cloud, as long as it leads. */
import { systemClock } from '../cloud/clock.ts';
import { fencedSteps, type Stepwise } from '../cloud/limits/steps.ts';
import { fenced } from '../cloud/limits/fenced.ts';
import type { Cloud, InstanceId } from '../cloud/cloud.ts';
import type { Ledger } from '../cloud/range/ledger.ts';
import { rangeCloud } from '../cloud/range/range-cloud.ts';
import { adoptGranted } from '../controller/adopt.ts';
import { ClusterClaims } from '../controller/claims/cluster-claims.ts';
import type { NodeLife } from '../controller/claims/node-life.ts';
import { type Affairs, clusterAffairs } from '../controller/cluster/affairs.ts';
import { type Controller, type ControllerOptions, startController } from '../controller/controller.ts';
import { asFailure, sentence } from '../errors/failure.ts';
import type { KubeApi } from '../kube/api.ts';
import { LONGEST_CALL_ms } from '../kube/election.ts';
import type { Log } from '../log.ts';
import type { ControllerConfig } from '../store/controller-config.ts';
import { ClusterNodeNetworks } from '../store/kubernetes/cluster-node-networks.ts';
import type { ClusterNode } from '../store/kubernetes/core-objects.ts';
import { clashAmong, type ClusterSubnets, clusterSubnets, inOrderOfMaking, type SubnetsHeed } from '../store/kubernetes/cluster-subnets.ts';
import { instanceOf } from '../store/kubernetes/provider-id.ts';
import { type CloudInUse, cloudOf } from './cloud.ts';
import { type ServedServices, serveServices } from './services.ts';
import { type Permissions, sayPermissions } from './permissions.ts';
import { clusterLedger } from './cluster-ledger.ts';
import { type ClusterRanges, clusterRanges } from './cluster-ranges.ts';
import { orOver } from './terms.ts';

/** With what a term is led. */
export interface Leading {
  readonly api: KubeApi;
  readonly config: ControllerConfig['spec'];
  readonly candidate: string;
  readonly term: number;
  /** For how long from now nobody else can lead. */
  readonly holdsFor_ms: () => number;
  /** Ends this term for one after that. */
  readonly outrank: (term: number) => void;
  /** Aborted when the term is over. */
  readonly over: AbortSignal;
  /** All there is has been read; from now on the nodes are served. */
  readonly serves: () => void;
  readonly log: Log;
}

/** Serves the cluster until the term is over, and resolves when nothing of it runs any more. @throws Failure when it cannot begin. */
export async function lead(leading: Leading): Promise<void> {
  const { api, config, candidate, term, outrank, over, serves, log } = leading;
  await using running = new AsyncDisposableStack();
  const { cluster, cloud: where, tellScheduler } = config;
  log.info(`leads, term ${term}`, { term });
  const instanceFor = (node: ClusterNode): InstanceId | undefined => instanceIn(where.type, node);
  const networks = new ClusterNodeNetworks(api, term, log, instanceFor);
  running.defer(() => networks.stop());
  let heed: SubnetsHeed | undefined;
  const ranges = clusterRanges(() => subnets, networks, instanceFor);
  let affairs: Affairs | undefined;
  let wake: Controller['wake'] = () => undefined;
  const life = lifeIn(networks, (node) => wake(node));
  const claims = new ClusterClaims(api, life, log, { releases: where.releases });
  running.defer(() => claims.stop());
  const subnets = followSubnets(leading, ranges, () => heed);
  running.defer(() => subnets.stop());
  // Without an API server this may last for hours, and the Lease is another's by then.
  await orOver(Promise.all([networks.synced, subnets.synced, claims.synced]), over);
  if (over.aborted) return;
  const later = laterTerm(networks, leading);
  if (later !== undefined) return outrank(later);
  const ledger = await orOver(ledgerOf(leading, ranges, networks), over);
  if (ledger === undefined || over.aborted) return;
  const ranged = rangeCloud({ cluster, ledger, ...ranges });
  const cloud = running.use(fencedCloud(leading, ranged, subnets));
  const controller = await startController({
    cluster,
    networks,
    claims,
    cloud,
    nicsPerInstance: () => affairs?.nicsPerInstance(),
    isUnread: () => affairs?.isUnread() === true,
    nodeSettings: () => affairs?.nodeSettings(),
    releases: where.releases,
    ranges: ranged,
    log,
    ...subnetsFor(subnets, networks),
    heldChanged: (name) => affairs?.heldChanged(name),
    share: (node, subnet) => affairs?.share(node, subnet),
    observe: (situation, plan) => affairs?.observe(situation, plan),
  });
  running.defer(() => controller.stop());
  wake = (node) => controller.wake(node);
  const all = clusterAffairs({
    cluster,
    api,
    claims,
    instance: candidate,
    networks,
    subnets,
    controller,
    hostnic: config.hostnic?.namespace,
    cloud,
    group: cloud.securityGroup,
    clock: systemClock,
    tellScheduler,
    log,
  });
  running.defer(async () => void (await Promise.all([controller.stop(), all.stop()]))); // a pass would only meet a shut fence
  affairs = all;
  const permissions = sayPermissions({ cloud, subnets: () => subnets.list().map(({ subnet }) => subnet), clock: systemClock, log });
  running.defer(() => permissions.stop());
  heed = heedOf({ affairs: all, controller, permissions, services: running.use(serveServices(leading, cloud, subnets)) }, log);
  serves();
  await orOver(new Promise(() => undefined), over);
}

/** `heed`: who is told of changes, once the cluster is served. */
function followSubnets(
  { api, log }: Leading,
  ranges: ReturnType<typeof clusterRanges>,
  heed: () => SubnetsHeed | undefined,
): ClusterSubnets {
  return clusterSubnets(api, log, {
    changed(name) {
      ranges.changed();
      heed()?.changed(name);
    },
    blocksChanged: () => heed()?.blocksChanged(),
  });
}

interface Heeding {
  readonly affairs: Affairs;
  readonly controller: Controller;
  readonly permissions: Permissions;
  readonly services: ServedServices | undefined;
}

function heedOf({ affairs, controller, permissions, services }: Heeding, log: Log): SubnetsHeed {
  return {
    changed(name) {
      affairs.subnetChanged(name);
      permissions.subnetsChanged();
      tellNodes(controller, log);
    },
    blocksChanged: () => services?.blocksChanged(),
  };
}

/** Which PodSubnets a node may use, of which its agent is told, and which of them give nothing more since they clash with others. */
function subnetsFor(subnets: ClusterSubnets, networks: ClusterNodeNetworks): Pick<ControllerOptions, 'subnets' | 'clash' | 'tellSubnets'> {
  return {
    tellSubnets: true,
    subnets: (node) => subnets.forNode(networks.node(node) ?? { labels: {}, annotations: {} }),
    clash: (subnet) => clashAmong(subnet, subnets.list())?.text,
  };
}

/** Nodes learn of PodSubnets by their own objects. */
function tellNodes(controller: Controller, log: Log): void {
  const unsaid = (error: unknown): void => log.warn(`nodes were not told of new PodSubnets: ${sentence(asFailure(error))}`);
  void controller.subnetsChanged().catch(unsaid);
}

/** A term that this one has to come after, since objects were written in it; undefined: there is none. */
function laterTerm(networks: ClusterNodeNetworks, { term, log }: Leading): number | undefined {
  const latest = networks.latestTerm();
  if (latest === undefined || latest < term) return undefined;
  log.warn(
    `objects were written in term ${latest}, so this one has to be a later one: was the Lease deleted, or is there a second installation?`,
  );
  return latest;
}

/** The cloud, with ranges, as long as nobody else can lead. */
function fencedCloud({ config, holdsFor_ms, over }: Leading, ranges: Cloud, subnets: Pick<ClusterSubnets, 'list'>): CloudInUse {
  const left_ms = (): number => (over.aborted ? 0 : holdsFor_ms());
  const fence = (driver: Cloud): Cloud => fenced(driver, left_ms, LONGEST_CALL_ms);
  const fenceSteps = <T extends Stepwise>(part: T): T => fencedSteps(part, left_ms, LONGEST_CALL_ms);
  const all = () => inOrderOfMaking(subnets.list());
  return cloudOf(config.cloud, ranges, { deadline_ms: LONGEST_CALL_ms, subnets: all, fence, fenceSteps });
}

/** Without a cloud a Node is its own instance, whatever its providerID. */
function instanceIn(cloud: ControllerConfig['spec']['cloud']['type'], { name, providerId }: ClusterNode): InstanceId | undefined {
  return cloud === 'none' ? (name as InstanceId) : instanceOf(providerId);
}

/** The ledger of ranges, with all in it that nodes were told. */
async function ledgerOf({ api, config, log }: Leading, { ranges }: ClusterRanges, networks: ClusterNodeNetworks): Promise<Ledger> {
  const ledger = await clusterLedger(api, ranges().length > 0, log);
  if (config.cloud.changes) await adoptGranted(ledger, await networks.list(), log);
  return ledger;
}

/** What claims ask about nodes. */
function lifeIn(networks: ClusterNodeNetworks, wake: NodeLife['wake']): NodeLife {
  return {
    isAlive: (node) => networks.node(node)?.isReady === true,
    isGone: (node) => networks.node(node) === undefined,
    wake,
    networks: () => networks.list(),
  };
}
