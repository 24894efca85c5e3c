/** What the controller that leads does for the cluster as a whole, beside serving its nodes. */
import type { Clock } from '../../cloud/clock.ts';
import type { Cloud } from '../../cloud/cloud.ts';
import type { SecurityGroup } from '../../cloud/security-group.ts';
import type { KubeApi } from '../../kube/api.ts';
import type { Log } from '../../log.ts';
import type { ClusterNodeNetworks } from '../../store/kubernetes/cluster-node-networks.ts';
import type { ClusterNode } from '../../store/kubernetes/core-objects.ts';
import type { ClusterSubnets } from '../../store/kubernetes/cluster-subnets.ts';
import type { Controller } from '../controller.ts';
import { serveHostnic } from '../hostnic/serve.ts';
import { vxnetBlocks } from '../hostnic/vxnet-blocks.ts';
import { factsOf } from '../facts.ts';
import { namespaceSubnets } from './namespace-subnets.ts';
import { capacity } from './capacity.ts';
import type { Claims } from '../claims/claims.ts';
import { departed } from './departed.ts';
import { openEvents } from './events.ts';
import { letPodsIn } from './let-pods-in.ts';
import { subnetStatuses } from './subnet-status.ts';
import { troubles } from './troubles.ts';
import type { World } from '../world.ts';

/** What it works with. */
export interface Surroundings {
  readonly cluster: string;
  readonly api: KubeApi;
  readonly claims: Claims;
  /** Name of this replica, for events. */
  readonly instance: string;
  readonly networks: ClusterNodeNetworks;
  readonly subnets: ClusterSubnets;
  readonly controller: Pick<Controller, 'holdings' | 'forget' | 'wake'>;
  /** Whether the scheduler is told how many addresses nodes have. */
  readonly tellScheduler: boolean;
  /** Where hostnic's ConfigMaps are that are to be served as they are; undefined: none is. */
  readonly hostnic: string | undefined;
  readonly cloud: Cloud;
  /** Which is to let Pods in; undefined: none is. */
  readonly group: SecurityGroup | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** It at work. */
export interface Affairs {
  /** The spec of that PodSubnet is another now. */
  subnetChanged(name: string): void;
  /** Another number of its addresses is held. */
  heldChanged(name: string): void;
  /** See World. */
  readonly share: World['share'];
  readonly observe: World['observe'];
  /** Interfaces that an instance may have by hostnic's settings; undefined: these set no limit, or were not read yet. */
  nicsPerInstance(): number | undefined;
  /** See World. */
  isUnread(): boolean;
  /** See World. */
  readonly nodeSettings: World['nodeSettings'];
  stop(): Promise<void>;
}

/** How old the cloud's word about its subnets may be in a status. */
const FACTS_AGE_ms = 4000;
/** The same of vxnets that no PodSubnet names: hostnic's settings are looked at every few seconds, and may name one that is not there. */
const BLOCKS_AGE_ms = 30_000;
/** Everything is looked at again after that. */
const ALL_EVERY_ms = 60_000;

/** Starts all of it. */
export function clusterAffairs(around: Surroundings): Affairs {
  const { api, networks, subnets, controller, cloud, clock, log } = around;
  const events = openEvents(api, around.instance, clock, log);
  const assigning = namespaceSubnets({ api, subnets, nodes: () => networks.list(), events, clock, log });
  const facts = factsOf(cloud, clock, FACTS_AGE_ms);
  const statuses = subnetStatuses({
    subnets,
    facts,
    nodes: () => networks.nodes(),
    held: (subnet) => controller.holdings.total(subnet),
    wrote: () => assigning.subnetsChanged(),
    clock,
    log,
  });
  const nodes = (): ClusterNode[] => networks.nodes();
  const wake = (node: string): void => controller.wake(node);
  const nodesChanged = (): void => nodes().forEach(({ name }) => wake(name));
  const hostnic = around.hostnic === undefined ? undefined : servedHostnic(around, around.hostnic, { nodesChanged, events });
  const telling = around.tellScheduler ? capacity({ api, subnets, facts: factsOf(cloud, clock, 0), nodes, wake, clock, log }) : undefined;
  const trouble = troubles({
    api,
    events,
    node: (name) => networks.node(name),
    namespace: (name) => assigning.namespace(name),
    clock,
    log,
  });
  const { cluster, claims, group } = around;
  const all = () => subnets.list().map(({ subnet }) => subnet);
  const letting = group === undefined ? undefined : letPodsIn({ group, subnets: all, facts, clock, log });
  const gone = departed({ cluster, networks, cloud, claims, forget: (node) => controller.forget(node), clock, log });
  let cancel = (): void => undefined;
  const lookAtAll = (): void => {
    for (const { subnet } of subnets.list()) statuses.ask(subnet.metadata.name);
    cancel = clock.after(ALL_EVERY_ms, lookAtAll);
  };
  lookAtAll();
  return {
    subnetChanged(name) {
      statuses.ask(name);
      // Their blocks may overlap its own, or no longer.
      for (const { subnet } of subnets.list()) if (subnet.spec.within !== undefined) statuses.ask(subnet.metadata.name);
      assigning.subnetsChanged();
      letting?.subnetsChanged();
    },
    heldChanged: (name) => statuses.ask(name),
    share: (node, subnet) => telling?.share(node, subnet),
    observe(situation, plan) {
      telling?.observe(situation, plan);
      trouble.observe(situation, plan);
    },
    nicsPerInstance: () => hostnic?.nicsPerInstance(),
    isUnread: () => hostnic?.isUnread() === true,
    nodeSettings: () => (hostnic === undefined ? {} : hostnic.nodeSettings()),
    async stop() {
      cancel();
      events.stop();
      await Promise.all([
        letting?.stop(),
        assigning.stop(),
        statuses.stop(),
        telling?.stop(),
        trouble.stop(),
        gone.stop(),
        hostnic?.stop(),
      ]);
    },
  };
}

/** hostnic's settings in that namespace. */
function servedHostnic(
  { api, networks, subnets, cloud, clock, log }: Surroundings,
  namespace: string,
  of: Pick<Parameters<typeof serveHostnic>[0], 'nodesChanged' | 'events'>,
): ReturnType<typeof serveHostnic> {
  const told = (vxnet: string) => subnets.list().find(({ subnet: { spec } }) => spec.cloudSubnet === vxnet)?.status.cidrs[0];
  const blocksOf = vxnetBlocks({ told, facts: factsOf(cloud, clock, BLOCKS_AGE_ms), log });
  return serveHostnic({ api, namespace, nodes: () => networks.list(), blocksOf, clock, log, ...of });
}
