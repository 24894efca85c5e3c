/** A node of the test cluster as the AWS plugin leaves it: addresses on its first interface, the kernel's state, and a plugin that makes Pods in its place (former-cni.ts). */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { machineOf } from '../../src/cli/demo/lab.ts';
import type { CloudNic } from './checker-views.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterNode } from './node.ts';
import { untilLoaded } from './other-plugins.ts';
import { nodeLines } from '../takeover/aws-kernel.ts';

const VPC = '10.20.0.0/16';
const LIST = '/etc/cni/net.d/10-aws.conflist';

/** The plugin at work there. */
export interface FormerPlugin {
  readonly addresses: readonly string[];
  /** What the node's first interface has in the cloud now. */
  assigned(): Promise<readonly string[]>;
  /** Takes its configuration away, as people are told to; containerd goes by the next one when this returns. */
  leave(): Promise<void>;
}

/** Sets it up with so many addresses; containerd makes Pods by it when this returns. */
export async function formerPlugin(cluster: Cluster, node: ClusterNode, count: number): Promise<FormerPlugin> {
  const { id } = machineOf(cluster.vpc.lab, node.name);
  const first = async (): Promise<CloudNic> => {
    const { items } = await cluster.vpc.api.call<{ items: readonly CloudNic[] }>('GET', '/v1/nics');
    const found = items.find(({ attachment }) => attachment?.instance === id && attachment.deviceIndex === 0);
    assert.ok(found !== undefined);
    return found;
  };
  const assigned = async (): Promise<readonly string[]> => (await first()).blocks.map((block) => block.replace(/\/32$/, ''));
  await cluster.vpc.api.call('POST', `/v1/nics/${(await first()).id}/assign`, { want: { addresses4: count } });
  const addresses = await assigned();
  await node.output('sh', '-ec', nodeLines(VPC, node.address));
  const program = [process.execPath, join(import.meta.dirname, 'former-cni.ts')];
  writeFileSync(node.path('/opt/cni/bin/aws-cni'), `#!/bin/sh\nexec ${program.join(' ')}\n`, { mode: 0o755 });
  const list = { cniVersion: '0.4.0', name: 'aws-cni', plugins: [{ type: 'aws-cni', addresses }] };
  writeFileSync(node.path(LIST), JSON.stringify(list));
  await untilLoaded(node, 'aws-cni');
  return {
    addresses,
    assigned,
    async leave() {
      rmSync(node.path(LIST));
      await untilLoaded(node, 'flatpod');
    },
  };
}
