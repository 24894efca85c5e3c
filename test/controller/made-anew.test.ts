/** NodeNetworks that somebody deleted, and that are made anew: the nodes have what they had. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { failure } from '../../src/errors/failure.ts';
import { resources } from '../../src/store/kubernetes/resources.ts';
import { clusterBench } from './cluster-bench.ts';

test('objects made anew while the cloud does not answer take nothing from their nodes, whoever leads, and nothing becomes somebody else’s', async () => {
  await using b = clusterBench();
  b.addNode('n1');
  await b.lead();
  const pods = ['p-1', 'p-2', 'p-3'];
  for (const pod of pods) b.addPod(pod, 'n1');
  await b.pass(20_000);
  const before = b.status('n1').nics.flatMap(({ blocks }) => blocks);
  b.cloud.fault = ({ name }) => failure('cloudUnavailable', { cloud: 'memory', call: name, endpoint: 'memory', text: 'away' });
  b.kube.remove({ ...resources.nodeNetworks, name: 'n1' });
  await b.lead();
  await b.pass(20_000);
  b.addPod('p-4', 'n1');
  await b.pass(1000);
  assert.ok(
    before.some((block) => block === `${b.addressOf('p-4') ?? ''}/32`),
    'the agent goes on with what it has',
  );
  b.cloud.fault = () => 'none';
  await b.pass(60_000);
  const after = b.status('n1').nics.flatMap(({ blocks }) => blocks);
  assert.deepEqual(
    before.filter((block) => !after.includes(block)),
    [],
  );
});
