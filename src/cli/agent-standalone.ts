/** A node that stands alone: the controller runs beside the agent, over the node's own database. */
import { systemClock } from '../cloud/clock.ts';
import type { InstanceId } from '../cloud/cloud.ts';
import { Ledger } from '../cloud/range/ledger.ts';
import { rangeCloud } from '../cloud/range/range-cloud.ts';
import { letPodsIn } from '../controller/cluster/let-pods-in.ts';
import { startController } from '../controller/controller.ts';
import { factsOf } from '../controller/facts.ts';
import type { NodeMode } from '../store/node-mode.ts';
import { podRangeOf } from '../store/pod-range.ts';
import { cloudOf } from './cloud.ts';
import { sayPermissions } from './permissions.ts';
import type { Around, Surroundings } from './surroundings.ts';

/** Starts the controller of this node alone. */
export async function standalone(
  { name, subnets, copy, ledger: store, log }: Around,
  { cloud: where, instance: id }: Extract<NodeMode, { kind: 'standalone' }>,
): Promise<Surroundings> {
  // Standalone nodes know nothing of each other: each is a cluster of its own, or one would sweep away another's NICs.
  const cluster = `standalone-${name}`;
  // In the order of the file: the first goes on when another one is in its way.
  const ranges = subnets.flatMap((subnet, i) => podRangeOf(subnet, String(i).padStart(6, '0')) ?? []);
  const instance = id as InstanceId; // the configuration is where the cloud's id enters; empty without a cloud
  const node = { instance, podSubnets: ranges.map(({ podSubnet }) => podSubnet) };
  const ledger = await Ledger.open(store);
  const ranged = rangeCloud({
    cluster,
    ledger,
    ranges: () => ranges,
    node: (asked) => (asked === name || asked === instance ? node : undefined),
  });
  const cloud = cloudOf(where, ranged, { subnets: () => subnets, fence: (driver) => driver, fenceSteps: (part) => part });
  const { releases } = where;
  const controller = await startController({ cluster, networks: copy, subnets: () => subnets, cloud, releases, ranges: ranged, log });
  const { securityGroup: group } = cloud;
  const letting = group && letPodsIn({ group, subnets: () => subnets, facts: factsOf(cloud, systemClock, 0), clock: systemClock, log });
  const permissions = sayPermissions({ cloud, subnets: () => subnets, clock: systemClock, log });
  return {
    store: copy,
    async stop() {
      permissions.stop();
      await Promise.all([letting?.stop(), controller.stop()]);
      cloud[Symbol.dispose]();
    },
  };
}
