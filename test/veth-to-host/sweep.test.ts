/** Helpers of Pods that went without a DEL, what is chosen for new ones, and one that could not be written down. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { add } from '../../src/agent/veth-to-host/add.ts';
import { chainedLinksOf } from '../../src/agent/veth-to-host/chain-node.ts';
import { del, remove } from '../../src/agent/veth-to-host/del.ts';
import { sweepChained } from '../../src/agent/veth-to-host/sweep.ts';
import { chainedPlan } from '../../src/datapath/veth-to-host.ts';
import { failure, isFailure } from '../../src/errors/failure.ts';
import { sayDifference } from '../../src/kernel/compare.ts';
import { deleteNetns } from '../../src/kernel/netns.ts';
import { addRequest, openBench } from './in-process.ts';

test('a helper whose namespace is gone is taken away after a grace time, in which it must have been gone all along', async () => {
  using bench = openBench();
  const { node, host } = bench;
  const [gone, alive] = [bench.pod(11), bench.pod(12)];
  await add(node, addRequest(gone, 11));
  await add(node, addRequest(alive, 12));
  deleteNetns(gone.name);
  const missing = new Map<string, number>();
  const names = (): string[] =>
    chainedLinksOf(node)
      .list()
      .map(({ container }) => container);
  for (const now of [0, 500, 999]) {
    await sweepChained(node, missing, { now, grace_ms: 1000 });
    assert.equal(names().length, 2, `at ${now}`);
  }
  await sweepChained(node, missing, { now: 1000, grace_ms: 1000 });
  assert.deepEqual(names(), [alive.name]);
  assert.equal(host.exec('ip rule').match(/lookup 256/g), null);
  assert.equal(host.exec('ip rule').match(/lookup 257/g)?.length, 2);
});

test('no two Pods share a routing table, none is taken that somebody else’s rule leads to, and when all are taken that is said', async () => {
  using bench = openBench();
  const { node, host } = bench;
  host.exec('ip rule add from 192.0.2.1 lookup 301');
  for (const [last, table] of [
    [11, 300],
    [12, 302],
    [13, 303],
  ] as const) {
    await add(node, addRequest(bench.pod(last), last, { routeTableStart: 300 }));
    assert.match(host.exec(`ip route show table ${table}`), new RegExp(`^default via 10\\.60\\.0\\.${last} `));
  }
  const [first, second] = [bench.pod(14), bench.pod(15)];
  await add(node, addRequest(first, 14, { routeTableStart: 0xffff_ffff }));
  await assert.rejects(
    add(node, addRequest(second, 15, { routeTableStart: 0xffff_ffff })),
    failure('tablesTaken', { container: second.name, first: 0xffff_ffff, last: 0xffff_ffff }),
  );
  assert.equal(chainedLinksOf(node).of(second.name, 'eth0').length, 0);
});

test('a Pod may have several helpers, each whole; how many, is said', async () => {
  using bench = openBench();
  const { node } = bench;
  const pod = bench.pod(11);
  await add(node, addRequest(pod, 11));
  await assert.rejects(add(node, addRequest(pod, 11)), (error) => isFailure(error, 'helperExists'));
  for (let n = 1; n < 7; n++) await add(node, addRequest(pod, 11, { containerInterface: `veth${n}` }));
  const links = chainedLinksOf(node).of(pod.name, 'eth0');
  assert.deepEqual(
    links.map(({ name, interface: { table, rank } }) => [name, table, rank]),
    Array.from({ length: 7 }, (_, n) => [`veth${n}`, 256 + n, n]),
  );
  for (const link of links) assert.deepEqual(node.kernel.compare(chainedPlan(link.interface)).map(sayDifference), [], link.name);
  await assert.rejects(add(node, addRequest(pod, 11, { containerInterface: 'veth7' })), (error) => isFailure(error, 'helpersTooMany'));
  await remove(node, { container: pod.name, ifname: 'eth0', name: 'veth3' });
  await add(node, addRequest(pod, 11, { containerInterface: 'veth8' }));
  for (const link of chainedLinksOf(node).list()) assert.deepEqual(node.kernel.compare(chainedPlan(link.interface)), [], link.name);
});

test('a release that was kept on disk takes what was there then, and not what came after it', async () => {
  using bench = openBench();
  const { node } = bench;
  const pod = bench.pod(11);
  const before_ms = Date.now() - 1;
  await add(node, addRequest(pod, 11));
  await del(node, { container: pod.name, ifname: 'eth0', before_ms });
  assert.equal(chainedLinksOf(node).list().length, 1);
  await del(node, { container: pod.name, ifname: 'eth0', before_ms: Date.now() + 1 });
  assert.equal(chainedLinksOf(node).list().length, 0);
});

test('a helper that is made and cannot be written down is taken away again: the next ADD finds nothing in its way', async () => {
  using bench = openBench();
  const { node, host } = bench;
  const pod = bench.pod(11);
  const before = host.exec('ip rule; ip -o link');
  node.database.exec(`CREATE TRIGGER refuse BEFORE UPDATE ON chained WHEN NEW.state = 'there' BEGIN SELECT RAISE(FAIL, 'refused'); END`);
  await assert.rejects(add(node, addRequest(pod, 11)));
  assert.deepEqual(chainedLinksOf(node).list(), []);
  assert.equal(host.exec('ip rule; ip -o link'), before);
  assert.doesNotMatch(pod.exec('ip -o link'), /veth0/);
  node.database.exec('DROP TRIGGER refuse');
  await add(node, addRequest(pod, 11));
  assert.equal(chainedLinksOf(node).list().length, 1);
});
