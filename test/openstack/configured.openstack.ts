/** The cloud as a controller has it by its configuration, before a real Neutron: PodSubnets that share a Neutron subnet, and a quota that is nearly used up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CloudInUse, cloudOf } from '../../src/cli/cloud.ts';
import { startController } from '../../src/controller/controller.ts';
import { createLog } from '../../src/log.ts';
import { cloud as cloudConfig } from '../../src/store/clouds.ts';
import type { PodSubnet } from '../../src/store/pod-subnet.ts';
import { memoryCloud } from '../cloud/memory-cloud.ts';
import { virtualClock } from '../cloud/virtual-clock.ts';
import { memoryNetworks, subnet } from '../controller/harness.ts';
import { eventually } from '../life/lab.ts';
import { type Desk, desk } from './driver-desk.ts';

/** As `cloud` of a ControllerConfig has it, with the clouds.yaml of the bed. */
function configured({ ground: { bed } }: Desk, subnets: readonly PodSubnet[], cloud = 'demo'): CloudInUse {
  const where = cloudConfig.parse({ type: 'openstack', cloud, cloudsFile: bed.cloudsYaml });
  return cloudOf(where, memoryCloud(virtualClock()), {
    subnets: () => subnets,
    fence: (driver) => driver,
    fenceSteps: (part) => part,
    deadline_ms: 120_000,
  });
}

test('the addressing of a PodSubnet holds also where another one, whose Pods have interfaces of their own, names the subnet before it', async () => {
  await using it = await desk('configured');
  const cloudSubnet = it.ground.subnet;
  const branch = subnet('a-branch', { cloudSubnet, datapath: 'branch' });
  using cloud = configured(it, [branch, subnet('b-ports', { cloudSubnet, addressing: 'ports' })]);
  const { id } = await cloud.createNic(it.request({ want: { addresses4: 2 } }));
  const owners = (await it.ports()).filter((port) => port.id !== id).map(({ device_owner }) => device_owner);
  assert.deepEqual(owners, ['flatpod:pod', 'flatpod:pod']);
});

test('who has less than a tenth of the project’s ports left is told when the controller starts, with the numbers and how to get more; who has enough, or no quota, hears nothing', async () => {
  await using it = await desk('configured');
  const { admin, demo } = it.ground;
  const put = async (port: number): Promise<void> => {
    const answer = await admin.network('PUT', `/quotas/${demo.project}`, { quota: { port } });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
  };
  const { used } = (await admin.network('GET', `/quotas/${demo.project}/details`)).body.quota.port;
  const lines: string[] = [];
  using cloud = configured(it, []);
  try {
    await put(-1);
    assert.deepEqual(await cloud.shortages?.(), []);
    await put(used * 2);
    assert.deepEqual(await cloud.shortages?.(), []);
    await put(used);
    const [found, ...others] = (await cloud.shortages?.()) ?? [];
    assert.deepEqual(others, []);
    assert.equal(found?.what, 'ports');
    assert.match(
      found.text,
      new RegExp(`project ${demo.project} has 0 of its ${used} ports left.*openstack quota set --ports ${2 * used} `),
    );
    // An administrator's own project is another one.
    using other = configured(it, [], 'admin');
    assert.deepEqual(await other.shortages?.(), []);
    const controller = await startController({
      cluster: 'configured',
      networks: memoryNetworks(),
      subnets: () => [],
      cloud,
      log: createLog('test', 'warn', (line) => lines.push(line)),
      clock: virtualClock(),
    });
    try {
      await eventually('it is told', async () => lines.some((line) => line.includes('has 0 of its')), 60);
    } finally {
      await controller.stop();
    }
  } finally {
    await put(500);
  }
});
