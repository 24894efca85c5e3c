/** What nodes cost: writes to the API server, and calls of the cloud. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterBench, type ClusterBench } from './cluster-bench.ts';

/** Status writes and changing calls while that happens. */
async function costOf(one: ClusterBench, happens: () => void): Promise<{ writes: number; calls: string[] }> {
  one.kube.calls.length = one.cloud.calls.length = 0;
  happens();
  await one.pass(5000);
  return {
    writes: one.kube.calls.filter(
      ({ verb, resource, subresource }) => verb === 'patch' && resource === 'nodenetworks' && subresource === 'status',
    ).length,
    calls: one.cloud.calls.flatMap(({ changing, name }) => (changing ? name : [])),
  };
}

test('a new node costs two writes, what is to be made and what was made; one more Pod costs one, and the neighbours nothing', async () => {
  await using one = clusterBench();
  one.cloud.addSubnet('subnet-n', '10.20.1.0/24');
  for (let i = 0; i < 10; i++) one.addNode(`n${i}`, 'subnet-n');
  await one.lead();
  await one.pass(5000);
  const first = await costOf(one, () => void one.addNode('n10', 'subnet-n'));
  assert.deepEqual(first.calls, ['createNic', 'attachNic']);
  assert.equal(first.writes, 3, 'and before that, which PodSubnets there are');
  const more = await costOf(one, () => one.addPod('p0', 'n10'));
  assert.deepEqual(more, { writes: 1, calls: ['assign'] });
  assert.equal(one.status('n10').held, 2);
  assert.equal(one.agents.get('n10')?.attached.size, 1);
});
