/** A node that stands alone: the controller runs beside the agent, over the node's own database. */
import { vpcCloud } from '../cloud/vpc/vpc.ts';
import { startController } from '../controller/controller.ts';
import type { NodeMode } from '../store/node-mode.ts';
import { asIsAllowed } from './cloud.ts';
import type { Around, Surroundings } from './surroundings.ts';

/** Starts the controller of this node alone. */
export async function standalone(
  { name, subnets, copy, log }: Around,
  { cloud: where }: Extract<NodeMode, { kind: 'standalone' }>,
): Promise<Surroundings> {
  const driver = vpcCloud({ endpoint: where.endpoint });
  const cloud = asIsAllowed(driver, where);
  // Standalone nodes know nothing of each other: each is a cluster of its own, or one would sweep away another's NICs.
  const controller = await startController({ cluster: `standalone-${name}`, networks: copy, subnets: () => subnets, cloud, log });
  return {
    store: copy,
    async stop() {
      await controller.stop();
      driver[Symbol.dispose]();
    },
  };
}
