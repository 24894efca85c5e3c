/** The controller in real time before the emulated VPC's EC2 front, with a wire between them, for one node of an honest agent. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AwsCloud, AwsOptions } from '../../src/cloud/aws/aws.ts';
import type { CloudNic, InstanceId } from '../../src/cloud/cloud.ts';
import { startController } from '../../src/controller/controller.ts';
import { createLog } from '../../src/log.ts';
import type { NodeNetworkStatus } from '../../src/store/node-network.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import type { VpcOptions } from '../../src/vpc/start.ts';
import { type Agent, agent, memoryNetworks, type MemoryNetworks } from '../controller/harness.ts';
import { type AwsBed, awsBed } from './ground.ts';
import { type Wire, wire } from './wire.ts';

const quick = { fullRead_ms: 1000, settle_ms: 300, confirm_ms: 100, nicAge_ms: 200, stuck_ms: 1000, sweep_ms: 300, sweepAge_ms: 500 };

export interface Site extends AsyncDisposable {
  readonly bed: AwsBed;
  readonly between: Wire;
  readonly networks: MemoryNetworks;
  readonly lines: string[];
  /** A controller for these PodSubnets, until the site is gone. */
  controller(subnets: readonly PodSubnet[]): Promise<void>;
  /** The node, with an agent for that PodSubnet. */
  node(instance: InstanceId, config: PodSubnet, name?: string): Promise<Agent>;
  status(name?: string): Promise<NodeNetworkStatus>;
  /** A driver that nothing disturbs. */
  readonly truth: AwsCloud;
  /** What EC2 has that is ours. */
  ours(): Promise<CloudNic[]>;
}

/** Without packets unless asked for. */
export async function site(options: Partial<AwsOptions> = {}, vpcOptions: Partial<VpcOptions> = {}): Promise<Site> {
  await using open = new AsyncDisposableStack();
  const bed = open.use(await awsBed(options, {}, vpcOptions));
  const between = open.use(await wire(bed.url));
  const networks = memoryNetworks();
  const lines: string[] = [];
  const log = createLog('test', 'info', (line) => lines.push(line));
  const cloud = bed.driver({ endpoint: between.url, deadline_ms: 20_000 });
  const truth = bed.driver();
  const running = open.move();
  return {
    bed,
    between,
    networks,
    lines,
    truth,
    async controller(subnets) {
      const one = await startController({ cluster: 'test', networks, subnets: () => subnets, cloud, log, timings: quick });
      running.defer(() => one.stop());
    },
    async node(instance, config, name = 'n1') {
      const one = await agent(networks, instance, config, name);
      running.defer(() => one.stop());
      return one;
    },
    async status(name = 'n1') {
      const found = await networks.get(name);
      assert.ok(found !== undefined);
      return found.status;
    },
    ours: () => truth.nics({ tags: { 'flatpod.dev/cluster': 'test' } }),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** Waits until it holds, half a minute at most. */
export async function until(what: string, holds: () => Promise<boolean> | boolean, lines: readonly string[] = []): Promise<void> {
  for (let look = 0; look < 1500; look++) {
    if (await holds()) return;
    await sleep(20);
  }
  throw new Error(`not within half a minute: ${what}\n${lines.slice(-20).join('\n')}`);
}
