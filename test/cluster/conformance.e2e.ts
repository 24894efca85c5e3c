/** Kubernetes' conformance tests of the network, all of them, on Flatpod. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runConformance } from './conformance.ts';
import { sharedCluster } from './shared.ts';

/** As many as v1.36.3 has. */
const TESTS = 47;

test(`the ${TESTS} conformance tests of [sig-network] pass`, async () => {
  const cluster = await sharedCluster();
  for (const node of cluster.nodes) await node.untilReady(cluster.admin);
  const focus = String.raw`\[sig-network\].*\[Conformance\]`;
  const { passed, failed, output } = await runConformance(cluster, { focus, limit_s: 600 });
  assert.deepEqual(failed, []);
  assert.equal(passed.length, TESTS, output);
});
