/** What policies forbid a user is named before it is needed, of Nova too: asked of a server that has an interface of ours. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openStackCloud } from '../../src/cloud/openstack/openstack.ts';
import { eventually } from '../life/lab.ts';
import { reader } from './accounts.ts';
import { desk } from './driver-desk.ts';

test('that a reader may not attach is named once there is an interface on a server to ask about, and of asking nothing is left on the server', async () => {
  await using it = await desk('permissions');
  const { bed, admin, demo, subnet, instance } = it.ground;
  const cloud = it.open();
  const { id } = await cloud.createNic(it.request());
  await cloud.attachNic(id, instance, 1);
  const actions = async (): Promise<object[]> =>
    (await demo.compute('GET', `/servers/${instance}/os-instance-actions`)).body.instanceActions;
  const before = await actions();
  assert.deepEqual(await cloud.missingPermissions([subnet]), []);
  {
    await using looking = await reader(bed, admin);
    using reading = openStackCloud({ credentials: { variables: looking.variables }, deadline_ms: 120_000 });
    const named = (await reading.missingPermissions([subnet])).map((text) => /may not (\S+?),? /.exec(text)?.[1]);
    assert.ok(named.includes('os_compute_api:os-attach-interfaces:create'), named.join());
    assert.ok(named.includes('create_port') && !named.includes('os_compute_api:servers:show'), named.join());
  }
  assert.deepEqual(await cloud.missingPermissions([subnet]), []);
  assert.deepEqual(await actions(), before);
  await cloud.detachNic(id);
  await eventually('it is detached', async () => (await cloud.nics({ ids: [id] }))[0]?.attachment === undefined, 60);
});
