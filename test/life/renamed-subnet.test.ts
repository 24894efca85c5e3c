/** A PodSubnet that is renamed, or taken out of the configuration, while Pods use it: they keep their network, and all of it goes back after them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually, testLab } from './lab.ts';

test('a PodSubnet that was renamed gives everything back once its Pods are gone, and the node drains', async () => {
  const plan = { subnets: { a: { cidr4: '10.20.0.0/24' } }, machines: { n1: { subnet: 'a' }, vm: { subnet: 'a' } } };
  await using lab = await testLab({ plan, agents: { n1: { subnet: 'a', node: 'cooldown_s: 1', pods: 'warm: {spare: 1}' } } });
  const node = lab.node(0);
  const pod = node.container();
  const [address = ''] = await node.add(pod);
  const yaml = readFileSync(join(node.dir, 'node.yaml'), 'utf8').replace('metadata: {name: pods}', 'metadata: {name: renamed}');
  await node.stop();
  await node.start({}, yaml);
  const vm = lab.lab.machines.get('vm');
  assert.ok(vm);
  assert.equal(await lab.seenFrom(pod.netns, vm.addresses[0] ?? '', vm.netns), address, 'the Pod keeps its network');
  const other = node.container();
  assert.notEqual((await node.add(other))[0], address);
  assert.equal((await node.call('DEL', pod)).status, 0);
  await eventually('the first NIC serves the new name', async () => (await node.report()).nics[0]?.subnet === 'renamed', 30);
  assert.equal((await node.call('DEL', other)).status, 0);
  assert.deepEqual(await node.ask('drain'), { drained: true });
});
