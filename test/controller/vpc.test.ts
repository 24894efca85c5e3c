/** The controller over the driver and the emulated VPC's API, in real time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstanceId } from '../../src/cloud/cloud.ts';
import { vpcCloud } from '../../src/cloud/vpc/vpc.ts';
import { startController } from '../../src/controller/controller.ts';
import { createLog } from '../../src/log.ts';
import { testVpc } from '../vpc/support.ts';
import { agent, memoryNetworks, subnet } from './harness.ts';

const quick = { fullRead_ms: 2000, settle_ms: 500, confirm_ms: 200, nicAge_ms: 300, stuck_ms: 1000 };

async function eventually(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let look = 0; look < 1000; look++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not within 20 seconds: ${what}`);
}

async function ground() {
  const stack = new AsyncDisposableStack();
  const vpc = stack.use(await testVpc());
  const cloud = stack.use(vpcCloud({ endpoint: vpc.url, deadline_ms: 20_000 }));
  const made = await vpc.call('POST', '/v1/subnets', { name: 'a', zone: 'z1', cidr4: '10.20.0.0/24', cidr6: '2001:db8:20::/64' });
  const launched = await vpc.call('POST', '/v1/instances', { name: 'n1', type: 'v1.medium', subnet: made.body.id });
  // An id of the VPC's own making.
  const instance = String(launched.body.id) as InstanceId;
  const config = subnet('pods', { cloudSubnet: made.body.id, default: true, families: [4, 6], warm: { spare: 2 } });
  const networks = memoryNetworks();
  const lines: string[] = [];
  const log = createLog('test', 'info', (line) => lines.push(line));
  const controller = await startController({ cluster: 'test', networks, subnets: () => [config], cloud, log, timings: quick });
  stack.defer(() => controller.stop());
  const node = await agent(networks, instance, config);
  stack.defer(() => node.stop());
  const nics = async (): Promise<{ blocks: string[] }[]> => (await vpc.call('GET', '/v1/nics')).body.items;
  return { vpc, node, nics, lines, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

test('Pods come and go over the emulated VPC, and at the end only the first NIC is left', async () => {
  await using one = await ground();
  await one.node.want(14);
  await eventually('all Pods have addresses', () => one.node.leases.length === 14);
  assert.equal((await one.nics()).length, 2);
  for (const { addresses } of one.node.leases) assert.equal(addresses.length, 2);
  await one.node.want(0);
  await eventually('one NIC is left', async () => (await one.nics()).length === 1);
});

test('the same with a third of all changing calls lost, half done or refused', async () => {
  await using one = await ground();
  const faults = [
    ['CreateNic', { kind: 'loseAnswer' }],
    ['AttachNic', { kind: 'loseAnswer' }],
    ['AssignAddresses', { kind: 'partial' }],
    ['UnassignAddresses', { kind: 'loseRequest' }],
    ['DetachNic', { kind: 'error' }],
    ['DeleteNic', { kind: 'loseAnswer' }],
    ['*', { kind: 'delay', ms: 30 }],
  ];
  for (const [call, effect] of faults) {
    const made = await one.vpc.call('POST', '/v1/faults', { call, effect, rate: 0.33, count: 3, seed: 7 });
    assert.equal(made.status, 201, JSON.stringify(made.body));
  }
  await one.node.want(14);
  await eventually('all Pods have addresses', () => one.node.leases.length === 14);
  await one.node.want(0);
  await eventually('one NIC is left', async () => (await one.nics()).length === 1).catch((error: unknown) => {
    throw new Error(one.lines.slice(-20).join(''), { cause: error });
  });
});
