/** The API server does what it was asked for, and its answer is lost. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clusterBench } from './cluster-bench.ts';

for (const late of [false, true])
  test(`the answer to the write of a claim is lost${late ? ', and watches are late' : ''}: its Pod has one address, and what was assigned again is the pool’s`, async () => {
    await using b = clusterBench();
    b.addNode('n1');
    await b.lead();
    await b.pass(2000);
    let lost = 0;
    b.kube.fault = ({ resource, subresource }) => {
      if (resource !== 'ipclaims' || subresource !== 'status' || lost++ > 0) return 'none';
      b.kube.late = late;
      return 'loseAnswer';
    };
    b.addPod('db-0', 'n1', { 'flatpod.dev/ip': 'fixed' });
    await b.pass(30_000);
    b.kube.catchUp();
    await b.pass(30_000);
    assert.ok(lost > 0);
    const address = b.addressOf('db-0');
    assert.deepEqual(
      b.claim('db-0')?.status.addresses.map((held) => held.address),
      [address],
    );
    const claimed = b.status('n1').nics.flatMap((nic) => nic.claimed ?? []);
    assert.deepEqual(claimed, [`${address}/32`]);
    b.addPod('p-1', 'n1');
    await b.pass(3000);
    assert.ok(b.addressOf('p-1') !== undefined && b.addressOf('p-1') !== address);
  });
