/** The self-defence sees what the kernel tells nobody of. (What it does tell of: test/life.) */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startSelfDefence } from '../../src/agent/self-defence.ts';
import { openKernel } from '../../src/kernel/kernel.ts';
import { host } from '../../src/kernel/state.ts';
import { readSysctl, writeSysctl } from '../../src/kernel/sysctl.ts';
import { createLog } from '../../src/log.ts';
import { testNetns } from '../kernel/namespace.ts';
import { eventually } from '../life/lab.ts';

test('a sysctl of the node that somebody changes is put back, and said', async () => {
  using ns = testNetns('defence');
  using kernel = openKernel([], ns.netns);
  const key = 'net/ipv4/ip_forward';
  const plan = [{ kind: 'sysctl', where: host, key, value: '1' }] as const;
  kernel.apply(plan);
  const said: string[] = [];
  const log = createLog('test', 'info', (line) => said.push(line));
  const defence = startSelfDefence({ kernel, log, nodePlan: () => plan, pods: () => [], others: () => [], lookEvery_ms: 20 });
  try {
    writeSysctl(ns.netns, key, '0');
    await eventually('forwarding is on again', () => readSysctl(ns.netns, key) === '1');
    assert.match(said.join(''), /put back sysctl net\/ipv4\/ip_forward = 1 in host: changed without a word \(1 time\)/);
  } finally {
    defence.stop();
  }
});
