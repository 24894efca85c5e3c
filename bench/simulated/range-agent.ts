/** An agent's share in leasing addresses of ranges: its real pools and its real way to the API server, without a kernel and without Pods. */
import type { InstanceId } from '../../src/cloud/cloud.ts';
import { Pools } from '../../src/agent/pools.ts';
import type { Taken } from '../../src/ipam/pool.ts';
import type { KubeApi } from '../../src/kube/api.ts';
import type { Log } from '../../src/log.ts';
import { mirroredNodeNetwork } from '../../src/store/kubernetes/mirrored-node-network.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import { memoryNetworks } from '../../test/controller/harness.ts';

/** As the agent gathers what changes (src/agent/grants.ts). */
const GATHER_ms = 250;
const GATHER_URGENT_ms = 5;
const PATIENCE_ms = 60_000;

/** One of them. */
export interface RangeAgent {
  /** One address, for one Pod. @throws Failure when there is none within a minute */
  lease(subnet: PodSubnet): Promise<Taken>;
  release(subnet: PodSubnet, taken: Taken): void;
  /** Free addresses that it holds. */
  free(subnet: PodSubnet): number;
  stop(): void;
}

/** `subnets`: what its Pods may use. */
export function rangeAgent(api: KubeApi, node: string, subnets: readonly PodSubnet[], log: Log): RangeAgent {
  const copy = memoryNetworks();
  const mirror = mirroredNodeNetwork(api, copy, node, log);
  let timer: NodeJS.Timeout | undefined;
  let due_ms = Number.POSITIVE_INFINITY;
  let last: Promise<void> = Promise.resolve();
  const pools = new Pools(subnets, { demandChanged: (urgent) => changed(urgent) });
  function changed(urgent: boolean): void {
    const wait = urgent ? GATHER_URGENT_ms : GATHER_ms;
    if (performance.now() + wait >= due_ms) return;
    clearTimeout(timer);
    due_ms = performance.now() + wait;
    timer = setTimeout(() => {
      due_ms = Number.POSITIVE_INFINITY;
      last = last.then(write).catch((error: unknown) => {
        log.warn(`${node}: ${String(error)}`);
        changed(false);
      });
    }, wait);
  }
  async function write(): Promise<void> {
    const spec = { instance: '' as InstanceId, demand: pools.demand(), returned: pools.giveBack() };
    const before = (await copy.get(node))?.spec;
    if (JSON.stringify(before) !== JSON.stringify(spec)) await mirror.writeSpec(node, spec);
  }
  const unwatch = copy.watch(({ status }) => {
    pools.grant(status, new Set(status.nics.map(({ id }) => id)));
    changed(false);
  });
  changed(true);
  return {
    lease: (subnet) => pools.lease(subnet, { pod: `${node}/pod`, requested: [] }, PATIENCE_ms),
    release: (subnet, { addresses }) => pools.release(subnet.metadata.name, addresses, 0),
    free: ({ metadata }) => pools.pool(metadata.name)?.counts(0).free ?? 0,
    stop() {
      clearTimeout(timer);
      unwatch();
      mirror.stop();
      pools.stop();
    },
  };
}
