/** Nodes in this process on one Ethernet without a cloud: each with its own database, pools and kernel, and addresses of a range that others may have too. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Locks } from '../../src/agent/locks.ts';
import type { CloudPart, NodeAgent } from '../../src/agent/node-agent.ts';
import { Pools } from '../../src/agent/pools.ts';
import type { AddRequest } from '../../src/cni/request.ts';
import type { NicId } from '../../src/cloud/cloud.ts';
import { readAttachedInterface } from '../../src/datapath/stored.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { createLog } from '../../src/log.ts';
import { cidrFamily, parseCidr } from '../../src/net/cidr.ts';
import { parseMac } from '../../src/net/mac.ts';
import { openAttachments } from '../../src/store/attachments.ts';
import type { GrantedNic, NodeNetworkStatus } from '../../src/store/node-network.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import { openDatabase } from '../../src/store/sqlite.ts';
import { config, good, subnet } from '../errors/support.ts';
import { type TestNetns, testNetns } from '../kernel/namespace.ts';

/** A node whose PodSubnet `a` is a range on its eth0. */
export interface RangeNode extends NodeAgent, Disposable {
  readonly cloud: CloudPart;
  readonly pools: Pools;
  /** The lines of the log, as JSON. */
  readonly lines: readonly string[];
  /** A Pod's namespace, gone with the node, and the request to attach it. */
  pod(variables?: Record<string, string>): { readonly ns: TestNetns; readonly request: AddRequest };
}

export interface RangeNodeOptions {
  /** Blocks the node holds. */
  readonly blocks: readonly string[];
  readonly spec?: Partial<PodSubnet['spec']>;
  readonly config?: Partial<CloudPart['config']>;
}

/** A node in that namespace, with macvlan Pods unless the spec says otherwise. */
export function rangeNode(host: TestNetns, { blocks, spec = {}, config: more = {} }: RangeNodeOptions): RangeNode {
  using open = new DisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'fpt-range-'));
  open.defer(() => rmSync(dir, { recursive: true, force: true }));
  const database = openDatabase(dir);
  open.defer(() => database.close());
  const kernel = open.use(openKernel([], host.netns));
  const lines: string[] = [];
  const cidrs = blocks.map(parseCidr);
  const families = ([4, 6] as const).filter((family) => cidrs.some((cidr) => cidrFamily(cidr) === family));
  const a = subnet('a');
  const own: PodSubnet = { ...a, spec: { ...a.spec, datapath: 'macvlan', families: [...families], ...spec } };
  const nic: GrantedNic = {
    id: 'range-1' as NicId, // made up, as for any range
    mac: parseMac('02:00:00:00:00:01'),
    subnet: 'a',
    deviceIndex: 0,
    parent: 'eth0',
    mtu: 1500,
    cidr4: parseCidr('10.9.0.0/24'),
    cidr6: parseCidr('fd00:9::/64'),
    blocks: cidrs,
    reclaiming: [],
    multiMac: true,
  };
  const granted: NodeNetworkStatus = {
    vpcCidrs: [],
    nics: [nic],
    growth: [{ subnet: 'a', stoppedBy: 'subnet', text: 'the range is small' }],
  };
  const pools = new Pools([own], { demandChanged: () => undefined });
  open.defer(() => pools.stop());
  pools.grant(granted, new Set([nic.id]));
  const pods = open.use(new DisposableStack());
  let made = 0;
  const node: Omit<RangeNode, typeof Symbol.dispose> = {
    kernel,
    database,
    attachments: openAttachments(database, readAttachedInterface),
    interrupted: new Set(),
    locks: new Locks(),
    log: createLog('test', 'debug', (line) => lines.push(line)),
    pools,
    lines,
    cloud: {
      name: 'node',
      hasKind: () => true,
      config: { ...config.config.spec, addressWait_s: 0, ...more },
      pools,
      grants: {
        subnets: [own],
        nics: [{ nic, link: 'eth0' }],
        status: granted,
        plan: [],
        viaNode: [],
        demandChanged: () => undefined,
        draining: undefined,
        drain: () => undefined,
        leave: () => [],
        stop: () => undefined,
      },
    },
    pod(variables = {}) {
      const ns = pods.use(testNetns('pod'));
      const request = good('add', {}, { CNI_CONTAINERID: `c${++made}`, CNI_NETNS: ns.path, ...variables });
      return { ns, request };
    },
  };
  const all = open.move();
  return { ...node, [Symbol.dispose]: () => all.dispose() };
}
