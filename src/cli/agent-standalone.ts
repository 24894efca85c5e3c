/** A node that stands alone: the controller runs beside the agent, over the node's own database. */
import type { InstanceId } from '../cloud/cloud.ts';
import { Ledger } from '../cloud/range/ledger.ts';
import { rangeCloud } from '../cloud/range/range-cloud.ts';
import { startController } from '../controller/controller.ts';
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
  const cloud = cloudOf(where, ranged, { subnets: () => subnets, fence: (driver) => driver });
  const { releases } = where;
  const controller = await startController({ cluster, networks: copy, subnets: () => subnets, cloud, releases, ranges: ranged, log });
  sayPermissions(
    cloud,
    subnets.map((subnet) => ({ subnet })),
    log,
  );
  return {
    store: copy,
    async stop() {
      await controller.stop();
      cloud[Symbol.dispose]();
    },
  };
}
