/** A cluster that hostnic was set up in: an API server in memory, the controller's own parts, a virtual clock. */
import { setImmediate as turn } from 'node:timers/promises';
import type { Saying } from '../../src/controller/cluster/events.ts';
import { serveHostnic, type ServingHostnic } from '../../src/controller/hostnic/serve.ts';
import { isRecord } from '../../src/kube/answers.ts';
import { createLog } from '../../src/log.ts';
import { type Cidr, parseCidr } from '../../src/net/cidr.ts';
import type { NodeNetwork } from '../../src/store/node-network.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { virtualClock } from '../cloud/virtual-clock.ts';
import { memoryKube } from '../store/memory-kube.ts';

/** Where its ConfigMaps are. */
export const at = { ...resources.configMaps, namespace: 'kube-system' };
/** hostnic's name of a quarter of the vxnet, by its last octet. */
export const blockOf = (from: number): string => `4100-10-9-0-${from}-26`;

/** A vxnet in four blocks, of which the namespace shop has the first. */
export function hostnicCluster() {
  const [clock, kube] = [virtualClock(), memoryKube()];
  const said: Saying[] = [];
  const lines: string[] = [];
  let changes = 0;
  let nodes: NodeNetwork[] = [];
  const cloudBlocks = new Map<string, Cidr>();
  const events = { say: (one: Saying) => ({ isNews: said.push(one) > 0 }), stop: () => undefined };
  const log = createLog('test', 'debug', (line) => lines.push(line));
  const config = (name: string, data: Record<string, string>): void => kube.put(at, { metadata: { name }, data });
  const namespace = (name: string): void => kube.put(resources.namespaces, { metadata: { name, labels: {}, annotations: {} } });
  config('hostnic-ipam-config', { 'subnet-auto-assign': 'off', ipam: JSON.stringify({ Default: ['vxnet-1'], shop: [blockOf(0)] }) });
  config('hostnic-cfg-cm', {
    hostnic: JSON.stringify({ pool: { maxNic: 60, vxNets: ['vxnet-1'] } }),
    'hostnic-cni': JSON.stringify({ type: 'hostnic', serviceCIDR: '10.233.0.0/18', hairpin: true, natMark: '0x10000' }),
  });
  const cut = { name: 'vxnet-1', ippool: 'vxnet-1', subnets: [0, 64, 128, 192].map(blockOf) };
  kube.put(resources.vxNetPools, {
    metadata: { name: 'v-pool' },
    spec: { vxnets: [{ name: 'vxnet-1' }], blockSize: 26 },
    status: { ready: true, pools: [cut] },
  });
  kube.put(resources.ipPools, { metadata: { name: 'vxnet-1' }, spec: { type: 'local', cidr: '10.9.0.0/24' } });
  namespace('shop');
  /** Watches tell on later turns of the event loop, which no clock moves. */
  const pass = async (ms: number): Promise<void> => {
    for (let at_ms = 0; at_ms < ms; at_ms += 100) {
      await turn();
      await clock.advance(100);
    }
  };
  return {
    pass,
    clock,
    log,
    kube,
    said,
    lines,
    config,
    namespace,
    nodesAre: (now: NodeNetwork[]) => void (nodes = now),
    /** What the cloud says of a vxnet. */
    cloudBlock: (vxnet: string, block: string): void => void cloudBlocks.set(vxnet, parseCidr(block)),
    serve: (blocksOf: ServingHostnic['blocksOf'] = () => Promise.resolve(cloudBlocks)) =>
      serveHostnic({
        api: kube,
        namespace: 'kube-system',
        nodes: () => Promise.resolve(nodes),
        nodesChanged: () => void changes++,
        blocksOf,
        events,
        clock,
        log,
      }),
    /** How often all nodes were to be looked at again. */
    changes: () => changes,
    /** What became of it, in the words that matter here. */
    subnets: async (): Promise<Record<string, unknown>> => {
      const { items } = await kube.list(resources.podSubnets, (value) => value);
      return Object.fromEntries(
        items.map((one) => {
          const { metadata, spec } = one as { metadata: { name: string }; spec: Record<string, unknown> };
          const { namespaces, within, default: isDefault } = spec;
          return [metadata.name, [isDefault === true ? 'default' : namespaces, within]];
        }),
      );
    },
    ipam: (): unknown => {
      const map = kube.stored({ ...at, name: 'hostnic-ipam-config' });
      const data = isRecord(map) && isRecord(map['data']) ? map['data']['ipam'] : '';
      return typeof data === 'string' ? JSON.parse(data) : data;
    },
  };
}
